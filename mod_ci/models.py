"""Tables of the queue. `docs/existing-platform.md` says what the given ones mean."""

import enum
from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, given, key, ours, word
from mod_test.models import Platform


class EndReason(enum.StrEnum):
    """Why an attempt ended."""

    completed = "completed"
    canceled = "canceled"
    lease_expired = "lease_expired"
    deadline_exceeded = "deadline_exceeded"
    runner_shutdown = "runner_shutdown"
    build_failed = "build_failed"
    resource_unavailable = "resource_unavailable"
    internal_error = "internal_error"

    @property
    def is_infrastructure_failure(self) -> bool:
        return self not in (EndReason.completed, EndReason.canceled, EndReason.runner_shutdown)


class Stage(enum.StrEnum):
    """The stages of an attempt, in order; a stage's number is `step` in the progress."""

    checkout = "checkout"
    merge = "merge"
    build = "build"
    test = "test"
    finish = "finish"

    @property
    def step(self) -> int:
        return list(Stage).index(self) + 1


class JobStage(enum.StrEnum):
    """The stages of an attempt at a job, in order."""

    unpack = "unpack"
    install = "install"
    test = "test"
    collect = "collect"
    finish = "finish"

    @property
    def step(self) -> int:
        return list(JobStage).index(self) + 1


class GcpInstance(Base):
    """The cloud machine on which the existing scheduler executes a run."""

    __tablename__ = "gcp_instance"
    __table_args__ = given(key("test_id"))

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    test_id: Mapped[int | None] = mapped_column(ForeignKey("test.id", onupdate="CASCADE"))
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime())
    timestamp_prep_finished: Mapped[datetime | None] = mapped_column(UtcDateTime())


class PendingDeletion(Base):
    """A cloud machine that the existing scheduler is removing."""

    __tablename__ = "pending_deletion"
    __table_args__ = given()

    vm_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    operation_name: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    retry_count: Mapped[int]


class Maintenance(Base):
    """A platform that is paused: no run starts there while `disabled`."""

    __tablename__ = "maintenance_mode"
    __table_args__ = given()

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[Platform | None] = mapped_column(EnumText(Platform), nullable=False)
    disabled: Mapped[bool] = mapped_column(Boolean(create_constraint=False))


class Attempt(Base):
    """One runner's hold on a run: from its claim until it ends for a reason."""

    __tablename__ = "run_attempt"
    __table_args__ = ours(
        UniqueConstraint("test_id", "number", name="uq_run_attempt_number"),
        Index("ix_run_attempt_platform", "platform", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    test_id: Mapped[int] = mapped_column(
        ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    number: Mapped[int]
    platform: Mapped[Platform] = mapped_column(EnumText(Platform))
    runner_name: Mapped[str] = mapped_column(String(100))
    account_id: Mapped[int | None]
    credential_hash: Mapped[str] = mapped_column(String(64))
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    stage: Mapped[Stage | None] = mapped_column(EnumText(Stage))
    running_tests: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    end_reason: Mapped[EndReason | None] = mapped_column(EnumText(EndReason))
    error_type: Mapped[str | None] = mapped_column(String(50))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_stack: Mapped[str | None] = mapped_column(Text)


class JobAttempt(Base):
    """One runner's hold on a job: as `Attempt`, in a table of its own, so that runs pay nothing.

    Its credential begins otherwise than a run's, by which the protocol tells the two apart
    (docs/adr/040-jobs.md). `running_test`: the test that its project said it has begun.
    """

    __tablename__ = "job_attempt"
    __table_args__ = ours(
        UniqueConstraint("job_id", "number", name="uq_job_attempt_number"),
        Index("ix_job_attempt_runner", "runner_name", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    number: Mapped[int]
    runner_name: Mapped[str] = mapped_column(String(100))
    account_id: Mapped[int | None]
    credential_hash: Mapped[str] = mapped_column(word(64))
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    stage: Mapped[JobStage | None] = mapped_column(EnumText(JobStage, plain=True))
    running_test: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    end_reason: Mapped[EndReason | None] = mapped_column(EnumText(EndReason))
    error_type: Mapped[str | None] = mapped_column(String(50))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_stack: Mapped[str | None] = mapped_column(Text)


class LostLease(Base):
    """A lease that ran out, for counting: not tied to its run, which may be deleted."""

    __tablename__ = "lost_lease"
    __table_args__ = ours(Index("ix_lost_lease_platform", "platform"))

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[Platform] = mapped_column(EnumText(Platform))
    lost_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))


class IdempotencyKey(Base):
    """The answer to a POST that named a key, for 24 hours: a run or a job; without one, at work."""

    __tablename__ = "idempotency_key"
    __table_args__ = ours(UniqueConstraint("account_id", "key_hash", name="uq_idempotency_key"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    key_hash: Mapped[str] = mapped_column(String(64))
    request_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    run_id: Mapped[int | None]
    job_id: Mapped[int | None]
