"""Tables of the outbox and of webhooks. All are ours."""

import enum
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, long_text, ours, word


class Event(enum.StrEnum):
    """An event that messages tell of."""

    job_ended = "job.ended"
    run_ended = "run.ended"
    test = "webhook.test"


class MessageState(enum.StrEnum):
    """Where a message is. A waiting one may be on its way at this moment."""

    waiting = "waiting"
    delivered = "delivered"
    given_up = "given_up"


class TryOutcome(enum.StrEnum):
    """How a try to deliver a message ended."""

    delivered = "delivered"
    bad_status = "bad_status"
    redirect = "redirect"
    timeout = "timeout"
    unreachable = "unreachable"
    address_refused = "address_refused"


def _flag() -> Mapped[bool]:
    return mapped_column(Boolean(create_constraint=False), default=False)


class Webhook(Base):
    """An address of an account's that is told of events.

    The secret is derived from `salt` and SECRET_KEY; the one before a rotation from `old_salt`,
    which signs, too, until `old_salt_until`. `told_to`: the newest progress event that was looked
    at for ends by other programs, of those since `listening_since`.
    """

    __tablename__ = "webhook"
    __table_args__ = ours(Index("ix_webhook_account", "account_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(String(200))
    on_job_ended: Mapped[bool] = _flag()
    on_run_ended: Mapped[bool] = _flag()
    all_runs: Mapped[bool] = _flag()
    is_on: Mapped[bool] = _flag()
    off_reason: Mapped[str | None] = mapped_column(String(200))
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    salt: Mapped[str] = mapped_column(word(32))
    old_salt: Mapped[str | None] = mapped_column(word(32))
    old_salt_until: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    told_to: Mapped[int] = mapped_column(BigInteger, default=0)
    listening_since: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))


class OutboxMessage(Base):
    """A message to one receiver, written in the transaction of what it tells of.

    `uuid` is the same at each try, and `body` once the first one has composed it. `next_at`: when
    it is tried next; whoever takes it puts that ahead, which is its lease. `tries` counts all of
    them, `failures` those that failed since it was last queued.
    """

    __tablename__ = "outbox_message"
    __table_args__ = ours(
        UniqueConstraint("webhook_id", "uuid", name="uq_outbox_message_uuid"),
        Index("ix_outbox_message_due", "state", "next_at"),
        Index("ix_outbox_message_of_webhook", "webhook_id", "state", "next_at"),
        Index("ix_outbox_message_created", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    uuid: Mapped[str] = mapped_column(word(36))
    event: Mapped[Event] = mapped_column(EnumText(Event, plain=True))
    subject_id: Mapped[int]
    body: Mapped[str | None] = mapped_column(long_text())
    state: Mapped[MessageState] = mapped_column(EnumText(MessageState, plain=True))
    tries: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    next_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    why: Mapped[str | None] = mapped_column(String(200))


class DeliveryTry(Base):
    """A try to deliver a message: the delivery log."""

    __tablename__ = "delivery_try"
    __table_args__ = ours(
        Index("ix_delivery_try_message", "message_id", "id"),
        Index("ix_delivery_try_at", "at", "outcome"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("outbox_message.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    duration_ms: Mapped[int]
    outcome: Mapped[TryOutcome] = mapped_column(EnumText(TryOutcome, plain=True))
    status: Mapped[int | None]
    message: Mapped[str | None] = mapped_column(String(200))
