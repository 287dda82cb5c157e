"""Times of a run never go backwards, whichever clocks and precisions they were written by."""

from datetime import UTC, datetime, timedelta

import pytest

from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.mod_api.runs.asking import get, listed
from tests.runners import API, accepted, runner

CREATED = datetime(2026, 3, 1, 19, 18, 3, 123_000, tzinfo=UTC)
CUT = CREATED.replace(microsecond=0)  # as the given columns keep it on MariaDB
SHOWN = "2026-03-01T19:18:03.123Z"


def all_times(client, reader, run_id: int) -> list[str]:
    """The times of a run in the order in which they must be."""
    run = get(client, reader, run_id)
    events = [event["timestamp"] for event in get(client, reader, run_id, "/progress")["data"]]
    errors = get(client, reader, run_id, "/infrastructure-errors")["data"]
    stream = client.get(f"{API}/runs/{run_id}/events", headers=reader).text
    assert all(at in stream for at in events)
    assert events[0] == run["created_at"] == run["queued_at"]
    assert run["started_at"] in (None, *events)
    assert run["completed_at"] == events[-1]
    assert run["duration_ms"] is None or run["duration_ms"] >= 0
    assert all(error["occurred_at"] <= events[-1] for error in errors)
    assert events == sorted(events)
    started_at = run["started_at"] or run["created_at"]
    assert run["created_at"] <= started_at <= run["completed_at"]
    return events


@pytest.fixture
def everything() -> dict[str, str]:
    return factories.signed_in("admin", "runs:read", "runs:write", "system:read")


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize(
    ("offsets", "shown"),
    [
        ([0], [SHOWN]),
        ([0, 0], [SHOWN, SHOWN]),
        ([0, 0, 2], [SHOWN, SHOWN, "2026-03-01T19:18:05.000Z"]),
        ([-5, 10, 4], [SHOWN, "2026-03-01T19:18:13.000Z", "2026-03-01T19:18:13.000Z"]),
    ],
)
def test_no_event_is_shown_earlier_than_the_one_before(
    app, client, everything, offsets, shown, settled
) -> None:
    statuses = ["preparation", "testing", "canceled"][-len(offsets) :]
    run = factories.run(
        created_at=CREATED,
        progress=[
            (status, "no room", CUT + timedelta(seconds=offset))
            for status, offset in zip(statuses, offsets, strict=True)
        ],
    )
    if settled:
        with app.app_context():
            settle_marks()

    assert all_times(client, everything, run.id) == [SHOWN, *shown]


def test_a_run_canceled_at_once_does_not_end_before_it_began(app, client, everything) -> None:
    factories.regression_test()
    body = {"repository": "CCExtractor/ccextractor", "commit_sha": "a" * 40, "platform": "linux"}
    for _ in range(3):
        run_id = client.post(f"{API}/runs", json=body, headers=everything).json["run_id"]
        client.post(f"{API}/runs/{run_id}/cancel", headers=everything)

        assert len(all_times(client, everything, run_id)) == 2


def test_a_run_that_is_taken_at_once_does_not_start_before_it_was_created(
    app, client, everything
) -> None:
    test = factories.regression_test()
    body = {"repository": "CCExtractor/ccextractor", "commit_sha": "a" * 40, "platform": "linux"}
    client.post(f"{API}/runs", json=body, headers=everything)
    held = runner(client).claim()
    run = get(client, everything, held.run_id)
    (job,) = client.get(f"{API}/system/queue", headers=everything).json["data"]
    accepted(held.report(test.id))
    accepted(held.finish())

    assert run["created_at"] <= run["started_at"] == job["started_at"]
    assert len(all_times(client, everything, held.run_id)) == 3


@pytest.mark.parametrize("settled", [False, True])
def test_runs_are_sorted_by_the_start_that_is_shown(app, client, everything, settled) -> None:
    """The first was taken earlier by its own clock, but not before it was created."""
    second = factories.run(created_at=CREATED, progress=[("testing", "", CUT - timedelta(hours=1))])
    first = factories.run(created_at=CREATED - timedelta(minutes=9), progress=["testing"])
    if settled:
        with app.app_context():
            settle_marks()

    assert listed(client, everything, sort="started_at") == [first.id, second.id]
    assert listed(client, everything, sort="-started_at") == [second.id, first.id]
