"""Metrics from the database: the queue, runs by status, lost leases, the outbox.

Asked when Prometheus asks, in a few statements whose cost does not grow with the results.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import String, bindparam, case, func, select, type_coerce, union
from sqlalchemy.exc import SQLAlchemyError

import metrics
from database import epoch_ms, fetch, utc_now
from mod_api.services.system.probe import Probe
from mod_ci import lost_leases
from mod_ci.open_runs import among
from mod_job.models import Job, JobState
from mod_outbox import outbox
from mod_test.models import Platform, Run, RunRecord, TestStatus
from mod_test.rollup.kept import CONCERNED, IS_KEPT
from mod_test.rollup.settle import settled_reading
from mod_test.rollup.tables import OpenRun, RunRollup
from mod_test.run_rows import Last
from mod_test.verdict import RunStatus, status_of_run, waits

# Of so many runs that have ended and are not rolled up, the verdict is derived.
MOST_DERIVED = 200
UNSETTLED = "unsettled"
# A database that hangs must not keep Prometheus, which waits for 10 s, from all other metrics.
MOST_SECONDS = 5.0


@dataclass(frozen=True)
class State:
    """Per platform how many runs wait and for how many seconds the oldest has; runs by status."""

    waiting: dict[str, int]
    oldest_seconds: dict[str, float]
    runs: dict[str, int]
    lost_leases: dict[str, int]
    jobs: dict[str, int]
    oldest_job_seconds: float
    waiting_messages: int
    oldest_message_seconds: float
    tries: dict[str, int]


def probe(app: Flask) -> Probe[State]:
    """Return the probe of the database of `app`."""

    def ask() -> State:
        with app.app_context(), settled_reading():
            return state(app.extensions["settings"].ci_container_prefix)

    return Probe("metrics", ask)


def exposition(database: Probe[State]) -> bytes:
    """All metrics of this host's processes, and what the database knows, as Prometheus reads them.

    A database that does not answer takes only its own metrics with it.
    """
    return metrics.exposition(_Asked(database))


def state(namespace: str = "") -> State:
    """Return the metrics of this moment, of jobs those of `namespace`.

    Begin a reading unit of work before.
    """
    platforms = [platform.value for platform in Platform]
    waiting = dict.fromkeys(platforms, 0)
    oldest = dict.fromkeys(platforms, 0.0)
    runs: dict[str, int] = {status.value: 0 for status in RunStatus} | {UNSETTLED: 0}
    for status, count in fetch(KEPT):
        runs[status] += count
    for platform, status, count, age_ms in fetch(OTHERS_BY_STATE):
        runs[status] += count
        if status == RunStatus.queued:
            waiting[platform.value] += count
            oldest[platform.value] = max(0.0, float(age_ms) / 1000)
    if 0 < runs[UNSETTLED] <= MOST_DERIVED:
        runs[UNSETTLED] = 0
        for status, count in fetch(DERIVED):
            runs[status] += count
    lost = dict.fromkeys(platforms, 0) | lost_leases.counts()
    jobs: dict[str, int] = dict.fromkeys(["queued", "running"], 0)
    oldest_job = 0.0
    for state_of_job, count, age_ms in fetch(JOBS_BY_STATE, {"namespace": namespace}):
        jobs[state_of_job] += count
        if state_of_job == JobState.queued:
            oldest_job = max(0.0, float(age_ms) / 1000)
    messages = outbox.waiting()
    return State(
        waiting,
        oldest,
        runs,
        lost,
        jobs,
        oldest_job,
        waiting_messages=messages.count,
        oldest_message_seconds=max(0.0, float(messages.oldest_ms or 0) / 1000),
        tries=outbox.counts_of_tries(),
    )


class _Asked(Collector):
    """Asks the database at each scrape."""

    def __init__(self, database: Probe[State]) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        answers = GaugeMetricFamily(
            "ci_database_answers", "Whether the database answered for these metrics.", value=0
        )
        try:
            found = self._database.begin().result(timeout=MOST_SECONDS)
        except (SQLAlchemyError, TimeoutError):
            yield answers
            return
        answers.samples.clear()
        answers.add_metric([], 1)
        yield answers
        yield _by(
            GaugeMetricFamily(
                "ci_queue_waiting_runs", "Runs that wait for a runner.", labels=["platform"]
            ),
            found.waiting,
        )
        yield _by(
            GaugeMetricFamily(
                "ci_queue_oldest_wait_seconds",
                "How long the run that waits longest has existed; 0 when none waits.",
                labels=["platform"],
            ),
            found.oldest_seconds,
        )
        yield _by(
            GaugeMetricFamily(
                "ci_queue_depth", "Runs or jobs that wait for a runner.", labels=["kind"]
            ),
            {"run": sum(found.waiting.values()), "job": found.jobs[JobState.queued.value]},
        )
        yield _by(
            GaugeMetricFamily(
                "ci_queue_oldest_seconds",
                "How long the run or job that waits longest has existed; 0 when none waits.",
                labels=["kind"],
            ),
            {"run": max(found.oldest_seconds.values()), "job": found.oldest_job_seconds},
        )
        yield GaugeMetricFamily(
            "ci_jobs_running", "Jobs that runners hold.", value=found.jobs[JobState.running.value]
        )
        yield GaugeMetricFamily(
            "ci_outbox_depth",
            "Messages to webhooks that are not delivered yet.",
            value=found.waiting_messages,
        )
        yield GaugeMetricFamily(
            "ci_outbox_oldest_seconds",
            "How old the oldest of them is; 0 when there is none.",
            value=found.oldest_message_seconds,
        )
        yield _by(
            GaugeMetricFamily(
                "ci_webhook_tries_last_hour",
                "Tries to deliver a message in the last hour, by what came of them.",
                labels=["outcome"],
            ),
            found.tries,
        )
        yield _by(GaugeMetricFamily("ci_runs", "Runs by status.", labels=["status"]), found.runs)
        yield _by(
            CounterMetricFamily(
                "ci_lease_expiries",
                "Leases that ran out and were written down.",
                labels=["platform"],
            ),
            found.lost_leases,
        )


def _by(
    family: GaugeMetricFamily | CounterMetricFamily, values: dict[str, int] | dict[str, float]
) -> Metric:
    for label, value in values.items():
        family.add_metric([label], value)
    return family


# Composed once.
KEPT = (
    select(RunRollup.status, func.count())
    .where(IS_KEPT, RunRollup.set_id.is_not(None))
    .group_by(RunRollup.status)
)
# Every run that has not ended, kept or not, and those that are not kept.
OTHERS = union(
    select(OpenRun.test_id), select(Run.id.label("test_id")).where(Run.id.in_(CONCERNED))
).subquery("others")
_STATE = case(
    (Last.id.is_(None), RunStatus.queued.value),
    (Last.status == TestStatus.canceled, RunStatus.canceled.value),
    (Last.status == TestStatus.completed, UNSETTLED),
    (waits(Last), RunStatus.queued.value),
    else_=RunStatus.running.value,
)
OTHERS_BY_STATE = among(
    OTHERS,
    Run.platform,
    _STATE.label("state"),
    func.count(),
    epoch_ms(utc_now()) - epoch_ms(func.min(RunRecord.created_at)),
).group_by(Run.platform, "state")
DERIVED = (
    among(OTHERS, status_of_run(Last).label("verdict"), func.count())
    .where(Last.status == TestStatus.completed)
    .group_by("verdict")
)
# One whose lease has expired waits again, though nobody may have written that down.
_STATE_OF_JOB = case(
    (Job.lease_expires_at < utc_now(), JobState.queued.value), else_=type_coerce(Job.state, String)
)
JOBS_BY_STATE = (
    select(
        _STATE_OF_JOB.label("shown_state"),
        func.count(),
        epoch_ms(utc_now()) - epoch_ms(func.min(Job.created_at)),
    )
    .where(
        Job.namespace == bindparam("namespace"), Job.state.in_([JobState.queued, JobState.running])
    )
    .group_by("shown_state")
)
