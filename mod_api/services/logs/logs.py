"""Logs of runs and of their tests: pages by a cursor that carries a byte offset, and the tail."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from config import Settings
from errors import Invalid, NotFound
from mod_api.services.logs import log_state
from mod_api.services.logs.log_sources import open_log, path_of
from mod_api.services.paging import Page as ApiPage
from mod_api.services.runs.runs import get_row
from mod_api.streaming.hub import RunState
from mod_sample.storage import Repository, log_key
from mod_test import catalogue, sets
from mod_test.cursors import BadCursor
from mod_test.logs import cursor as log_cursor
from mod_test.logs import follower_marker, index, pages
from mod_test.logs.filters import Filters
from mod_test.logs.legacy_line_levels import Level, Source
from mod_test.logs.lines import LogLine
from mod_test.logs.pages import Order, Page
from mod_test.logs.source import FileLog, LogSource
from mod_test.rollup.settle import settled_reading
from mod_test.run_rows import RunRow

OLD_WORKER = "The log of an old worker does not say which line belongs to which test."


@dataclass(frozen=True)
class Asked:
    """One question about one log; `samples` are those of regression tests."""

    run: RunRow
    state: RunState
    samples: Mapping[int, int]
    filters: Filters
    order: Order
    key: bytes

    def offset_in(self, cursor: str | None) -> int | None:
        """The byte offset in a cursor. Raises Invalid for one that is not of this question."""
        if cursor is None:
            return None
        try:
            return log_cursor.open_offset(
                cursor, run_id=self.run.run_id, order=self.order, filters=self.filters, key=self.key
            )
        except BadCursor as error:
            raise Invalid.fields(cursor="Is no cursor of this log and these filters.") from error

    def cursor_at(self, offset: int | None) -> str | None:
        if offset is None:
            return None
        return log_cursor.seal_offset(
            offset, run_id=self.run.run_id, order=self.order, filters=self.filters, key=self.key
        )


@dataclass(frozen=True)
class Line:
    """A line of a log as the API shows it."""

    line: LogLine
    run_id: int
    sample_id: int | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.line, name)


def read_run(
    run_id: int,
    *,
    settings: Settings,
    repository: Repository,
    limit: int,
    cursor: str | None = None,
    order: str = "asc",
    tail: int | None = None,
    **wanted: Any,
) -> ApiPage[Line]:
    """A page of a run's log. Raises NotFound (`run` or `log_not_found`), Invalid, Unavailable."""
    if tail is not None and (cursor is not None or order == "desc"):
        raise Invalid.fields(tail="Not together with cursor or order.")
    asked = _ask(run_id, settings, order, filters_of(**wanted))
    offset = asked.offset_in(cursor)

    def read(log: LogSource) -> Page:
        moment = asked.run.started_at or asked.run.created_at
        if tail is not None:
            return pages.read_tail(
                log, tail, started_at=moment, finished=asked.state.is_final, filters=asked.filters
            )
        return pages.read_page(
            log,
            limit=limit,
            started_at=moment,
            finished=asked.state.is_final,
            offset=offset,
            order=asked.order,
            filters=asked.filters,
        )

    return _read(asked, settings, repository, limit, read)


def read_test(
    run_id: int,
    regression_id: int,
    *,
    settings: Settings,
    repository: Repository,
    limit: int,
    cursor: str | None = None,
    order: str = "asc",
    **wanted: str | None,
) -> ApiPage[Line]:
    """A page of what one regression test of a run printed, by the index beside the log.

    Raises NotFound: the run, the test in it, or `log_not_found` where lines name no test.
    """
    asked = _ask(
        run_id, settings, order, filters_of(**wanted, regression_id=regression_id), regression_id
    )
    if not asked.run.attempts:
        raise NotFound(
            "log", regression_id, OLD_WORKER, code="log_not_found", run_id=run_id, checked=[]
        )
    offset = asked.offset_in(cursor)

    def read(log: LogSource) -> Page:
        moment = asked.run.started_at or asked.run.created_at
        with ExitStack() as stack:
            options: dict[str, Any] = {
                "limit": limit,
                "started_at": moment,
                "finished": asked.state.is_final,
                "offset": offset,
                "order": asked.order,
                "filters": asked.filters,
            }
            try:
                entries = FileLog.open(index.path_of(path_of(settings, run_id)))
            except OSError:  # the log is in the bucket, where it has no index
                return pages.read_page(log, **options)
            stack.enter_context(entries)
            return index.read_test_page(log, entries, regression_id, **options)

    return _read(asked, settings, repository, limit, read)


def raw(run_id: int, *, settings: Settings, repository: Repository) -> tuple[str, str]:
    """The name of a run's log in the storage, and what a client may call it.

    Raises NotFound (`run` or `log_not_found`).
    """
    with settled_reading():
        get_row(run_id)
    log = open_log(settings, repository, run_id, is_final=True)
    if isinstance(log, FileLog):
        log.close()
    return log_key(run_id), f"run-{run_id}.txt"


def filters_of(
    level: str | None = None,
    source: str | None = None,
    contains: str | None = None,
    regression_id: int | None = None,
) -> Filters:
    """Return the filters that a request's parameters ask for."""
    return Filters(
        Level(level) if level else None,
        Source(source) if source else None,
        contains or None,
        regression_id,
    )


def _ask(
    run_id: int, settings: Settings, order: str, filters: Filters, regression_id: int | None = None
) -> Asked:
    with settled_reading():
        run = get_row(run_id)
        if regression_id is not None and not sets.has_test(run, regression_id):
            raise NotFound("regression_test", regression_id, run_id=run_id)
        state = log_state.state_of(run)
        samples = catalogue.samples()
    asked_order: Order = "desc" if order == "desc" else "asc"
    return Asked(run, state, samples, filters, asked_order, settings.secret_key.encode())


def _read(
    asked: Asked,
    settings: Settings,
    repository: Repository,
    limit: int,
    read: Callable[[LogSource], Page],
) -> ApiPage[Line]:
    if not asked.state.is_final:
        follower_marker.note(path_of(settings, asked.run.run_id))
    log = open_log(settings, repository, asked.run.run_id, is_final=asked.state.is_final)
    if log is None:
        return _page(asked, limit, [], None, asked.cursor_at(0))
    try:
        found = read(log)
    finally:
        if isinstance(log, FileLog):
            log.close()
    run_id, samples = asked.run.run_id, asked.samples
    lines = [Line(line, run_id, samples.get(line.regression_id or 0)) for line in found.lines]
    return _page(
        asked, limit, lines, asked.cursor_at(found.next_offset), asked.cursor_at(found.position)
    )


def _page(
    asked: Asked, limit: int, lines: list[Line], following: str | None, resume: str | None
) -> ApiPage[Line]:
    pagination = {"limit": limit, "next_cursor": following, "resume_cursor": resume}
    return ApiPage(lines, pagination, {"finished": asked.state.is_final})
