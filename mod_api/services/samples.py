"""Media samples: listed, filtered, looked at with what is known of the file."""

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, select

from database import ASCII_LOWER, contains_text, exact, fetch, fetch_value, is_sha256
from database.spans import among, is_among
from errors import NotFound
from mod_api.services import links
from mod_api.services.media_info import media_info
from mod_api.services.paging import Page, counting, select_page
from mod_regression.models import RegressionTest
from mod_sample.models import Sample, Upload
from mod_sample.storage import Repository
from mod_sample.tags import has_tag
from mod_test import catalogue
from mod_test.rollup.settle import settled_reading
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

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        found: dict[str, Any] = {}
        if self.active is not None:
            found["of_active" if self.active else "of_inactive"] = True
        if self.name is not None:
            found["of_name"] = self.name.translate(ASCII_LOWER)
        if self.tag is not None:
            found["of_tag"] = self.tag
        if self.sha256 is not None:
            spellings = {self.sha256, self.sha256.lower(), self.sha256.upper()}
            found["of_sha256"] = sorted(spellings)
        if self.extension is not None:
            found["of_extension"] = self.extension
        return found


@dataclass(slots=True)
class SampleView:
    """A media sample as the API shows it."""

    sample_id: int
    sha256: str
    name: str
    extension: str
    status: str
    tags: tuple[str, ...]
    notes: str | None
    links: dict[str, str]


@dataclass(frozen=True)
class SampleDetail:
    """A media sample with what mediainfo said of it, and where that is stored."""

    sample: SampleView
    media_info: dict[str, Any]
    media_info_status: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sample, name)


def list_samples(wanted: SampleFilter, *, limit: int, offset: int, base: str) -> Page[SampleView]:
    """One page of samples by their ids, with the exact number of all that match.

    A sample without a valid hash is left out.
    """
    params = wanted.params
    rows = _rows(frozenset(params))

    def count() -> int:
        return fetch_value(counting(rows), params) or 0

    found = select_page(
        rows,
        [Sample.id],
        limit=limit,
        offset=offset,
        total=catalogue.remembered(("samples", wanted), count, is_asked=True),
        params=params,
    )
    return found.showing(_views(found.data, base))


def get_sample(sample_id: int, *, repository: Repository, base: str) -> SampleDetail:
    """One sample. Raises NotFound."""
    with settled_reading():
        rows = fetch(_rows(frozenset({"of_id"})), {"of_id": sample_id})
        if not rows:
            raise NotFound("sample", sample_id)
        (sample,) = _views(rows, base)
    tracks, status = media_info(repository, sample.sha256)
    return SampleDetail(sample, tracks, status.value)


@functools.cache
def _rows(given: frozenset[str]) -> Select[Any]:
    """Samples, where these names are among the parameters."""
    conditions: dict[str, Callable[[], ColumnElement[bool]]] = {
        "of_active": _is_used,
        "of_inactive": lambda: ~_is_used(),
        "of_name": lambda: contains_text(Sample.original_name, bindparam("of_name")),
        "of_tag": lambda: has_tag(Sample.id, bindparam("of_tag")),
        "of_sha256": lambda: Sample.sha.in_(bindparam("of_sha256", expanding=True)),
        "of_extension": lambda: exact(Sample.extension) == exact(bindparam("of_extension")),
        "of_id": lambda: Sample.id == bindparam("of_id"),
    }
    return (
        select(
            Sample.id,
            Sample.sha,
            Sample.original_name,
            Sample.extension,
            _is_used().label("active"),
        )
        .select_from(Sample)
        .where(is_sha256(Sample.sha), *(conditions[name]() for name in sorted(given)))
    )


def _is_used() -> ColumnElement[bool]:
    return exists().where(RegressionTest.sample_id == Sample.id, is_active())


def _views(rows: Sequence[Any], base: str) -> list[SampleView]:
    ids = [row.id for row in rows]
    tags, notes = catalogue.tags(ids), _notes(ids)
    return [_view(row, tags, notes, base) for row in rows]


def _view(
    row: Any, tags: dict[int, tuple[str, ...]], notes: dict[int, list[str]], base: str
) -> SampleView:
    return SampleView(
        sample_id=row.id,
        sha256=row.sha,
        name=row.original_name,
        extension=row.extension,
        status="active" if row.active else "inactive",
        tags=tags[row.id][:MOST_TAGS],
        notes=NOTES_BETWEEN.join(notes.get(row.id, [])) or None,
        links=links.of_sample(row.id, base),
    )


@functools.cache
def _noted(shape: int) -> Select[Any]:
    uploads = select(Upload.sample_id, Upload.notes).order_by(Upload.id)
    return uploads.where(is_among(Upload.sample_id, "samples", shape))


def _notes(sample_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the notes of those who uploaded the samples, oldest first."""
    found: dict[int, list[str]] = {}
    if not sample_ids:
        return found
    shape, params = among("samples", sample_ids)
    for sample_id, notes in fetch(_noted(shape), params):
        if sample_id is not None and notes.strip():
            found.setdefault(sample_id, []).append(notes.strip())
    return found
