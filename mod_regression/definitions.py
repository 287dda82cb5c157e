"""Regression tests as they are defined today, each with all that is read of it."""

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import CompoundSelect, func, literal, select, union_all

from database import fetch_values
from database.spans import among, is_among
from mod_regression.models import (
    AcceptedVariant,
    BaselineRevocation,
    Category,
    InputType,
    OutputType,
    RegressionTest,
    RegressionTestOutput,
    test_categories,
)
from mod_sample.models import Sample, Tag, sample_tags

TEST, OUTPUT, VARIANT, REVOKED, TAG, CATEGORY = range(6)
_INPUT_TYPES = {kind.value: kind for kind in InputType}
_OUTPUT_TYPES = {kind.value: kind for kind in OutputType}


@dataclass(frozen=True, slots=True)
class DefinedSample:
    """The sample of a test; `tags` by id."""

    sample_id: int
    sha: str | None
    extension: str
    name: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DefinedOutput:
    """One file that a test should produce. Hashes are as the tables have them: `variants`, by id,
    are accepted beside `correct`; the approval of those that are `revoked` was undone."""

    output_id: int
    extension: str
    expected_filename: str | None
    ignored: bool
    correct: str | None
    variants: tuple[str, ...]
    accepted: frozenset[str]
    revoked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Definition:
    """A regression test; `categories` and `outputs` by id. A type that is none of ours is None."""

    regression_id: int
    sample_id: int | None
    sample: DefinedSample | None
    command: str
    description: str | None
    active: bool
    input_type: InputType | None
    output_type: OutputType | None
    expected_rc: int | None
    categories: tuple[str, ...]
    outputs: tuple[DefinedOutput, ...]

    def __hash__(self) -> int:
        return self.regression_id  # hundreds of them are the key of something, and rarely others


def definitions_of(regression_ids: Collection[int]) -> dict[int, Definition]:
    """The definitions of those of these tests that there are, in one statement.

    A row is one JSON array: reading as many columns from the driver costs more than finding them.
    """
    if not regression_ids:
        return {}
    shape, params = among("tests", regression_ids)
    rows: list[list[Any]] = orjson.loads(f"[{','.join(fetch_values(_rows(shape), params))}]")
    found = _Read()
    for kind, of, place, *values in sorted(rows, key=lambda row: row[:3]):
        found.add(kind, of, place, values)
    return found.definitions()


class _Read:
    """The rows of some definitions, sorted by kind, by what they are of, and by their ids."""

    def __init__(self) -> None:
        self.tests: dict[int, list[Any]] = {}
        self.outputs: dict[int, list[tuple[int, list[Any]]]] = {}
        self.texts: dict[tuple[int, int], list[str]] = {}

    def add(self, kind: int, of: int, place: int, values: list[Any]) -> None:
        if kind == TEST:
            self.tests[of] = values
        elif kind == OUTPUT:
            self.outputs.setdefault(of, []).append((place, values))
        elif values[0] is not None:
            self.texts.setdefault((kind, of), []).append(values[0])

    def definitions(self) -> dict[int, Definition]:
        return {test_id: self._definition(test_id, row) for test_id, row in self.tests.items()}

    def _definition(self, test_id: int, row: list[Any]) -> Definition:
        sample_id, command, description, active, input_type, output_type, code, *sample = row
        return Definition(
            test_id, sample_id, self._sample(*sample), command, description,
            active is None or bool(active), _INPUT_TYPES.get(input_type),
            _OUTPUT_TYPES.get(output_type), code,
            self._of(CATEGORY, test_id),
            tuple(self._output(place, *values) for place, values in self.outputs.get(test_id, ())),
        )  # fmt: skip

    def _sample(
        self, sample_id: int | None, sha: str | None, extension: str, name: str
    ) -> DefinedSample | None:
        if sample_id is None:
            return None
        return DefinedSample(sample_id, sha, extension, name, self._of(TAG, sample_id))

    def _output(
        self,
        output_id: int,
        extension: str,
        expected_filename: str | None,
        ignored: int | None,
        correct: str | None,
    ) -> DefinedOutput:
        variants = self._of(VARIANT, output_id)
        accepted = frozenset(variants if correct is None else (correct, *variants))
        return DefinedOutput(
            output_id, extension, expected_filename, bool(ignored), correct,
            tuple(filter(None, variants)), accepted, frozenset(self._of(REVOKED, output_id)),
        )  # fmt: skip

    def _of(self, kind: int, of: int) -> tuple[str, ...]:
        return tuple(self.texts.get((kind, of), ()))


@functools.cache
def _rows(shape: int) -> CompoundSelect[Any]:
    """Of `tests`: each row its kind, what it is of, its own id, and what there is to know."""
    test, output, variant = RegressionTest, RegressionTestOutput, AcceptedVariant
    of_test = is_among(test.id, "tests", shape)
    of_output = (is_among(output.regression_id, "tests", shape), output.id > 0)

    def row(kind: int, *columns: Any) -> Any:
        return func.json_array(literal(kind), *columns)

    tests = (
        select(
            row(
                TEST, test.id, literal(0), test.sample_id, test.command, test.description,
                test.active, test.input_type, test.output_type, test.expected_rc,
                Sample.id, Sample.sha, Sample.extension, Sample.original_name,
            ).label("row")
        )
        .select_from(test)
        .outerjoin(Sample, Sample.id == test.sample_id)
        .where(of_test)
    )  # fmt: skip
    outputs = select(
        row(
            OUTPUT, output.regression_id, output.id, output.correct_extension,
            output.expected_filename, output.ignore, output.correct,
        )
    ).where(*of_output)  # fmt: skip
    variants = (
        select(row(VARIANT, output.id, variant.id, variant.file_hashes))
        .select_from(output)
        .join(variant, variant.regression_test_output_id == output.id)
        .where(*of_output)
    )
    revoked = (
        select(row(REVOKED, output.id, literal(0), BaselineRevocation.file_hash))
        .select_from(output)
        .join(BaselineRevocation, BaselineRevocation.output_id == output.id)
        .where(*of_output)
    )
    samples = select(test.sample_id).where(of_test).distinct().subquery("samples")
    tags = (
        select(row(TAG, sample_tags.c.sample_id, Tag.id, Tag.name))
        .select_from(samples)
        .join(sample_tags, sample_tags.c.sample_id == samples.c.sample_id)
        .join(Tag, Tag.id == sample_tags.c.tag_id)
    )
    of_category = test_categories.c.regression_id
    categories = (
        select(row(CATEGORY, of_category, Category.id, Category.name))
        .select_from(test_categories)
        .join(Category, Category.id == test_categories.c.category_id)
        .where(is_among(of_category, "tests", shape))
        .distinct()
    )
    return union_all(tests, outputs, variants, revoked, tags, categories)
