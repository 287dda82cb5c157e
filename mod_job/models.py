"""Tables of jobs. All are ours, and nobody else writes them: a job's state is a column."""

import enum
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, long_text, ours, word

LOWEST_PRIORITY = 9
USUAL_PRIORITY = 5


class JobState(enum.StrEnum):
    """Where a job is. A running one whose lease has expired waits again."""

    queued = "queued"
    running = "running"
    ended = "ended"


class Conclusion(enum.StrEnum):
    """How a job ended; `error` is the infrastructure's fault, never the project's."""

    success = "success"
    failure = "failure"
    canceled = "canceled"
    error = "error"
    timed_out = "timed_out"
    out_of_memory = "out_of_memory"


class JobTestOutcome(enum.StrEnum):
    """How a test of a job's project ended; `running`: the job ended before the test did."""

    passed = "passed"
    failed = "failed"
    error = "error"
    skipped = "skipped"
    running = "running"


def _of_job() -> Mapped[int]:
    return mapped_column(ForeignKey("job.id", ondelete="CASCADE"))


class Job(Base):
    """A submitted project. Outside a job is known by `uuid`, inside by `id`.

    `spec` is what the submission asked for, as JSON. The queue's order is `priority` (0 first),
    then `share_tag`, given at the submission for fair shares, then `id`; `is_held`: its account has
    as many jobs running as it may.
    """

    __tablename__ = "job"
    __table_args__ = ours(
        UniqueConstraint("uuid", name="uq_job_uuid"),
        Index("ix_job_queue", "namespace", "state", "is_held", "priority", "share_tag", "id"),
        Index("ix_job_lease", "namespace", "lease_expires_at"),
        Index("ix_job_account", "account_id", "id"),
        Index(
            "ix_job_share",
            "account_id",
            "namespace",
            "state",
            "is_held",
            "priority",
            "share_tag",
            "id",
        ),
        Index("ix_job_created", "namespace", "created_at", "id"),
        Index("ix_job_expires", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(word(36))
    namespace: Mapped[str] = mapped_column(word(64))
    account_id: Mapped[int]
    name: Mapped[str | None] = mapped_column(String(200))
    spec: Mapped[str] = mapped_column(long_text())
    source_sha256: Mapped[str] = mapped_column(word(64))
    source_bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[JobState] = mapped_column(EnumText(JobState, plain=True))
    conclusion: Mapped[Conclusion | None] = mapped_column(EnumText(Conclusion, plain=True))
    priority: Mapped[int]
    share_tag: Mapped[float] = mapped_column(Double)
    is_held: Mapped[bool] = mapped_column(Boolean(create_constraint=False), default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    attempts: Mapped[int] = mapped_column(default=0)
    lost_attempts: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    exit_code: Mapped[int | None]
    signal: Mapped[str | None] = mapped_column(String(20))
    outcome: Mapped[str | None] = mapped_column(String(30))
    why: Mapped[str | None] = mapped_column(Text)
    is_report_whole: Mapped[bool | None] = mapped_column(Boolean(create_constraint=False))
    passed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    flaky: Mapped[int] = mapped_column(default=0)
    log_size: Mapped[int | None] = mapped_column(BigInteger)
    log_sha256: Mapped[str | None] = mapped_column(String(64))
    retry_of: Mapped[int | None]


class JobLabel(Base):
    """A label that a submission gave its job, for finding it."""

    __tablename__ = "job_label"
    __table_args__ = ours(Index("ix_job_label_label", "label", "job_id"))

    job_id: Mapped[int] = mapped_column(
        ForeignKey("job.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    label: Mapped[str] = mapped_column(word(63), primary_key=True)


class JobEvent(Base):
    """An event of a job, appended and never changed: queued, claimed, canceled, ended ..."""

    __tablename__ = "job_event"
    __table_args__ = ours(Index("ix_job_event_job", "job_id", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _of_job()
    kind: Mapped[str] = mapped_column(String(30))
    message: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    attempt_id: Mapped[int | None]
    account_id: Mapped[int | None]


class JobTest(Base):
    """A test as its project's runner told it. `number` counts the tests of an attempt from 1."""

    __tablename__ = "job_test"
    __table_args__ = ours(
        UniqueConstraint("job_id", "attempt", "number", name="uq_job_test_number"),
        Index("ix_job_test_outcome", "job_id", "attempt", "outcome", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _of_job()
    attempt: Mapped[int]
    number: Mapped[int]
    nodeid: Mapped[str] = mapped_column(Text)
    outcome: Mapped[JobTestOutcome] = mapped_column(EnumText(JobTestOutcome, plain=True))
    is_flaky: Mapped[bool] = mapped_column(Boolean(create_constraint=False), default=False)
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    message: Mapped[str | None] = mapped_column(long_text())


class JobArtifact(Base):
    """A file that a job left behind. `error`: why a report could not be read; `cut`: what was."""

    __tablename__ = "job_artifact"
    __table_args__ = ours(
        UniqueConstraint("job_id", "attempt", "name_hash", name="uq_job_artifact_name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _of_job()
    attempt: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    name_hash: Mapped[str] = mapped_column(word(64))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(word(64))
    kind: Mapped[str | None] = mapped_column(String(20))
    error: Mapped[str | None] = mapped_column(Text)
    cut: Mapped[str | None] = mapped_column(Text)


class JobCoverage(Base):
    """How much of a file the job's tests executed: sums, no lines."""

    __tablename__ = "job_coverage"
    __table_args__ = ours(
        UniqueConstraint("job_id", "attempt", "file_hash", name="uq_job_coverage_file"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _of_job()
    attempt: Mapped[int]
    file: Mapped[str] = mapped_column(Text)
    file_hash: Mapped[str] = mapped_column(word(64))
    lines: Mapped[int]
    covered_lines: Mapped[int]
    branches: Mapped[int | None]
    covered_branches: Mapped[int | None]


class JobShare(Base):
    """An account's share of a namespace's queue: its last tag, how many of its jobs wait and run,
    and how many may run at once (as the settings said at its last submission)."""

    __tablename__ = "job_share"
    __table_args__ = ours()

    account_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    namespace: Mapped[str] = mapped_column(word(64), primary_key=True)
    finish_tag: Mapped[float] = mapped_column(Double, default=0.0)
    queued: Mapped[int] = mapped_column(default=0)
    running: Mapped[int] = mapped_column(default=0)
    most_running: Mapped[int] = mapped_column(default=1)


class JobClock(Base):
    """The queue's virtual time, one row: the fair-share tag of the job that was claimed last."""

    __tablename__ = "job_clock"
    __table_args__ = (Base.__table_args__,)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    now_tag: Mapped[float] = mapped_column(Double, default=0.0)
