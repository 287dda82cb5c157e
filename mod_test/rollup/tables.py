"""The tables of the rollup."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, Bytewise, EnumText, UtcDateTime, long_id, ours, word
from mod_test.cancellations import EndFailure
from mod_test.models import Platform, TestStatus

BRANCH_LENGTH = 100
# Of so many changes processes still hear; whoever heard of none for longer forgets all.
CHANGES_KEPT = 1000
# The kind of mark that says that a run may have been restarted: we only append to progress.
PROGRESS_UNDONE = "x"


def _of_run() -> ForeignKey:
    return ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE")


class RunRollup(Base):
    """A run: its status and counts, and what runs are listed, filtered and sorted by.

    A run that has not ended is here, too: it has no `set_id`, and its status does not know of its
    lease, which ends by itself. `results` is how many results its set has; `skipped` is NULL where
    the set of a run that goes on was not recorded: then it depends on today's active tests. A run
    without a valid commit, fork or platform is not here: the API leaves it out. The texts are kept
    as `mod_test.rollup.facts` makes them.

    Histories go by `test_id`, lists mostly by `created_at`: each index has what else is filtered
    by, so that no row is looked at in vain.
    """

    __tablename__ = "run_rollup"
    __table_args__ = ours(
        Index("ix_run_rollup_created", "created_at", "test_id", "status", "platform", "set_id"),
        Index("ix_run_rollup_started", "started_at", "test_id", "status", "platform"),
        Index("ix_run_rollup_status", "status", "created_at", "test_id", "platform"),
        Index("ix_run_rollup_platform", "platform", "created_at", "test_id", "status"),
        Index("ix_run_rollup_fork", "fork_id", "created_at", "test_id", "status", "platform"),
        Index("ix_run_rollup_branch", "branch", "created_at", "test_id", "status", "platform"),
        Index("ix_run_rollup_commit", "commit_sha", "created_at", "test_id"),
        Index("ix_run_rollup_pull_request", "pull_request", "created_at", "test_id"),
        Index("ix_run_rollup_of_status", "status", "test_id", "set_id", "platform"),
        Index("ix_run_rollup_of_branch", "branch", "test_id", "set_id", "status", "platform"),
        Index("ix_run_rollup_branches", "fork_id", "branch", "test_id", "created_at"),
        Index("ix_run_rollup_set", "set_id", "test_id"),
    )

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(word(20))
    ended_as: Mapped[TestStatus | None] = mapped_column(EnumText(TestStatus, plain=True))
    # With the fraction of a second that SQLite keeps in the given table: a run reads the same
    # before and after it is rolled up.
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime(fraction=True))
    end_failure: Mapped[EndFailure | None] = mapped_column(EnumText(EndFailure, plain=True))
    progress_id: Mapped[int | None]
    results: Mapped[int]
    failed: Mapped[int]
    missing_output: Mapped[int]
    skipped: Mapped[int | None]
    errors: Mapped[int]
    set_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    platform: Mapped[Platform] = mapped_column(EnumText(Platform, plain=True))
    fork_id: Mapped[int]
    branch: Mapped[str] = mapped_column(Bytewise(BRANCH_LENGTH))
    commit_sha: Mapped[str] = mapped_column(word(40))
    pull_request: Mapped[int | None]
    requester_id: Mapped[int | None]


class FailingResult(Base):
    """A regression test of an ended run's set that did not pass: it failed, produced nothing or
    was skipped. `signature` and `content` say how, as `mod_test.signatures` has them; of a skipped
    one they are NULL.
    """

    __tablename__ = "failing_result"
    __table_args__ = ours(
        Index("ix_failing_result_test", "regression_test_id", "status", "test_id")
    )

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)
    regression_test_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(word(20))
    errors: Mapped[int]
    signature: Mapped[str | None] = mapped_column(String(255))
    content: Mapped[str | None] = mapped_column(String(16))


class RunSet(Base):
    """A set of regression tests that ended runs have: most of them have the same one.

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
    """A run that has not ended, or whose end is not rolled up yet.

    Once it is `settled`, what can be kept of it is in `run_rollup`: nothing, where it is not valid.
    """

    __tablename__ = "open_run"
    __table_args__ = ours(Index("ix_open_run_settled", "settled"))

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)
    settled: Mapped[bool] = mapped_column(
        Boolean(create_constraint=False), server_default=false(), default=False
    )


class RollupMark(Base):
    """Something that may change rolled-up runs: a run's own rows, a test, or an output's hash.

    `kind`: `p` a run's progress, `x` progress that was there and is gone or another, `r` a run's
    results or set, `d` what of a regression test decides how results read, `h` what is accepted for
    an output (`file_hash`), `c` anything that is read of regression tests (`mod_test.catalogue`);
    that one names nothing.
    """

    __tablename__ = "rollup_mark"
    __table_args__ = ours(
        Index("ix_rollup_mark_run", "run_id"), Index("ix_rollup_mark_kind", "kind", "run_id")
    )

    id: Mapped[int] = mapped_column(long_id(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(1))
    run_id: Mapped[int | None]
    regression_id: Mapped[int | None]
    output_id: Mapped[int | None]
    file_hash: Mapped[str | None] = mapped_column(String(64))


class RollupState(Base):
    """One row, whose lock decides who settles the marks.

    `change_id` is the newest change of what is kept, `definitions_id` another number each time that
    regression tests changed, `generation` another random one each time that the tables are made
    anew: with it each of the two is a version. It is 0 where changes are not marked.
    """

    __tablename__ = "rollup_state"
    __table_args__ = ours()

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    change_id: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    definitions_id: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)


class RollupChange(Base):
    """A change of what is kept: the lowest of the ended runs that it concerned. Old ones are tidied
    away."""

    __tablename__ = "rollup_change"
    __table_args__ = ours()

    id: Mapped[int] = mapped_column(long_id(), primary_key=True)
    lowest: Mapped[int]


# All that is kept; every table can be emptied or dropped, and is made anew by a rebuild.
TABLES: tuple[type[Base], ...] = (
    RunSet, RunSetMember, RunRollup, FailingResult, OpenRun, RollupMark, RollupState, RollupChange,
)  # fmt: skip
