"""Runs: listed, looked at, and waited for."""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from marshmallow import missing

from database import NO_ID, reading
from errors import NotFound
from mod_api.services import keyset, links
from mod_api.services.keyset import Key, Listing, PageRequest, Source
from mod_api.services.paging import Page
from mod_api.services.waiting import wait_for
from mod_test import repositories, run_lists, run_rows
from mod_test.counts import RunCounts
from mod_test.models import RunType
from mod_test.rollup import kept
from mod_test.run_counts import counts_of_run, counts_of_runs, with_errors
from mod_test.run_filters import RunFilter
from mod_test.run_rows import RunRow
from mod_test.verdict import RunStatus


@functools.lru_cache(maxsize=512)
def _listing(
    given: frozenset[str], sort: str, status: RunStatus | None, forks: int, is_quiet: bool
) -> Listing:
    name, down = sort.removeprefix("-"), sort.startswith("-")

    # The last key is unique, so that no two runs share a place.
    orders = [run_lists.SORTS[each] for each in dict.fromkeys((name, "run_id"))]
    of_kept = tuple(Key(order.kept, down, order.nullable) for order in orders)
    of_others = tuple(Key(order.derived, down, order.nullable) for order in orders)
    parts = run_lists.kept_sources(given, name, status=status, forks=forks)
    sources = [Source(runs, of_kept, is_joined=False) for runs in parts]
    if is_quiet:
        return Listing(tuple(sources), run_rows.shown_kept)
    sources.append(Source(run_lists.other_runs(given), of_others, is_joined=True))
    return Listing(tuple(sources), run_rows.shown)


@dataclass(slots=True)
class RunView(RunRow):
    """A run as the API shows it: `base` is what links begin with; `counts` is None where no summary
    was asked for."""

    base: str = ""
    has_errors: bool = False
    counts: dict[str, Any] | None = None

    @property
    def commit_short(self) -> str:
        return self.commit_sha[:8]

    @property
    def queued_at(self) -> datetime:
        return self.created_at

    @property
    def run_errors(self) -> str:
        if self.has_errors or self.infrastructure_errors:
            return "yes"
        return "no" if self.status.has_ended else "unknown"

    @property
    def github_link(self) -> str | None:
        """The page of its commit or pull request."""
        if "/" not in self.repository:
            return None
        page = f"commit/{self.commit_sha}"
        if self.test_type is RunType.pr and self.pull_request:
            page = f"pull/{self.pull_request}"
        return f"https://github.com/{self.repository}/{page}"

    @property
    def links(self) -> dict[str, str]:
        return links.of_run(self.run_id, self.base)

    @property
    def summary(self) -> Any:
        return missing if self.counts is None else self.counts


def get_row(run_id: int) -> RunRow:
    """A run's row. Raises NotFound."""
    row = run_rows.find(run_id)
    if row is None:
        raise NotFound("run", run_id)
    return row


def get(run_id: int, *, base: str) -> RunView:
    """One run. Raises NotFound."""
    rows = run_rows.rows_of([run_id])
    if not rows:
        raise NotFound("run", run_id)
    return _views(rows, base)[0]


def wait_for_change(run_id: int, seconds: float, *, known: RunStatus | None, most: int) -> None:
    """Wait until a run has ended or has another status than `known` (than now), but not longer.

    Raises NotFound, and Unavailable when `most` requests wait already.
    """
    seen = known

    def look() -> bool | None:
        nonlocal seen
        with reading():
            status = get_row(run_id).status
        seen = seen or status
        return True if status is not seen or status.has_ended else None

    wait_for(look, seconds, most=most)


def list_runs(
    wanted: RunFilter, *, sort: str, window: PageRequest, base: str, with_summary: bool = False
) -> Page[RunView]:
    """One page of runs with the exact number of all that match. Raises Invalid for the cursor."""
    params = wanted.params
    given = frozenset(params)
    ids = [] if wanted.repository is None else repositories.ids_of(wanted.repository)
    params |= {f"of_run_fork_{place}": fork_id for place, fork_id in enumerate(ids or [NO_ID])}
    chosen: dict[str, Any] = {"status": wanted.status, "forks": len(ids)}
    found = keyset.select_listed(
        _listing(given, sort, **chosen, is_quiet=kept.known().is_quiet),
        window,
        total=lambda: run_lists.total(given, params, **chosen),
        kind="runs",
        wanted={**asdict(wanted), "sort": sort},
        params=params,
    )
    return found.showing(_views(found.data, base, with_summary=with_summary))


def summary(run_id: int) -> dict[str, Any]:
    """A run's counts (docs/semantics.md, "Counts"). Raises NotFound."""
    run = get_row(run_id)
    return _summary(run, counts_of_run(run))


def _summary(run: RunRow, counts: RunCounts) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "total_samples": counts.total,
        "pass_count": counts.passed,
        "fail_count": counts.failed,
        "skipped_count": counts.skipped,
        "missing_output_count": counts.missing_output,
        "error_count": counts.errors,
        "infrastructure_error_count": run.infrastructure_errors,
        "duration_ms": run.duration_ms,
        "triggered_by": run.requested_by,
    }


def _views(rows: Sequence[Any], base: str, *, with_summary: bool = False) -> list[RunView]:
    views = [run_rows.as_run(row, RunView) for row in rows]
    counts = counts_of_runs(views) if with_summary else None
    failing = with_errors(views) if counts is None else set()
    for view in views:
        view.base = base
        if counts is None:
            view.has_errors = view.run_id in failing
        else:
            view.has_errors = counts[view.run_id].errors > 0
            view.counts = _summary(view, counts[view.run_id])
    return views
