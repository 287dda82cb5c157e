"""Streams: who may follow, from where, and how the loop asks the database meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

import metrics
from config import Settings
from database import reading
from errors import Invalid, Unavailable
from mod_api.services.logs import log_state
from mod_api.services.logs.log_sources import StoredLog, open_log, path_of
from mod_api.services.logs.logs import filters_of
from mod_api.services.runs.runs import get_row
from mod_api.streaming import frames
from mod_api.streaming.hub import Checks, RunState, Subject
from mod_api.streaming.log_stream import Followed, LogStream
from mod_api.streaming.stream import Follower
from mod_sample.storage import Repository
from mod_test import catalogue
from mod_test.logs.source import FileLog, LogSource
from mod_test.rollup.settle import settled_reading

RETRY_AFTER_SECONDS = 10


class StreamSlots:
    """The streams that this process serves; beyond the limit followers are sent away."""

    def __init__(self) -> None:
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, most: int) -> Callable[[], None]:
        """Take a place and return what gives it back. Raises Unavailable when all are taken."""
        with self._lock:
            if self._taken >= most:
                raise Unavailable(
                    "Too many streams are open. Try again.", retry_after=RETRY_AFTER_SECONDS
                )
            self._taken += 1
        metrics.streams.inc()
        return self._give_back

    def _give_back(self) -> None:
        with self._lock:
            self._taken -= 1
        metrics.streams.dec()


places = StreamSlots()


@contextmanager
def new_follower(token_id: int | None, settings: Settings) -> Iterator[Follower]:
    """A follower with a place, which is given back when what is done with it fails.

    Taken before anything is read, so that to be sent away costs little. Raises Unavailable.
    """
    release = places.take(settings.max_streams)
    try:
        yield Follower(token_id, settings.stream_keep_alive, release)
    except BaseException:
        release()
        raise


def checks(app: Flask) -> Checks:
    """Return the checks of runs, jobs and tokens that a loop makes outside of any request."""

    def run_states(subjects: list[Subject]) -> dict[Subject, RunState]:
        found: dict[Subject, RunState] = {}
        runs = [one for one in subjects if isinstance(one, int)]
        jobs = [one for one in subjects if isinstance(one, str)]
        with app.app_context():
            if runs:
                with settled_reading():
                    found.update((one, state) for one, state in log_state.states(runs).items())
            if jobs:
                with reading():
                    found.update((one, state) for one, state in log_state.job_states(jobs).items())
        return found

    def live_tokens(token_ids: list[int]) -> set[int]:
        with app.app_context(), reading():
            return log_state.live_tokens(token_ids)

    return Checks(run_states, live_tokens)


def has_seen_end(run_id: int, last_event_id: str | None) -> bool:
    """Return whether a client comes back after the last event. Raises NotFound."""
    if last_event_id != frames.END:
        return False
    with settled_reading():
        get_row(run_id)
    return True


def follow_log(
    run_id: int,
    *,
    app: Flask,
    settings: Settings,
    repository: Repository,
    token_id: int,
    from_beginning: bool,
    last_event_id: str | None,
    regression_id: int | None = None,
    **wanted: str | None,
) -> LogStream | None:
    """A stream of a run's log; None for a client that has had it all. A queued run is waited for.

    Raises NotFound, Invalid for a `Last-Event-ID` behind the log's end, Unavailable.
    """
    if has_seen_end(run_id, last_event_id):
        return None
    with new_follower(token_id, settings) as follower:
        with settled_reading():
            run = get_row(run_id)
            state = log_state.states([run_id])[run_id]
            samples = catalogue.samples()
        log = open_log(settings, repository, run_id, is_final=state.is_final)
        offset = int(last_event_id) if last_event_id else 0 if from_beginning else None
        if last_event_id and offset:
            check_offset(log, offset)
        if isinstance(log, FileLog):
            log.close()
        followed = Followed(
            run_id,
            run.started_at or run.created_at,
            filters_of(**wanted, regression_id=regression_id),
            samples,
        )
        return LogStream(
            followed,
            path_of(settings, run_id),
            offset=offset,
            archived=log if isinstance(log, StoredLog) else None,
            checks=checks(app),
            follower=follower,
        )


def check_offset(log: LogSource | None, offset: int) -> None:
    """No offset that we gave out is behind the log's end; which lines follow it is always clear."""
    if log is None or offset > log.size():
        raise Invalid.fields(**{"Last-Event-ID": "Is no id of an event of this log."})
