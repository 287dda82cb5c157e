"""The history of a sample: its regression tests from run to run."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import bindparam, exists, select

from database import fetch_value
from errors import NotFound
from mod_api.services import keyset, links
from mod_api.services.keyset import PageRequest
from mod_api.services.paging import Page
from mod_sample.models import Sample
from mod_test.history import reading
from mod_test.history.entries import Asked, Entry, HistoryFilter, tests_of

_IS_THERE = select(exists().where(Sample.id == bindparam("sample_id")))


@dataclass(slots=True)
class EntryView:
    """One regression test in one ended run as the API shows it."""

    run_id: int
    sample_id: int
    regression_id: int
    run_created_at: datetime
    commit_sha: str
    branch: str | None
    platform: str
    status: str
    runtime_ms: int | None
    runtime_median_ms: int | None
    runtime_ratio: float | None
    failure_signature: str | None
    failure_content: str | None
    links: dict[str, str]


@dataclass(frozen=True)
class Flakiness:
    """The flakiness of a regression test, and the number of results behind it."""

    regression_id: int
    flakiness: float
    results: int


def history(
    sample_id: int, wanted: HistoryFilter, window: PageRequest, *, base: str
) -> Page[EntryView]:
    """One page of a sample's history, newest run first, with the exact number of all entries that
    match and the flakiness of the tests on the page. Raises NotFound, and Invalid for the cursor.
    """
    place = keyset.place_of(
        window, kind="history", wanted={**asdict(wanted), "sample": sample_id}, keys=2
    )
    tests = of_sample = tests_of(sample_id)
    if not of_sample and not fetch_value(_IS_THERE, {"sample_id": sample_id}):
        raise NotFound("sample", sample_id)
    if wanted.regression_id is not None:
        tests = tuple(test for test in of_sample if test == wanted.regression_id)
    asked = Asked(
        wanted,
        tests,
        most=window.limit + 1,
        skipped=place.before_in_sql,
        behind=None if place.values is None else (place.values[0], place.values[1]),
    )
    found = reading.read(asked)
    page = place.page(found.entries, found.total, values_of=lambda entry: entry.place)
    shown = page.showing([_view(entry, sample_id, base) for entry in page.data])
    shown.more["flakiness"] = [
        Flakiness(test, *found.flakiness[test])
        for test in sorted({entry.regression_id for entry in page.data})
    ]
    return shown


def _view(entry: Entry, sample_id: int, base: str) -> EntryView:
    usual = entry.usual_ms
    ratio = None
    if usual and usual > 0 and entry.runtime_ms is not None:
        ratio = round(entry.runtime_ms / usual, 3)
    return EntryView(
        run_id=entry.run_id,
        sample_id=sample_id,
        regression_id=entry.regression_id,
        run_created_at=entry.created_at,
        commit_sha=entry.commit_sha,
        branch=entry.branch,
        platform=entry.platform,
        status=entry.status,
        runtime_ms=entry.runtime_ms,
        runtime_median_ms=None if usual is None else max(0, round(usual)),
        runtime_ratio=ratio,
        failure_signature=entry.failure.signature,
        failure_content=entry.failure.content,
        links=links.of_result(entry.run_id, entry.regression_id, sample_id, base),
    )
