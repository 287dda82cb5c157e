"""Regression tests as they are defined today: rows of the catalogue."""

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, literal, select, union_all

from database import fetch
from database.spans import among, is_among
from mod_regression.models import AcceptedVariant, RegressionTest, RegressionTestOutput


@dataclass(slots=True)
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
    shape, params = among("tests", regression_ids)
    rows = sorted(fetch(_outputs(shape), params), key=lambda row: (row.output_id, row.variant_id))
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


@functools.cache
def _outputs(shape: int) -> CompoundSelect[Any]:
    """The outputs of `tests` (`variant_id` 0), and their variants."""
    output = RegressionTestOutput
    of_tests = (is_among(output.regression_id, "tests", shape), output.id > 0)
    return union_all(
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
    )
