"""Random histories of jobs: shares agree with a recount, and nobody waits behind a crowd."""

import itertools
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from database import db, reading, writing
from mod_job import shares, state
from mod_job.models import Conclusion, Job, JobShare, JobState
from tests.raw import Raw

ACCOUNTS = (1, 2, 3)
NAMESPACES = ("", "other_")
MOST_RUNNING = 2
LEASE = timedelta(hours=1)
number = st.integers(0, 30)

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("submit"), st.sampled_from(ACCOUNTS), st.sampled_from(NAMESPACES),
            st.integers(3, 6),
        ),
        st.tuples(st.just("claim"), st.sampled_from(NAMESPACES)),
        st.tuples(st.just("finish"), number),
        st.tuples(st.just("lose"), number),
        st.tuples(st.just("give back"), number),
        st.tuples(st.just("cancel"), number),
        st.tuples(st.just("priority"), number, st.integers(0, 9)),
    ),
    max_size=40,
)  # fmt: skip


class History:
    """Jobs as this test knows them: what it did is compared with what is written down."""

    def __init__(self) -> None:
        self.jobs: list[int] = []
        self.ends: dict[int, int] = defaultdict(int)

    def job(self, place: int) -> int | None:
        return self.jobs[place % len(self.jobs)] if self.jobs else None

    def do(self, step: tuple[Any, ...]) -> None:
        kind, *more = step
        with writing():
            getattr(self, kind.replace(" ", "_"))(*more)

    def submit(self, account: int, namespace: str, priority: int) -> None:
        job = state.submit(
            account, state.new_uuid(), namespace=namespace, spec={}, source_sha256="0" * 64,
            source_bytes=1, priority=priority, most_running=MOST_RUNNING,
        )  # fmt: skip
        self.jobs.append(job.id)

    def claim(self, namespace: str) -> None:
        """Take what a claim takes: the first open job in the queue's order."""
        job_id = db.session.scalar(
            select(Job.id)
            .where(Job.namespace == namespace, Job.state == JobState.queued, ~Job.is_held)
            .order_by(*shares.IN_ORDER)
            .limit(1)
        )
        if job_id is not None:
            found = state.lock(job_id)
            assert found is not None
            state.start(*found, attempt_id=1, lease=LEASE, runner="runner-1")

    def finish(self, place: int) -> None:
        self._end(place, JobState.running, Conclusion.success)

    def cancel(self, place: int) -> None:
        self._end(place, None, Conclusion.canceled)

    def lose(self, place: int) -> None:
        self._requeue(place, is_lost=True)

    def give_back(self, place: int) -> None:
        self._requeue(place, is_lost=False)

    def priority(self, place: int, priority: int) -> None:
        found = self._locked(place)
        if found is not None and found[0].state is JobState.queued:
            state.reprioritize(*found, priority, by=1)

    def _end(self, place: int, only: JobState | None, conclusion: Conclusion) -> None:
        found = self._locked(place)
        if found is not None and only in (None, found[0].state):
            self.ends[found[0].id] += state.end(*found, conclusion, why="It ended.")

    def _requeue(self, place: int, *, is_lost: bool) -> None:
        found = self._locked(place)
        if found is not None and found[0].state is JobState.running:
            goes_on = state.requeue(*found, "Lost.", is_lost=is_lost, attempt_id=1)
            self.ends[found[0].id] += not goes_on

    def _locked(self, place: int) -> tuple[Job, JobShare] | None:
        job_id = self.job(place)
        return None if job_id is None else state.lock(job_id)


def check(history: History) -> None:
    """Hold every share against a recount, and every queue against its order."""
    with reading():
        rows = db.session.execute(select(Job.__table__)).all()
        known = {
            (row.account_id, row.namespace): row
            for row in db.session.execute(select(JobShare.__table__))
        }
    for key, of_share in itertools.groupby(
        sorted(rows, key=lambda row: (row.account_id, row.namespace)),
        key=lambda row: (row.account_id, row.namespace),
    ):
        own = list(of_share)
        running = [row for row in own if row.state is JobState.running]
        waiting = sorted(
            (row for row in own if row.state is JobState.queued),
            key=lambda row: (row.priority, row.share_tag, row.id),
        )
        assert (known[key].queued, known[key].running) == (len(waiting), len(running))
        room = max(0, MOST_RUNNING - len(running))
        assert [row.is_held for row in waiting] == [at >= room for at in range(len(waiting))]
        tags = [row.share_tag for row in waiting]
        assert len(set(tags)) == len(tags)
        assert all(tag < known[key].finish_tag for tag in tags)
    ended = {row.id for row in rows if row.state is JobState.ended}
    assert ended == {job_id for job_id, times in history.ends.items() if times}
    assert set(history.ends.values()) <= {0, 1}


def forget(app: Flask) -> None:
    with app.app_context(), writing():
        for table in ("job_event", "job", "job_share"):
            db.session.execute(db.text(f"DELETE FROM {table}"))
        db.session.execute(db.text("UPDATE job_clock SET now_tag = 0"))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_shares_agree_with_a_recount(app: Flask, steps: list[tuple[Any, ...]]) -> None:
    forget(app)
    history = History()
    with app.app_context():
        for step in steps:
            history.do(step)
            check(history)


def test_two_accounts_get_their_turns_whoever_came_first(app: Flask, raw: Raw) -> None:
    history = History()
    with app.app_context():
        for account in (1,) * 20 + (2,) * 5:
            history.do(("submit", account, "", 5))
        for _ in range(8):
            history.do(("claim", ""))
            history.do(("finish", next_running(raw, history)))
    order = [account for (account,) in raw.execute(STARTED)]

    assert order == [1, 2, 1, 2, 1, 2, 1, 2]


STARTED = "SELECT account_id FROM job WHERE started_at IS NOT NULL ORDER BY started_at, id"


def next_running(raw: Raw, history: History) -> int:
    ((job_id,),) = raw.execute("SELECT id FROM job WHERE state = 'running'")
    return history.jobs.index(job_id)


def test_a_canceled_job_gives_its_share_back(app: Flask, raw: Raw) -> None:
    history = History()
    with app.app_context():
        for account in (1, 1, 1, 2):
            history.do(("submit", account, "", 5))
        history.do(("cancel", 0))
        history.do(("submit", 1, "", 5))

    tags = raw.execute("SELECT share_tag FROM job WHERE state = 'queued' ORDER BY id")
    assert tags == [(0.0,), (1.0,), (0.0,), (2.0,)]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_queues_of_two_namespaces_do_not_wait_for_each_other(
    app: Flask, raw: Raw, namespace: str
) -> None:
    history = History()
    with app.app_context():
        for one in NAMESPACES * 3:
            history.do(("submit", 1, one, 5))
        history.do(("claim", namespace))
        history.do(("claim", namespace))
        history.do(("claim", namespace))

    running = raw.execute("SELECT namespace FROM job WHERE state = 'running'")
    assert running == [(namespace,)] * MOST_RUNNING
