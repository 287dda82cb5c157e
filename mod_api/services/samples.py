"""Media samples: listed, filtered, looked at with what is known of the file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select

from database import contains, db, exact, is_sha256, reading
from errors import NotFound
from mod_api.services import links
from mod_api.services.media_info import media_info
from mod_api.services.paging import Page, select_page
from mod_regression.models import RegressionTest
from mod_sample.models import Sample, Upload
from mod_sample.storage import Repository
from mod_test.result_rows import Labels, has_tag, labels
from mod_test.sets import is_active

MOST_TAGS = 50
NOTES_BETWEEN = "\n\n"


@dataclass(frozen=True)
class SampleFilter:
    """Which samples are meant; None filters nothing. `active`: some active test uses it."""

    active: bool | None = None
    name: str | None = None
    tag: str | None = None
    sha256: str | None = None
    extension: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.active is not None:
            found.append(_is_used() if self.active else ~_is_used())
        if self.name is not None:
            found.append(contains(Sample.original_name, self.name))
        if self.tag is not None:
            found.append(has_tag(self.tag, Sample.id))
        if self.sha256 is not None:
            spellings = {self.sha256, self.sha256.lower(), self.sha256.upper()}
            found.append(Sample.sha.in_(spellings))
        if self.extension is not None:
            found.append(exact(Sample.extension) == exact(self.extension))
        return found


@dataclass(frozen=True)
class SampleView:
    """A media sample as the API shows it."""

    sample_id: int
    sha256: str
    name: str
    extension: str
    status: str
    tags: list[str]
    notes: str | None
    links: dict[str, str]


@dataclass(frozen=True)
class SampleDetail:
    """A media sample with what mediainfo said of it."""

    sample: SampleView
    media_info: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sample, name)


def list_samples(wanted: SampleFilter, *, limit: int, offset: int, base: str) -> Page[SampleView]:
    """One page of samples by their ids, with the exact number of all that match.

    A sample without a valid hash is left out.
    """
    found = select_page(_rows(*wanted.conditions()), [Sample.id], limit=limit, offset=offset)
    return found.showing(_views(found.data, base))


def get_sample(sample_id: int, *, repository: Repository, base: str) -> SampleDetail:
    """One sample. Raises NotFound."""
    with reading():
        rows = db.session.execute(_rows(Sample.id == sample_id)).all()
        if not rows:
            raise NotFound("sample", sample_id)
        (sample,) = _views(rows, base)
    return SampleDetail(sample, media_info(repository, sample.sha256))


def _rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            Sample.id,
            Sample.sha,
            Sample.original_name,
            Sample.extension,
            _is_used().label("active"),
        )
        .select_from(Sample)
        .where(is_sha256(Sample.sha), *conditions)
    )


def _is_used() -> ColumnElement[bool]:
    return exists().where(RegressionTest.sample_id == Sample.id, is_active())


def _views(rows: Sequence[Any], base: str) -> list[SampleView]:
    ids = [row.id for row in rows]
    found, notes = labels(ids, ()), _notes(ids)
    return [_view(row, found, notes, base) for row in rows]


def _view(row: Any, found: Labels, notes: dict[int, list[str]], base: str) -> SampleView:
    return SampleView(
        sample_id=row.id,
        sha256=row.sha,
        name=row.original_name,
        extension=row.extension,
        status="active" if row.active else "inactive",
        tags=found.tags.get(row.id, [])[:MOST_TAGS],
        notes=NOTES_BETWEEN.join(notes.get(row.id, [])) or None,
        links=links.of_sample(row.id, base),
    )


def _notes(sample_ids: Collection[int]) -> dict[int, list[str]]:
    """What those who uploaded samples noted, oldest first."""
    found: dict[int, list[str]] = {}
    if not sample_ids:
        return found
    rows = db.session.execute(
        select(Upload.sample_id, Upload.notes)
        .where(Upload.sample_id.in_(sample_ids))
        .order_by(Upload.id)
    )
    for sample_id, notes in rows:
        if sample_id is not None and notes.strip():
            found.setdefault(sample_id, []).append(notes.strip())
    return found
