"""One output of one result: what was expected, what came out, and how that reads."""

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, select

from database import fetch_first
from errors import NotFound
from mod_test import catalogue, verdict
from mod_test.models import ResultFile
from mod_test.output_hashes import Compared
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept, has_test, ids_of, members_of
from mod_test.verdict import OutputStatus


@dataclass(frozen=True)
class ComparedOutput(Compared):
    """An output that a regression test should produce, in one run.

    `correct` is its baseline today, `expected` that of the run's time, both as the tables have
    them; `got` is None where the output matched (`has_row`) or where there is none. `accepted` is
    every content that is accepted today, `variants` those beside the baseline.
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
    accepted: frozenset[str]
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
    def matched_variant(self) -> bool:
        """Return whether it is accepted, though not as the baseline."""
        return self.actual_hash in self.variants and self.actual_hash != self.correct


def find(run: RunRow, sample_id: int, regression_id: int, output_id: int) -> ComparedOutput:
    """An output of a run.

    Raises NotFound when the run has no such test, the test is of another sample, or it has no such
    output.
    """
    test = catalogue.definitions([regression_id]).get(regression_id)
    place = {"run_id": run.run_id, "regression_id": regression_id, "output_id": output_id}
    if are_kept([run]):
        in_set, file = has_test(run, regression_id), fetch_first(_FILE, place)
    else:
        row = fetch_first(_FILE_AND_SET, {**place, **ids_of([run])})
        in_set, file = row is not None, None if row is None or row.test_id is None else row
    if test is None or test.sample_id != sample_id or not in_set:
        raise NotFound("regression_test", regression_id)
    output = next((each for each in test.outputs if each.output_id == output_id), None)
    if output is None:
        raise NotFound("output", output_id)
    return ComparedOutput(
        run_id=run.run_id,
        sample_id=sample_id,
        regression_id=regression_id,
        output_id=output_id,
        extension=output.extension,
        expected_filename=output.expected_filename,
        correct=output.correct,
        has_row=file is not None,
        expected=None if file is None else file.expected,
        got=None if file is None else file.got,
        variants=frozenset(output.variants),
        accepted=output.accepted,
        revoked=output.revoked,
    )


_COLUMNS = ResultFile.test_id, ResultFile.expected, ResultFile.got
_IS_FILE = and_(
    ResultFile.test_id == bindparam("run_id"),
    ResultFile.regression_test_id == bindparam("regression_id"),
    ResultFile.regression_test_output_id == bindparam("output_id"),
)
_members = members_of(bindparam("ids", expanding=True), bindparam("live", expanding=True))
_of_set = _members.subquery("members")
_FILE = select(*_COLUMNS).where(_IS_FILE)
# The same of a run whose set is not kept: no row where it has no such test.
_FILE_AND_SET = (
    select(*_COLUMNS)
    .select_from(_of_set)
    .outerjoin(ResultFile, _IS_FILE)
    .where(_of_set.c.regression_id == bindparam("regression_id"))
)
