"""Tables of accounts and tokens. `docs/existing-platform.md` says what the given ones mean."""

import enum
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, given, ours


class Role(enum.StrEnum):
    """The role of an account; the scopes of its tokens limit it further."""

    admin = "admin"
    user = "user"
    contributor = "contributor"
    tester = "tester"


class User(Base):
    """An account of the platform, shared with the existing site."""

    __tablename__ = "user"
    __table_args__ = given(
        UniqueConstraint("name", name="name"), UniqueConstraint("email", name="email")
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(255))
    github_token: Mapped[str | None] = mapped_column(Text)
    github_login: Mapped[str | None] = mapped_column(String(255))
    password: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role | None] = mapped_column(EnumText(Role))


class ApiToken(Base):
    """A token, kept as the SHA-256 of its text and found by its first 16 characters."""

    __tablename__ = "api_token"
    __table_args__ = given(
        UniqueConstraint("user_id", "token_name", name="uq_user_token_name"),
        Index("ix_api_token_token_prefix", "token_prefix"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    token_name: Mapped[str] = mapped_column(String(50))
    token_hash: Mapped[str] = mapped_column(String(255))
    token_prefix: Mapped[str] = mapped_column(String(16))
    scopes_json: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class BlockedUser(Base):
    """A GitHub user id (not an account's) that may not start work."""

    __tablename__ = "blocked_users"
    __table_args__ = given()

    user_id: Mapped[int] = mapped_column(primary_key=True)
    comment: Mapped[str | None] = mapped_column(Text)


class FtpCredentials(Base):
    """An account's upload credentials on the existing site."""

    __tablename__ = "ftpd"
    __table_args__ = given()

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    user_name: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(50))
    password: Mapped[str] = mapped_column(String(64))
    dir: Mapped[str] = mapped_column(String(128))
    ip_access: Mapped[str] = mapped_column(String(16))
    quota_files: Mapped[int]
    uid: Mapped[int]
    gid: Mapped[int]


class AccountRecord(Base):
    """The facts about an account that the given table has no columns for."""

    __tablename__ = "account_record"
    __table_args__ = ours()

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    github_id: Mapped[int | None] = mapped_column(BigInteger)


class ExecuteGrant(Base):
    """A token whose `runs:execute` was given on the command line, not by its owner's role."""

    __tablename__ = "execute_grant"
    __table_args__ = ours()

    token_id: Mapped[int] = mapped_column(
        ForeignKey("api_token.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))


class AuditEvent(Base):
    """An entry of the audit log, append-only. `details` is JSON and never holds a secret."""

    __tablename__ = "audit_event"
    __table_args__ = ours(
        Index("ix_audit_event_subject", "subject_type", "subject_id"),
        Index("ix_audit_event_account", "account_id"),
        Index("ix_audit_event_account_name", "account_name"),
        Index("ix_audit_event_action", "action"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    account_id: Mapped[int | None]
    account_name: Mapped[str | None] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(50))
    subject_type: Mapped[str] = mapped_column(String(50))
    subject_id: Mapped[int | None]
    details: Mapped[str] = mapped_column(Text)
