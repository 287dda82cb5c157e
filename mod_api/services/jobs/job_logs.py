"""Logs of jobs: pages, the file, and streams of either surface."""

from dataclasses import dataclass
from typing import Any

from flask import Flask

from config import Settings
from database import reading
from errors import Invalid
from mod_api.services.jobs import jobs
from mod_api.services.logs import log_state
from mod_api.services.logs.log_sources import StoredLog, key_of, open_log, path_of
from mod_api.services.logs.logs import filters_of
from mod_api.services.logs.streams import check_offset, checks, new_follower
from mod_api.services.paging import Page as ApiPage
from mod_api.streaming import frames
from mod_api.streaming.hub import RunState
from mod_api.streaming.job_log import FollowedByOriginal, FollowedJob
from mod_api.streaming.log_stream import Followed, LogStream
from mod_auth.accounts import Account
from mod_sample.storage import Repository
from mod_test.cursors import BadCursor
from mod_test.logs import cursor as log_cursor
from mod_test.logs import follower_marker, pages
from mod_test.logs.lines import LogLine
from mod_test.logs.pages import Order
from mod_test.logs.source import FileLog


@dataclass(frozen=True)
class JobLine:
    """A line of a job's log as the API shows it."""

    line: LogLine
    job_id: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.line, name)


def read(
    job_uuid: str,
    by: Account,
    *,
    settings: Settings,
    repository: Repository,
    limit: int,
    cursor: str | None = None,
    order: str = "asc",
    tail: int | None = None,
    **wanted: Any,
) -> ApiPage[JobLine]:
    """A page of a job's log. Raises NotFound (`job` or `log_not_found`), Invalid, Unavailable."""
    if tail is not None and (cursor is not None or order == "desc"):
        raise Invalid.fields(tail="Not together with cursor or order.")
    with reading():
        job = jobs.find(job_uuid, by, settings)
        state = _state(job_uuid)
    filters = filters_of(**wanted)
    asked_order: Order = "desc" if order == "desc" else "asc"
    sealing: dict[str, Any] = {
        "run_id": job_uuid,
        "order": asked_order,
        "filters": filters,
        "key": settings.secret_key.encode(),
    }
    try:
        offset = None if cursor is None else log_cursor.open_offset(cursor, **sealing)
    except BadCursor as error:
        raise Invalid.fields(cursor="Is no cursor of this log and these filters.") from error
    if not state.is_final:
        follower_marker.note(path_of(settings, job_uuid))
    log = open_log(settings, repository, job_uuid, is_final=state.is_final and job.attempts > 0)
    lines: list[LogLine] = []
    following, position = None, 0
    if log is not None:
        options: dict[str, Any] = {
            "started_at": job.started_at or job.created_at,
            "finished": state.is_final,
            "filters": filters,
        }
        try:
            if tail is not None:
                found = pages.read_tail(log, tail, **options)
            else:
                found = pages.read_page(
                    log, limit=limit, offset=offset, order=asked_order, **options
                )
        finally:
            if isinstance(log, FileLog):
                log.close()
        lines, following, position = found.lines, found.next_offset, found.position
    pagination = {
        "limit": limit,
        "next_cursor": None if following is None else log_cursor.seal_offset(following, **sealing),
        "resume_cursor": log_cursor.seal_offset(position, **sealing),
    }
    shown = [JobLine(line, job_uuid) for line in lines]
    return ApiPage(shown, pagination, {"finished": state.is_final})


def raw(
    job_uuid: str, by: Account, *, settings: Settings, repository: Repository
) -> tuple[str, str]:
    """The name of a job's log in the storage, and what a client may call it. Raises NotFound."""
    with reading():
        jobs.find(job_uuid, by, settings)
    log = open_log(settings, repository, job_uuid, is_final=True)
    if isinstance(log, FileLog):
        log.close()
    return key_of(job_uuid), f"job-{job_uuid}.txt"


def follow(
    job_uuid: str,
    by: Account,
    *,
    app: Flask,
    settings: Settings,
    repository: Repository,
    token_id: int | None,
    from_beginning: bool,
    last_event_id: str | None,
    as_original: bool = False,
    tells_id: bool = False,
    **wanted: Any,
) -> LogStream | None:
    """A stream of a job's log; None for a client that has had it all. A waiting job is waited for.

    Raises NotFound, Invalid for a `Last-Event-ID` behind the log's end, Unavailable.
    """
    with reading():
        job = jobs.find(job_uuid, by, settings)
    if last_event_id == frames.END:
        return None
    with new_follower(token_id, settings) as follower:
        with reading():
            state = _state(job_uuid)
        log = open_log(settings, repository, job_uuid, is_final=state.is_final and job.attempts > 0)
        offset = int(last_event_id) if last_event_id else 0 if from_beginning else None
        if last_event_id and offset:
            check_offset(log, offset)
        if isinstance(log, FileLog):
            log.close()
        moment = job.started_at or job.created_at
        filters = filters_of(**wanted)
        followed: Followed = FollowedJob(job_uuid, moment, filters, {})
        if as_original:
            followed = FollowedByOriginal(job_uuid, moment, filters, {}, tells_id)
        return LogStream(
            followed,
            path_of(settings, job_uuid),
            offset=offset,
            archived=log if isinstance(log, StoredLog) else None,
            checks=checks(app),
            follower=follower,
        )


def _state(job_uuid: str) -> RunState:
    return log_state.job_states([job_uuid])[job_uuid]
