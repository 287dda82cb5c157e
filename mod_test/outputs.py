"""One output of one result: what was expected, what came out, and how that reads."""

import functools
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Select, and_, bindparam, exists, literal, select, union_all

from database import fetch, fetch_first
from errors import NotFound
from mod_regression.models import (
    AcceptedVariant,
    BaselineRevocation,
    RegressionTest,
    RegressionTestOutput,
)
from mod_test import verdict
from mod_test.models import ResultFile
from mod_test.rollup.tables import RunSetMember
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept, ids_of, members_of
from mod_test.verdict import OutputStatus


@dataclass(frozen=True)
class ComparedOutput:
    """An output that a regression test should produce, in one run.

    `correct` is its baseline today, `expected` that of the run's time, both as the tables have
    them; `got` is None where the output matched (`has_row`) or where there is none.
    """

    run_id: int
    sample_id: int
    regression_id: int
    output_id: int
    extension: str
    expected_filename: str | None
    correct: str | None
    has_row: bool
    expected: str | None
    got: str | None
    variants: frozenset[str]
    revoked: frozenset[str]

    @property
    def status(self) -> OutputStatus:
        return verdict.output_status(
            has_row=self.has_row,
            expected=self.expected,
            got=self.got,
            accepted=self.accepted,
            revoked=self.revoked,
        )

    @property
    def accepted(self) -> frozenset[str]:
        """Every content that is accepted today."""
        return self.variants | ({self.correct} if self.correct else set())

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

    @property
    def matched_variant(self) -> bool:
        """Whether it is accepted, though not as the baseline."""
        return self.actual_hash in self.variants and self.actual_hash != self.correct


def find(run: RunRow, sample_id: int, regression_id: int, output_id: int) -> ComparedOutput:
    """An output of a run, in two statements.

    Raises NotFound when the run has no such test, the test is of another sample, or it has no such
    output.
    """
    params = {**ids_of([run]), "run_id": run.run_id, "set_id": run.set_id or 0}
    asked = {"regression_id": regression_id, "output_id": output_id}
    row = fetch_first(_row(are_kept([run])), {**params, **asked})
    if row is None or row.sample_id != sample_id or not row.in_set:
        raise NotFound("regression_test", regression_id)
    if row.output_id is None:
        raise NotFound("output", output_id)
    variants, revoked = _hashes(output_id)
    return ComparedOutput(
        run_id=run.run_id,
        sample_id=sample_id,
        regression_id=regression_id,
        output_id=output_id,
        extension=row.correct_extension,
        expected_filename=row.expected_filename,
        correct=row.correct,
        has_row=row.compared is not None,
        expected=row.expected,
        got=row.got,
        variants=variants,
        revoked=revoked,
    )


@functools.cache
def _row(is_kept: bool) -> Select[Any]:
    """An output with what came out of it; `is_kept`: the run's set is kept."""
    output, file = RegressionTestOutput, ResultFile
    regression_id: Any = bindparam("regression_id")
    if is_kept:
        in_set = exists().where(
            RunSetMember.set_id == bindparam("set_id"),
            RunSetMember.regression_test_id == regression_id,
        )
    else:
        of_run = members_of(
            bindparam("ids", expanding=True), bindparam("live", expanding=True)
        ).subquery("members")
        in_set = exists(select(of_run).where(of_run.c.regression_id == regression_id))
    return (
        select(
            RegressionTest.sample_id,
            in_set.label("in_set"),
            output.id.label("output_id"),
            output.correct,
            output.correct_extension,
            output.expected_filename,
            file.test_id.label("compared"),
            file.expected,
            file.got,
        )
        .select_from(RegressionTest)
        .outerjoin(
            output,
            and_(output.regression_id == RegressionTest.id, output.id == bindparam("output_id")),
        )
        .outerjoin(
            file,
            and_(
                file.test_id == bindparam("run_id"),
                file.regression_test_id == RegressionTest.id,
                file.regression_test_output_id == output.id,
            ),
        )
        .where(RegressionTest.id == regression_id)
    )


def _hashes(output_id: int) -> tuple[frozenset[str], frozenset[str]]:
    """The accepted variants of an output, and its revoked hashes."""
    found: dict[str, set[str]] = {"variant": set(), "revoked": set()}
    for kind, content_hash in fetch(_HASHES, {"output_id": output_id}):
        if content_hash:
            found[kind].add(content_hash)
    return frozenset(found["variant"]), frozenset(found["revoked"])


_HASHES: CompoundSelect[Any] = union_all(
    select(literal("variant").label("kind"), AcceptedVariant.file_hashes.label("hash")).where(
        AcceptedVariant.regression_test_output_id == bindparam("output_id")
    ),
    select(literal("revoked"), BaselineRevocation.file_hash).where(
        BaselineRevocation.output_id == bindparam("output_id")
    ),
)
