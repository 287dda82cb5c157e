"""Putting the demo into an installation: its files into the storage, its rows into the tables."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from sqlalchemy import func, insert, or_, select

from database import db
from demo.content.model import Demo, DemoOutput, DemoSample, DemoTest
from errors import Conflict
from mod_regression.models import (
    AcceptedVariant,
    Category,
    InputType,
    OutputType,
    RegressionTest,
    RegressionTestOutput,
    test_categories,
)
from mod_sample.models import Sample, Tag, Upload, sample_tags
from mod_sample.storage import (
    Located,
    Repository,
    StorageStatus,
    media_info_key,
    result_key,
    sample_key,
)

CATEGORIES = {
    "Line 21": "CEA-608 captions, as broadcast in line 21 or kept in a QuickTime track.",
    "Teletext": "European teletext subtitles in a transport stream.",
    "Text tracks in containers": "SubRip, WebVTT, SubStation Alpha and timed text in a container.",
    "Options and errors": "What the options change, and what cannot be done.",
}


def store_files(demo: Demo, repository: Repository) -> None:
    """Keep every file of the demo; rows may name them from then on. Raises StorageError."""
    files = {}
    for sample in demo.samples:
        files[sample_key(sample.sha256, sample.extension)] = sample.path
    for test in demo.tests:
        for output in test.outputs:
            for path in (output.expected, *output.variants):
                files[result_key(path.stem, output.extension)] = path
    described = {media_info_key(sample.sha256): sample.media_info for sample in demo.samples}
    known = repository.locate([*files, *described])
    for key, path in files.items():
        if not _is_kept(known[key], path.stat().st_size):
            repository.put(key, path)
    for key, text in described.items():
        if not _is_kept(known[key], len(text.encode())):
            repository.put(key, BytesIO(text.encode()), "application/xml")


def _is_kept(where: Located, size: int) -> bool:
    return where.storage_status is StorageStatus.OK and where.size == size


def insert_rows(demo: Demo) -> int:
    """Insert what is missing of the demo's samples and regression tests; how many tests it was.

    What is there stays as it is: its baselines may have been approved since. Raises Conflict on
    an installation with regression tests of its own, which every run would execute, too.
    """
    samples = {sample.name: _sample_id(sample) for sample in demo.samples}
    foreign = db.session.scalar(
        select(func.count())
        .select_from(RegressionTest)
        .where(
            or_(
                RegressionTest.sample_id.is_(None),
                RegressionTest.sample_id.not_in(samples.values()),
            )
        )
    )
    if foreign:
        raise Conflict(f"There are {foreign} regression tests that are not the demo's.")
    categories = {
        name: _id_of(Category, Category.name, name, description=text)
        for name, text in CATEGORIES.items()
    }
    return sum(_insert_test(test, samples[test.sample], categories) for test in demo.tests)


def _sample_id(sample: DemoSample) -> int:
    found: int | None = db.session.scalar(select(Sample.id).where(Sample.sha == sample.sha256))
    if found is not None:
        return found
    made = Sample(sha=sample.sha256, extension=sample.extension, original_name=sample.name)
    db.session.add(made)
    db.session.flush()
    upload = Upload(sample_id=made.id, platform="linux", parameters="", notes=sample.notes)
    db.session.add(upload)
    tags = [_id_of(Tag, Tag.name, name) for name in sample.tags]
    _insert_pairs(sample_tags, ({"sample_id": made.id, "tag_id": tag_id} for tag_id in tags))
    return made.id


def _insert_test(test: DemoTest, sample_id: int, categories: dict[str, int]) -> bool:
    known = select(RegressionTest.id).where(
        RegressionTest.sample_id == sample_id,
        RegressionTest.command == test.command,
        RegressionTest.description == test.description,
    )
    if db.session.scalar(known) is not None:
        return False
    made = RegressionTest(
        sample_id=sample_id,
        command=test.command,
        description=test.description,
        input_type=InputType(test.input_type),
        output_type=OutputType(test.output_type),
        expected_rc=test.expected_exit_code,
        active=True,
    )
    db.session.add(made)
    db.session.flush()
    _insert_pairs(
        test_categories,
        ({"regression_id": made.id, "category_id": categories[name]} for name in test.categories),
    )
    for output in test.outputs:
        _insert_output(output, made.id)
    return True


def _insert_output(output: DemoOutput, regression_id: int) -> None:
    made = RegressionTestOutput(
        regression_id=regression_id,
        correct=output.expected.stem,
        correct_extension=output.extension,
        expected_filename=output.suffix,
        ignore=output.ignore,
    )
    db.session.add(made)
    db.session.flush()
    db.session.add_all(
        AcceptedVariant(file_hashes=variant.stem, regression_test_output_id=made.id)
        for variant in output.variants
    )
    db.session.flush()


def _id_of(kind: type[Any], column: Any, name: str, **values: str) -> int:
    """The id of the category or tag of this name, which is added where it is missing."""
    found: int | None = db.session.scalar(select(kind.id).where(column == name))
    if found is None:
        made = kind(name=name, **values)
        db.session.add(made)
        db.session.flush()
        found = made.id
    return found


def _insert_pairs(table: Any, pairs: Iterable[dict[str, int]]) -> None:
    rows = list(pairs)
    if rows:
        db.session.execute(insert(table), rows)
