"""Tables of runs and results. `docs/existing-platform.md` says what the given ones mean."""

import enum
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
)
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, given, key, ours
from mod_auth.models import User
from mod_regression.models import RegressionTest, RegressionTestOutput


class Platform(enum.StrEnum):
    """What a run is executed on."""

    linux = "linux"
    windows = "windows"


class RunType(enum.StrEnum):
    """What asked for a run: a commit or a pull request."""

    commit = "commit"
    pr = "pr"


class TestStatus(enum.StrEnum):
    """The four words that `test_progress` holds, in the order of a run's life."""

    preparation = "preparation"
    testing = "testing"
    completed = "completed"
    canceled = "canceled"

    __test__ = False  # not a test class, whatever its name

    @property
    def has_ended(self) -> bool:
        return self in (TestStatus.completed, TestStatus.canceled)

    def comes_before(self, other: "TestStatus") -> bool:
        """Return whether a run that is at `other` would go backwards with this."""
        order = list(TestStatus)
        return order.index(self) < order.index(other)


class ProgressCause(enum.StrEnum):
    """Who is behind a progress event."""

    person = "person"
    infrastructure = "infrastructure"
    worker = "worker"


class Outcome(enum.StrEnum):
    """How a test's process ended."""

    exited = "exited"
    signal = "signal"
    time_limit = "time_limit"
    memory_limit = "memory_limit"
    output_limit = "output_limit"

    @property
    def was_killed(self) -> bool:
        return self is not Outcome.exited


class Fork(Base):
    """A git repository: `https://github.com/OWNER/NAME.git`."""

    __tablename__ = "fork"
    __table_args__ = given(UniqueConstraint("github", name="github"))

    id: Mapped[int] = mapped_column(primary_key=True)
    github: Mapped[str | None] = mapped_column(String(256))


class Run(Base):
    """A run of a commit. Its state is the last row of its progress."""

    __tablename__ = "test"
    __table_args__ = given(UniqueConstraint("token", name="token"), key("fork_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[Platform | None] = mapped_column(EnumText(Platform), nullable=False)
    test_type: Mapped[RunType | None] = mapped_column(EnumText(RunType), nullable=False)
    token: Mapped[str | None] = mapped_column(String(64))
    fork_id: Mapped[int | None] = mapped_column(ForeignKey("fork.id", onupdate="CASCADE"))
    branch: Mapped[str] = mapped_column(Text)
    commit: Mapped[str] = mapped_column(String(64))
    pr_nr: Mapped[int]


class Progress(Base):
    """One event in a run's life, append-only; the highest id is the newest."""

    __tablename__ = "test_progress"
    __table_args__ = given(key("test_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    test_id: Mapped[int | None] = mapped_column(
        ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    status: Mapped[TestStatus | None] = mapped_column(EnumText(TestStatus), nullable=False)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime())
    message: Mapped[str] = mapped_column(Text)


class CustomizedTest(Base):
    """A regression test that a run was limited to."""

    __tablename__ = "customized_test"
    __table_args__ = given(
        key("test_id"),
        key("regression_id"),
        Index("ix_customized_test_member", "test_id", "regression_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    test_id: Mapped[int | None] = mapped_column(ForeignKey("test.id", onupdate="CASCADE"))
    regression_id: Mapped[int | None] = mapped_column(
        ForeignKey(
            "regression_test.id",
            ondelete="CASCADE",
            onupdate="CASCADE",
        )
    )


class Result(Base):
    """How one regression test of a run ended; `runtime` is in milliseconds."""

    __tablename__ = "test_result"
    __table_args__ = given(
        key("regression_test_id"),
        Index("ix_test_result_runtime", "regression_test_id", "test_id", "runtime"),
    )

    test_id: Mapped[int] = mapped_column(
        ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    )
    regression_test_id: Mapped[int] = mapped_column(
        ForeignKey(RegressionTest.id, ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    )
    runtime: Mapped[int | None]
    exit_code: Mapped[int | None]
    expected_rc: Mapped[int | None]


class ResultFile(Base):
    """One compared output of a result. `got` NULL means that it matched `expected`."""

    __tablename__ = "test_result_file"
    __table_args__ = given(
        key("regression_test_id"),
        key("regression_test_output_id"),
    )

    test_id: Mapped[int] = mapped_column(
        ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    )
    regression_test_id: Mapped[int] = mapped_column(
        ForeignKey(RegressionTest.id, ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    )
    regression_test_output_id: Mapped[int] = mapped_column(
        ForeignKey(
            RegressionTestOutput.id,
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
        primary_key=True,
    )
    expected: Mapped[str] = mapped_column(Text)
    got: Mapped[str | None] = mapped_column(Text)


class RunRequester(Base):
    """Which account asked for a run."""

    __tablename__ = "test_fork"
    __table_args__ = given(key("user_id"), key("test_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, onupdate="CASCADE"))
    test_id: Mapped[int | None] = mapped_column(ForeignKey("test.id", onupdate="CASCADE"))


class GeneralData(Base):
    """Keys and values of the existing site, such as average run times."""

    __tablename__ = "general_data"
    __table_args__ = given(UniqueConstraint("key", name="key"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str | None] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(Text)


class RunRecord(Base):
    """What we know of a run beyond the given table: its age, its lease, where it came from.

    `held_progress_id` is the newest progress row that the current attempt wrote: while it is the
    run's newest, the lease says whether the run is running or waits for its next attempt.
    `lost_attempts` counts those since its newest start, `failed_attempts` all that ended by a
    failure of the infrastructure.
    """

    __tablename__ = "run_record"
    __table_args__ = ours(Index("ix_run_record_created_at", "created_at"))

    test_id: Mapped[int] = mapped_column(
        ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    lost_attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    failed_attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    held_progress_id: Mapped[int | None]
    retry_of: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(255))
    environment_id: Mapped[str | None] = mapped_column(String(50))


class ProgressRecord(Base):
    """What we know of a progress event: who caused it, at which stage, when to the millisecond."""

    __tablename__ = "progress_record"
    __table_args__ = ours()

    progress_id: Mapped[int] = mapped_column(
        ForeignKey("test_progress.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    cause: Mapped[ProgressCause] = mapped_column(EnumText(ProgressCause))
    account_id: Mapped[int | None]
    attempt_id: Mapped[int | None]
    step: Mapped[int | None]
    recorded_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))


class ResultRecord(Base):
    """What our runner reports of a result beyond the given table.

    A result that is reported again gets a new record: within a run, `id` is the order in which
    results came.
    """

    __tablename__ = "result_record"
    __table_args__ = ours(
        UniqueConstraint("test_id", "regression_test_id", name="uq_result_record"),
        ForeignKeyConstraint(
            ["test_id", "regression_test_id"],
            ["test_result.test_id", "test_result.regression_test_id"],
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    test_id: Mapped[int]
    regression_test_id: Mapped[int]
    attempt_id: Mapped[int | None]
    outcome: Mapped[Outcome] = mapped_column(EnumText(Outcome))
    signal: Mapped[str | None] = mapped_column(String(20))
    message: Mapped[str | None] = mapped_column(Text)
    tail: Mapped[str | None] = mapped_column(Text)
    stdout_tail: Mapped[str | None] = mapped_column(Text)
    stderr_tail: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))

    @classmethod
    def is_of_result(cls) -> ColumnElement[bool]:
        """Return whether a record is that of the `Result` beside it."""
        return and_(
            cls.test_id == Result.test_id, cls.regression_test_id == Result.regression_test_id
        )


class RunLog(Base):
    """The log of an ended run as it was kept: `size` in bytes, `sha256` in hexadecimal."""

    __tablename__ = "run_log"
    __table_args__ = ours()

    test_id: Mapped[int] = mapped_column(
        ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
