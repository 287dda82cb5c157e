"""Regression tests as they are defined today: rows of the catalogue."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, literal, select, union_all

from database import fetch
from mod_regression.models import AcceptedVariant, RegressionTest, RegressionTestOutput


@dataclass(frozen=True)
class DefinedOutput:
    """One file that a test should produce. Hashes are as the tables have them; `variants` are
    accepted beside `correct`."""

    output_id: int
    extension: str
    expected_filename: str | None
    ignored: bool
    correct: str | None
    variants: tuple[str, ...]


def definitions(*conditions: ColumnElement[bool]) -> Select[Any]:
    """The regression tests that have a sample and meet `conditions`, in no order."""
    return (
        select(
            RegressionTest.id,
            RegressionTest.sample_id,
            RegressionTest.command,
            RegressionTest.active,
            RegressionTest.input_type,
            RegressionTest.output_type,
            RegressionTest.expected_rc,
            RegressionTest.description,
        )
        .select_from(RegressionTest)
        .where(RegressionTest.sample_id.is_not(None), *conditions)
    )


def outputs_of(regression_ids: Collection[int]) -> dict[int, list[DefinedOutput]]:
    """The outputs of each test, by id, in one statement."""
    found: dict[int, list[DefinedOutput]] = {test_id: [] for test_id in regression_ids}
    if not found:
        return found
    rows = fetch(_OUTPUTS, {"tests": list(regression_ids)})
    variants: dict[int, list[str]] = {}
    for row in rows:
        if row.variant_id and row.hash:
            variants.setdefault(row.output_id, []).append(row.hash)
    for row in rows:
        if not row.variant_id:
            found[row.regression_id].append(
                DefinedOutput(
                    output_id=row.output_id,
                    extension=row.correct_extension,
                    expected_filename=row.expected_filename,
                    ignored=bool(row.ignore),
                    correct=row.hash,
                    variants=tuple(variants.get(row.output_id, ())),
                )
            )
    return found


def _outputs() -> Select[Any]:
    """The outputs of `tests`, each before its variants."""
    output = RegressionTestOutput
    tests: Any = bindparam("tests", expanding=True)
    of_tests = (output.regression_id.in_(tests), output.id > 0)
    every = union_all(
        select(
            output.id.label("output_id"),
            literal(0).label("variant_id"),
            output.regression_id,
            output.correct_extension,
            output.expected_filename,
            output.ignore,
            output.correct.label("hash"),
        ).where(*of_tests),
        select(
            output.id,
            AcceptedVariant.id,
            output.regression_id,
            output.correct_extension,
            output.expected_filename,
            output.ignore,
            AcceptedVariant.file_hashes,
        )
        .join(output, output.id == AcceptedVariant.regression_test_output_id)
        .where(*of_tests),
    ).subquery("outputs")
    return select(every).order_by(every.c.output_id, every.c.variant_id)


_OUTPUTS = _outputs()
