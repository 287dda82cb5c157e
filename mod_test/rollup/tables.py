"""The tables of the rollup."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, ours
from mod_test.models import TestStatus


def _of_run() -> ForeignKey:
    return ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE")


class RunRollup(Base):
    """An ended run: its status and counts. `results` is how many results its set has."""

    __tablename__ = "run_rollup"
    __table_args__ = ours(Index("ix_run_rollup_status", "status", "test_id"))

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


class FailingResult(Base):
    """A result of a rolled-up run that does not pass."""

    __tablename__ = "failing_result"
    __table_args__ = ours(Index("ix_failing_result_test", "regression_test_id", "test_id"))

    test_id: Mapped[int] = mapped_column(_of_run(), primary_key=True, autoincrement=False)
    regression_test_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(20))
    errors: Mapped[int]


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
