"""Tables of media samples, all given. `docs/existing-platform.md` says what they mean."""

from datetime import date, datetime

from sqlalchemy import Column, Date, ForeignKey, Index, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, UtcDateTime, given, key
from mod_auth.models import User


def _sample_key() -> ForeignKey:
    return ForeignKey("sample.id", ondelete="CASCADE", onupdate="CASCADE")


class Sample(Base):
    """A media file, by the SHA-256 of its content."""

    __tablename__ = "sample"
    __table_args__ = given(UniqueConstraint("sha", name="sha"))

    id: Mapped[int] = mapped_column(primary_key=True)
    sha: Mapped[str | None] = mapped_column(String(128))
    extension: Mapped[str] = mapped_column(String(64))
    original_name: Mapped[str] = mapped_column(Text)


class SampleExtra(Base):
    """A file uploaded beside a sample."""

    __tablename__ = "sample_extra"
    __table_args__ = given(key("sample_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int | None] = mapped_column(_sample_key())
    original_name: Mapped[str] = mapped_column(Text)
    extension: Mapped[str] = mapped_column(String(64))


class SampleIssue(Base):
    """An issue on GitHub that speaks of a sample."""

    __tablename__ = "sample_issue"
    __table_args__ = given(key("sample_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int | None] = mapped_column(_sample_key())
    issue_id: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    user: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    status: Mapped[str] = mapped_column(Text)


class Tag(Base):
    """A label that samples carry."""

    __tablename__ = "tag"
    __table_args__ = given(UniqueConstraint("name", name="name"), Index("tag_name_index", "name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    description: Mapped[str | None] = mapped_column(String(1024))


sample_tags = Table(
    "sample_tag_association",
    Base.metadata,
    Column("sample_id", ForeignKey("sample.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
    key("tag_id"),
    info={"given": True},
    **Base.__table_args__,
)


class Release(Base):
    """A released version of the extractor and its commit."""

    __tablename__ = "ccextractor_version"
    __table_args__ = given(
        UniqueConstraint("version", name="version"),
        UniqueConstraint("released", name="released"),
        UniqueConstraint("commit", name="commit"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str | None] = mapped_column(String(10))
    released: Mapped[date | None] = mapped_column(Date)
    commit: Mapped[str | None] = mapped_column(String(64))


class Upload(Base):
    """Who uploaded a sample, with which version and parameters."""

    __tablename__ = "upload"
    __table_args__ = given(key("user_id"), key("sample_id"), key("version_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, onupdate="CASCADE"))
    sample_id: Mapped[int | None] = mapped_column(_sample_key())
    version_id: Mapped[int | None] = mapped_column(
        ForeignKey("ccextractor_version.id", onupdate="CASCADE")
    )
    platform: Mapped[str] = mapped_column(String(50))
    parameters: Mapped[str] = mapped_column(Text)
    notes: Mapped[str] = mapped_column(Text)


class UploadLog(Base):
    """What the existing site noted of an upload."""

    __tablename__ = "upload_log"
    __table_args__ = given(key("user_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    message: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, onupdate="CASCADE"))


class QueuedUpload(Base):
    """An upload that the existing site has not made a sample of yet."""

    __tablename__ = "upload_queue"
    __table_args__ = given(UniqueConstraint("sha", name="sha"), key("user_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    sha: Mapped[str | None] = mapped_column(String(128))
    extension: Mapped[str] = mapped_column(String(64))
    original_name: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, onupdate="CASCADE"))


class ForbiddenExtension(Base):
    """A file extension that uploads may not have."""

    __tablename__ = "extension_forbidden"
    __table_args__ = given()

    extension: Mapped[str] = mapped_column(String(32), primary_key=True)


class ForbiddenMimetype(Base):
    """A media type that uploads may not have."""

    __tablename__ = "mimetype_forbidden"
    __table_args__ = given()

    mimetype: Mapped[str] = mapped_column(String(64), primary_key=True)
