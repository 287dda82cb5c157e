"""How the regression tests of a sample went from run to run."""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Select, exists, select

from database import db
from errors import NotFound
from mod_api.services import keyset, links
from mod_api.services.keyset import Key, Listing, Source, Window
from mod_api.services.paging import Page
from mod_sample.models import Sample
from mod_test import history_rows
from mod_test.flakiness import flakiness
from mod_test.history_rows import Entry, HistoryFilter
from mod_test.past_results import Past, past_of
from mod_test.result_rows import OutputRow, outputs_of
from mod_test.signatures import failure_signature
from mod_test.verdict import ResultStatus


@dataclass(frozen=True)
class EntryView:
    """One regression test in one ended run as the API shows it."""

    entry: Entry
    runtime_median_ms: int | None
    runtime_ratio: float | None
    failure_signature: str | None
    links: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.entry.result, name)

    @property
    def run_created_at(self) -> datetime:
        return self.entry.created_at

    @property
    def commit_sha(self) -> str:
        return self.entry.commit_sha

    @property
    def branch(self) -> str | None:
        return self.entry.branch

    @property
    def platform(self) -> str:
        return self.entry.platform


@dataclass(frozen=True)
class Flakiness:
    """How flaky a regression test is, and of how many results that is made."""

    regression_id: int
    flakiness: float
    results: int


def history(sample_id: int, wanted: HistoryFilter, window: Window, *, base: str) -> Page[EntryView]:
    """One page of a sample's history, newest run first, with the exact number of all entries that
    match and the flakiness of the tests on the page. Raises NotFound, and Invalid for the cursor.
    """
    of_sample = tests = history_rows.tests_of(sample_id)
    if wanted.regression_id is not None:
        tests = [test for test in tests if test == wanted.regression_id]
    found = keyset.select_listed(
        _listing(frozenset(wanted.runs.params), wanted.result_status, len(tests)),
        window,
        kind="history",
        wanted={**asdict(wanted), "sample": sample_id},
        params=history_rows.params_of(wanted, tests),
    )
    if not of_sample and not db.session.scalar(select(exists().where(Sample.id == sample_id))):
        raise NotFound("sample", sample_id)
    rows = [history_rows.as_entry(row) for row in found.data]
    past = past_of(rows)
    page = found.showing(_views(rows, past, base))
    page.more["flakiness"] = [
        Flakiness(test, flakiness(outcomes), len(outcomes))
        for test, outcomes in past.outcomes.items()
    ]
    return page


@functools.lru_cache(maxsize=256)
def _listing(given: frozenset[str], status: ResultStatus | None, tests: int) -> Listing:
    def source(entries: tuple[Select[Any], Any, Any], *, is_joined: bool) -> Source:
        statement, *columns = entries
        keys = tuple(Key(column, descending=True) for column in columns)
        return Source(statement, keys, is_joined=is_joined)

    kept = [history_rows.kept_entries(given, status, place) for place in range(tests)]
    return Listing(
        sources=(
            source(history_rows.other_entries(given, status), is_joined=True),
            *(source(entries, is_joined=False) for entries in kept),
        ),
        shown=history_rows.shown,
        total=history_rows.counting(given, status),
    )


def _views(rows: Sequence[Entry], past: Past, base: str) -> list[EntryView]:
    outputs = outputs_of([row.result.place for row in rows if row.result.status.is_failure])
    return [
        _view(row, earlier, outputs.get(row.result.place, []), base)
        for row, earlier in zip(rows, past.runtimes, strict=True)
    ]


def _view(row: Entry, earlier: Sequence[int], outputs: Sequence[OutputRow], base: str) -> EntryView:
    result = row.result
    usual = median(earlier) if earlier else None
    ratio = None
    if usual and usual > 0 and result.runtime_ms is not None:
        ratio = round(result.runtime_ms / usual, 3)
    return EntryView(
        entry=row,
        runtime_median_ms=None if usual is None else max(0, round(usual)),
        runtime_ratio=ratio,
        failure_signature=failure_signature(result, outputs),
        links=links.of_result(result.run_id, result.regression_id, result.sample_id, base),
    )
