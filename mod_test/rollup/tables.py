"""The tables of the rollup."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, Bytewise, EnumText, UtcDateTime, ours
from mod_test.models import Platform, TestStatus

BRANCH_LENGTH = 100


def _of_run() -> ForeignKey:
    return ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE")


class RunRollup(Base):
    """An ended run: its status and counts, and what runs are listed, filtered and sorted by.

    `results` is how many results its set has. A run without a valid commit, fork or platform is
    not here: the API leaves it out. The texts are kept as `mod_test.rollup.facts` makes them.
    """

    __tablename__ = "run_rollup"
    __table_args__ = ours(
        Index("ix_run_rollup_created", "created_at", "test_id", "set_id"),
        Index("ix_run_rollup_started", "started_at", "test_id"),
        Index("ix_run_rollup_status", "status", "created_at", "test_id", "set_id"),
        Index("ix_run_rollup_platform", "platform", "created_at", "test_id", "set_id"),
        Index("ix_run_rollup_fork", "fork_id", "created_at", "test_id"),
        Index("ix_run_rollup_branch", "branch", "created_at", "test_id", "set_id"),
        Index("ix_run_rollup_branches", "fork_id", "branch", "test_id"),
        Index("ix_run_rollup_commit", "commit_sha", "created_at", "test_id"),
        Index("ix_run_rollup_pull_request", "pull_request", "created_at", "test_id"),
        Index("ix_run_rollup_set", "set_id", "test_id"),
    )

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(20))
    ended_as: Mapped[TestStatus] = mapped_column(EnumText(TestStatus))
    # With the fraction of a second that SQLite keeps in the given table: a run reads the same
    # before and after it is rolled up.
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    results: Mapped[int]
    failed: Mapped[int]
    missing_output: Mapped[int]
    skipped: Mapped[int]
    errors: Mapped[int]
    set_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    platform: Mapped[Platform] = mapped_column(EnumText(Platform))
    fork_id: Mapped[int]
    branch: Mapped[str] = mapped_column(Bytewise(BRANCH_LENGTH))
    commit_sha: Mapped[str] = mapped_column(String(40))
    pull_request: Mapped[int | None]


class FailingResult(Base):
    """A regression test of a rolled-up run's set that did not pass: it failed, produced nothing or
    was skipped."""

    __tablename__ = "failing_result"
    __table_args__ = ours(
        Index("ix_failing_result_test", "regression_test_id", "status", "test_id")
    )

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)
    regression_test_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(20))
    errors: Mapped[int]


class RunSet(Base):
    """A set of regression tests that rolled-up runs have: most of them have the same one.

    `digest` is the SHA-256 of its ids. A set that no run has any more does no harm.
    """

    __tablename__ = "run_set"
    __table_args__ = ours(UniqueConstraint("digest", name="uq_run_set_digest"))

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))


class RunSetMember(Base):
    """A regression test of a set."""

    __tablename__ = "run_set_member"
    __table_args__ = ours(Index("ix_run_set_member_set", "set_id", "regression_test_id"))

    regression_test_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    set_id: Mapped[int] = mapped_column(
        ForeignKey("run_set.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class OpenRun(Base):
    """A run that is not rolled up: it waits, runs, or has just ended."""

    __tablename__ = "open_run"
    __table_args__ = ours()

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)


class RollupMark(Base):
    """Something that may change rolled-up runs: a run's own rows, a test, or an output's hash.

    `kind`: `p` a run's progress, `r` a run's results or set, `d` a regression test's definition,
    `h` what is accepted for an output (`file_hash`).
    """

    __tablename__ = "rollup_mark"
    __table_args__ = ours(Index("ix_rollup_mark_run", "run_id"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(1))
    run_id: Mapped[int | None]
    regression_id: Mapped[int | None]
    output_id: Mapped[int | None]
    file_hash: Mapped[str | None] = mapped_column(String(64))


class RollupState(Base):
    """One row, whose lock decides who settles the marks."""

    __tablename__ = "rollup_state"
    __table_args__ = ours()

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
