"""How the regression tests of a sample went from run to run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import exists, select

from database import db
from errors import NotFound
from mod_api.services import keyset, links
from mod_api.services.keyset import Key, Window
from mod_api.services.paging import Page, counting
from mod_regression.models import RegressionTest
from mod_sample.models import Sample
from mod_test import history_rows
from mod_test.flakiness import flakiness
from mod_test.history_rows import Entry, HistoryFilter
from mod_test.models import Run
from mod_test.result_rows import OutputRow, outputs_of
from mod_test.signatures import failure_signature

NEWEST_FIRST = (Key(Run.id, descending=True), Key(RegressionTest.id, descending=True))


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
    statement, params = history_rows.entries(sample_id, wanted)
    found = keyset.select_page(
        statement,
        NEWEST_FIRST,
        window,
        total=counting(statement),
        kind="history",
        wanted={**asdict(wanted), "sample": sample_id},
        params=params,
    )
    if not found.data and not db.session.scalar(select(exists().where(Sample.id == sample_id))):
        raise NotFound("sample", sample_id)
    rows = [history_rows.as_entry(row) for row in found.data]
    page = found.showing(_views(rows, base))
    page.more["flakiness"] = _flakiness(rows)
    return page


def _views(rows: Sequence[Entry], base: str) -> list[EntryView]:
    failing = [row.result.place for row in rows if row.result.status.is_failure]
    outputs = outputs_of(failing)
    before = history_rows.runtimes_before(rows)
    return [
        _view(row, earlier, outputs.get(row.result.place, []), base)
        for row, earlier in zip(rows, before, strict=True)
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


def _flakiness(rows: Sequence[Entry]) -> list[Flakiness]:
    tests = sorted({row.result.regression_id for row in rows})
    outcomes = history_rows.newest_outcomes(tests)
    return [Flakiness(test, flakiness(outcomes[test]), len(outcomes[test])) for test in tests]
