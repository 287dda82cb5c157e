"""A regression test of a run as a row: its verdict, what it printed and wrote, what it is part of.

Everything that lists results (a run's samples, a sample's history, a comparison of two runs) reads
them here; how they read is decided by `mod_test.verdict`.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from database import ASCII_LOWER, contains_text, db, exact, fetch
from database.spans import among, is_among
from mod_regression.models import Category, RegressionTest, RegressionTestOutput, test_categories
from mod_sample.models import Sample, Tag, sample_tags
from mod_test import verdict
from mod_test.models import Outcome, Result, ResultFile, ResultRecord
from mod_test.rollup.tables import FailingResult
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept, ids_of, kept_members_of, members_of
from mod_test.verdict import OutputStatus, ResultStatus

Place = tuple[int, int]  # a run and a regression test

# Statements are composed once: composing one costs more than the database needs for it.
IDS: Any = bindparam("ids", expanding=True)
_STATUSES = {status.value: status for status in ResultStatus}
_OUTPUT_STATUSES = {status.value: status for status in OutputStatus}
TAG, CATEGORY = 0, 1
COLUMNS, STATUS_PLACE = 12, 4
MOST_IN_VAIN = 4  # results that are read for each that is asked for


@dataclass(slots=True)
class ResultRow:
    """One regression test of a run. Without a result, what only a result can tell is None."""

    run_id: int
    regression_id: int
    sample_id: int
    command: str
    status: ResultStatus
    runtime_ms: int | None
    exit_code: int | None
    expected_exit_code: int
    wrong_exit: bool
    outcome: Outcome | None
    signal: str | None
    told: str | None
    tail: str | None

    @property
    def place(self) -> Place:
        return self.run_id, self.regression_id

    @property
    def has_result(self) -> bool:
        return self.status in (ResultStatus.passed, ResultStatus.fail, ResultStatus.missing_output)


@dataclass(slots=True)
class OutputRow:
    """One output of a result. `correct` is its baseline today, `expected` that of the run's time,
    both as the tables have them; `got` is None where the output matched (`has_row`) or where there
    is none. An ignored output takes no part in any verdict; its `status` only informs."""

    output_id: int
    extension: str
    expected_filename: str | None
    ignored: bool
    correct: str | None
    has_row: bool
    expected: str | None
    got: str | None
    status: OutputStatus

    @property
    def actual_hash(self) -> str | None:
        """What came out; None where it matched, or where there is nothing."""
        return verdict.actual_hash(self.status, expected=self.expected, got=self.got)

    @property
    def baseline_hash(self) -> str | None:
        """What the output is held against."""
        return verdict.baseline_hash(
            self.status, expected=self.expected, got=self.got, correct=self.correct
        )


@dataclass(frozen=True)
class ResultFilter:
    """Which results of a run are meant; None filters nothing."""

    status: ResultStatus | None = None
    name: str | None = None
    tag: str | None = None
    category: str | None = None
    sample_id: int | None = None
    regression_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.name is not None:
            given["name"] = self.name.translate(ASCII_LOWER)
        return {f"of_{name}": value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Labels:
    """The tags of samples and the categories of regression tests, by their ids."""

    tags: dict[int, list[str]] = field(default_factory=dict)
    categories: dict[int, list[str]] = field(default_factory=dict)


def has_tag(name: Any, sample_id: Any = RegressionTest.sample_id) -> ColumnElement[bool]:
    """Whether a sample, of a `RegressionTest` unless said otherwise, has exactly this tag."""
    found: ColumnElement[bool] = sample_id.in_(
        select(sample_tags.c.sample_id)
        .join(Tag, Tag.id == sample_tags.c.tag_id)
        .where(Tag.name == name, exact(Tag.name) == exact(name))
    )
    return found


def has_category(name: Any) -> ColumnElement[bool]:
    """Whether a `RegressionTest` is in a category of exactly this name, among others."""
    return RegressionTest.id.in_(
        select(test_categories.c.regression_id)
        .join(Category, Category.id == test_categories.c.category_id)
        .where(
            test_categories.c.regression_id.is_not(None),
            Category.name == name,
            exact(Category.name) == exact(name),
        )
    )


def columns(status: ColumnElement[str], run_id: Any) -> tuple[Any, ...]:
    """What `as_result` reads, of a `RegressionTest` joined (outer) to its `Result` and record."""
    return (
        run_id.label("run_id"),
        RegressionTest.id.label("regression_id"),
        RegressionTest.sample_id,
        RegressionTest.command,
        status.label("status"),
        Result.runtime,
        Result.exit_code,
        verdict.expected_rc().label("expected_exit_code"),
        case((Result.test_id.is_(None), 0), (verdict.wrong_exit(), 1), else_=0).label("wrong_exit"),
        ResultRecord.outcome,
        ResultRecord.signal,
        ResultRecord.message.label("told"),
    )


def as_result(row: Any, *, tail: str | None = None) -> ResultRow:
    """A row of `columns`, which may have more behind them."""
    (
        run_id, regression_id, sample_id, command, status, runtime, exit_code, expected_exit_code,
        wrong_exit, outcome, signal, told,
    ) = row[:COLUMNS]  # fmt: skip
    return ResultRow(
        run_id, regression_id, sample_id, command, _STATUSES[status],
        None if runtime is None else max(0, runtime), exit_code, expected_exit_code,
        bool(wrong_exit), outcome, signal, told or None, tail,
    )  # fmt: skip


def of_runs(
    runs: Sequence[RunRow], wanted: ResultFilter, running: Collection[int] = ()
) -> tuple[Select[Any], dict[str, Any]]:
    """The rows (`columns`) of the sets of `runs` that are `wanted`, also those without a result: a
    statement, which is composed once for each choice of filters, and its parameters.

    `running` are the tests at which the runner of a run that has not ended is at the moment.
    """
    ended = [run.run_id for run in runs if run.status.has_ended]
    params = {**ids_of(runs), "ended": ended, "running": list(running), **wanted.params}
    return _of_runs(frozenset(wanted.params), kept=are_kept(runs)), params


@functools.cache
def _of_runs(given: frozenset[str], *, kept: bool) -> Select[Any]:
    """`kept`: how the results read is looked up, for runs whose sets and failing results are."""
    if kept:
        of_set = kept_members_of(IDS).subquery("members")
        status: Any = func.coalesce(FailingResult.status, ResultStatus.passed.value)
    else:
        of_set = members_of(IDS, bindparam("live", expanding=True)).subquery("members")
        status = verdict.status_in_run(
            of_set.c.test_id.in_(bindparam("ended", expanding=True)),
            RegressionTest.id.in_(bindparam("running", expanding=True)),
        )
    conditions: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "of_status": lambda value: status == value,
        "of_name": lambda value: contains_text(Sample.original_name, value),
        "of_tag": has_tag,
        "of_category": has_category,
        "of_sample_id": lambda value: RegressionTest.sample_id == value,
        "of_regression_id": lambda value: RegressionTest.id == value,
    }
    rows = (
        select(*columns(status, of_set.c.test_id))
        .select_from(of_set)
        .join(RegressionTest, RegressionTest.id == of_set.c.regression_id)
        .outerjoin(
            Result,
            and_(
                Result.test_id == of_set.c.test_id, Result.regression_test_id == RegressionTest.id
            ),
        )
        .outerjoin(ResultRecord, ResultRecord.is_of_result())
        .where(*(conditions[name](bindparam(name)) for name in sorted(given)))
    )
    if "of_name" in given:
        rows = rows.join(Sample, Sample.id == RegressionTest.sample_id)
    if not kept:
        return rows
    return rows.outerjoin(
        FailingResult,
        and_(
            FailingResult.test_id == of_set.c.test_id,
            FailingResult.regression_test_id == of_set.c.regression_id,
        ),
    )


def outputs_of(places: Collection[Place]) -> dict[Place, list[OutputRow]]:
    """The outputs of results, also the ignored ones, by id, in one statement.

    Of a test without a result nothing was compared: it has none.
    """
    found: dict[Place, list[OutputRow]] = {place: [] for place in places}
    if not found:
        return found
    ids = sorted({run_id for run_id, _ in found})
    tests = sorted({regression_id for _, regression_id in found})
    if len(ids) * len(tests) <= MOST_IN_VAIN * len(found):
        shape, params = among("tests", tests)
        rows: Iterable[Any] = fetch(_outputs_of_tests(shape), {"ids": ids, **params})
    else:
        # Far apart: naming the pairs is slower for each, and reads nothing else.
        pairs = tuple_(Result.test_id, Result.regression_test_id).in_(list(found))
        rows = db.session.execute(_OUTPUTS.where(pairs))
    for row in rows:
        run_id, regression_id, *output = row
        of = found.get((run_id, regression_id))
        if of is not None:
            of.append(_as_output(*output))
    return found


def results_at(places: Mapping[Place, str]) -> list[ResultRow]:
    """The results at these places that there are, with these statuses (words of ResultStatus)."""
    pairs = tuple_(Result.test_id, Result.regression_test_id).in_(list(places))
    found = []
    for row in db.session.execute(_RESULTS.where(pairs)):
        run_id, regression_id, *_ = row
        values = [*row[:STATUS_PLACE], places[run_id, regression_id], *row[STATUS_PLACE + 1 :]]
        found.append(as_result(values))
    return found


def labels_of(rows: Iterable[ResultRow]) -> Labels:
    """The tags and categories of results, in one statement."""
    rows = list(rows)
    return labels({row.sample_id for row in rows}, {row.regression_id for row in rows})


def labels(sample_ids: Collection[int], regression_ids: Collection[int]) -> Labels:
    """The tags of samples, by name, and the categories of tests, by id, in one statement."""
    found = Labels()
    if not sample_ids and not regression_ids:
        return found
    of_samples, params = among("samples", sample_ids)
    of_tests, more = among("tests", regression_ids)
    rows = fetch(_labels(of_samples, of_tests), params | more)
    for kind, owner, name, _ in sorted(rows, key=lambda row: row.place):
        (found.tags if kind == TAG else found.categories).setdefault(owner, []).append(name)
    return found


@functools.cache
def _labels(of_samples: int, of_tests: int) -> CompoundSelect[Any]:
    """Tags and categories with their `place` among all."""
    tags = (
        select(
            literal(TAG).label("kind"),
            sample_tags.c.sample_id.label("owner"),
            Tag.name.label("name"),
            Tag.id.label("place"),
        )
        .join(Tag, Tag.id == sample_tags.c.tag_id)
        .where(is_among(sample_tags.c.sample_id, "samples", of_samples))
    )
    categories = (
        select(
            literal(CATEGORY),
            test_categories.c.regression_id,
            Category.name,
            Category.id,
        )
        .distinct()
        .join(Category, Category.id == test_categories.c.category_id)
        .where(
            is_among(test_categories.c.regression_id, "tests", of_tests),
            Category.name.is_not(None),
        )
    )
    return union_all(tags, categories)


def _outputs() -> Select[Any]:
    output, file = RegressionTestOutput, ResultFile
    status = case(
        (file.test_id.is_(None), OutputStatus.missing_output.value),
        (verdict.differs(file, output), OutputStatus.diff_mismatch.value),
        else_=OutputStatus.match.value,
    )
    return (
        select(
            Result.test_id,
            Result.regression_test_id,
            output.id.label("output_id"),
            output.correct_extension,
            output.expected_filename,
            case((verdict.takes_part(output), 0), else_=1).label("ignored"),
            output.correct,
            file.expected,
            file.got,
            status.label("status"),
        )
        .select_from(Result)
        .join(output, output.regression_id == Result.regression_test_id)
        .outerjoin(
            file,
            and_(
                file.test_id == Result.test_id,
                file.regression_test_id == Result.regression_test_id,
                file.regression_test_output_id == output.id,
            ),
        )
        .where(output.id > 0)
        .order_by(output.id)
    )


_OUTPUTS = _outputs()
_RESULTS = (
    select(*columns(literal(""), Result.test_id))
    .select_from(Result)
    .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
    .outerjoin(ResultRecord, ResultRecord.is_of_result())
)


@functools.cache
def _outputs_of_tests(shape: int) -> Select[Any]:
    of_tests = is_among(Result.regression_test_id, "tests", shape)
    return _OUTPUTS.where(Result.test_id.in_(IDS), of_tests)


def _as_output(
    output_id: int,
    extension: str,
    expected_filename: str | None,
    ignored: int,
    correct: str | None,
    expected: str | None,
    got: str | None,
    status: str,
) -> OutputRow:
    has_row = expected is not None  # the column of a row that is there is never NULL
    return OutputRow(
        output_id, extension, expected_filename, bool(ignored), correct, has_row, expected, got,
        _OUTPUT_STATUSES[status],
    )  # fmt: skip
