"""Values computed from the rollup are cached while they hold, and not a moment longer."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database import snapshot_notes, writing
from mod_test.rollup import kept, memory, rebuild, triggers
from mod_test.rollup.settle import begin_generation, settled_reading
from tests import factories
from tests.raw import Raw


class Counted:
    """Something to compute, and how often that was done."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return self.calls


@pytest.fixture
def remembered(app: Flask) -> Callable[..., Any]:
    def ask(compute: Counted, **options: Any) -> int:
        with app.app_context(), settled_reading():
            return memory.remembered(kept.known(), "key", compute, **options)

    return ask


def test_a_value_is_computed_once_for_a_version(remembered, settled) -> None:
    factories.run(progress=["testing", "completed"])
    settled()
    compute = Counted()

    assert [remembered(compute), remembered(compute)] == [1, 1]

    factories.run(progress=["testing", "completed"])
    settled()
    assert [remembered(compute), remembered(compute)] == [2, 2]


def test_nothing_is_remembered_while_a_mark_waits(raw: Raw, remembered, settled) -> None:
    run = factories.run(progress=["testing", "completed"])
    settled()
    compute = Counted()
    remembered(compute)
    raw.execute("UPDATE test SET branch = 'other' WHERE id = ?", (run.id,))

    assert [remembered(compute), remembered(compute)] == [2, 3]
    assert remembered(compute, also_marked=True) == 1  # of what is kept nothing has changed


def test_nothing_is_remembered_while_a_run_is_gone_whose_rows_went_with_it(
    raw: Raw, remembered, settled
) -> None:
    """The version is still that of when they were there."""
    runs = [factories.run(progress=["testing", "completed"]) for _ in range(2)]
    settled()
    compute = Counted()
    remembered(compute, also_marked=True)
    raw.execute("DELETE FROM test WHERE id = ?", (runs[0].id,))

    assert [remembered(compute, also_marked=True) for _ in range(2)] == [2, 3]


def test_another_generation_forgets_all(app: Flask, remembered, settled) -> None:
    settled()
    compute = Counted()
    remembered(compute)
    with app.app_context(), writing():
        begin_generation(marks_are_made=True)

    assert remembered(compute) == 2


def test_a_note_holds_until_its_run_or_an_older_one_changes(
    app: Flask, raw: Raw, settled: Callable[[], None]
) -> None:
    older, run, newer = (factories.run(progress=["testing", "completed"]) for _ in range(3))
    settled()

    def recalled() -> dict[str, Any]:
        with app.app_context(), settled_reading():
            return memory.recalled(kept.known(), {"key": run.id})

    def note() -> None:
        with app.app_context(), settled_reading():
            memory.note(kept.known(), [("key", run.id, "value")])

    def touch(touched: factories.RunRow) -> None:
        raw.execute("UPDATE test SET branch = 'other' WHERE id = ?", (touched.id,))

    note()
    assert recalled() == {"key": "value"}
    touch(newer)
    assert recalled() == {"key": "value"}
    settled()
    assert recalled() == {"key": "value"}
    for changed in (older, run):
        raw.execute("UPDATE test SET branch = 'master' WHERE id = ?", (changed.id,))
        settled()
        note()
        touch(changed)
        assert recalled() == {}
        note()  # not while a mark may concern it
        assert recalled() == {}
        settled()
        assert recalled() == {}


def test_a_run_that_goes_on_is_kept_and_its_lease_ends_by_itself(
    app: Flask, client: FlaskClient, raw: Raw, settled: Callable[[], None]
) -> None:
    headers = factories.signed_in("contributor", "runs:read")
    run = factories.run(progress=["preparation", "testing"], tests=[factories.regression_test()])
    raw.execute(
        "UPDATE run_record SET lease_expires_at = '2999-01-01 00:00:00', held_progress_id ="
        " (SELECT MAX(id) FROM test_progress WHERE test_id = ?) WHERE test_id = ?",
        (run.id, run.id),
    )
    settled()

    def shown(query: str) -> list[tuple[int, str]]:
        data = client.get(f"/api/v1/runs?{query}", headers=headers).get_json()["data"]
        return [(row["run_id"], row["status"]) for row in data]

    assert raw.execute("SELECT status, set_id FROM run_rollup") == [("running", None)]
    assert shown("") == shown("status=running") == [(run.id, "running")]

    raw.execute("UPDATE run_record SET lease_expires_at = '2020-01-01 00:00:00'")
    assert raw.execute("SELECT COUNT(*) FROM rollup_mark") == [(0,)]
    assert shown("") == shown("status=queued") == [(run.id, "queued")]
    assert shown("status=running") == []

    ended = factories.run(progress=["canceled"])  # whose mark waits
    assert shown("") == [(ended.id, "canceled"), (run.id, "queued")]
    assert shown("status=queued") == [(run.id, "queued")]
    assert shown("status=running") == []


def test_a_rebuild_without_the_right_to_triggers_derives_runs_that_go_on_again(
    app: Flask,
    client: FlaskClient,
    settled: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = factories.signed_in("contributor", "runs:read")
    run = factories.run(progress=["testing"])
    settled()
    monkeypatch.setattr(triggers, "create", lambda connection: False)
    with app.app_context():
        assert not rebuild.prepare()

    data = client.get("/api/v1/runs", headers=headers).get_json()["data"]
    assert [row["run_id"] for row in data] == [run.id]


def test_a_run_that_is_stamped_after_its_mark_was_settled_is_there(
    app: Flask, client: FlaskClient, raw: Raw, settled: Callable[[], None]
) -> None:
    headers = factories.signed_in("contributor", "runs:read")
    run = factories.run()
    raw.execute("DELETE FROM run_record WHERE test_id = ?", (run.id,))
    settled()
    raw.execute(
        "INSERT INTO run_record (test_id, created_at, attempts, lost_attempts, failed_attempts)"
        " VALUES (?, '2026-01-01 00:00:00', 0, 0, 0)",
        (run.id,),
    )

    assert client.get(f"/api/v1/runs/{run.id}", headers=headers).status_code == 200
    data = client.get("/api/v1/runs", headers=headers).get_json()["data"]
    assert [row["run_id"] for row in data] == [run.id]


@pytest.mark.parametrize(
    ("path", "scope", "status"),
    [
        ("/runs", None, 401),
        ("/runs", "results:read", 403),
        ("/runs?no=1", "runs:read", 400),
        ("/runs/1x", "runs:read", 400),
        ("/runs/1", "runs:read", 404),
        ("/runs", "runs:read", 200),
    ],
)
def test_no_request_leaves_a_snapshot_open(
    app: Flask, client: FlaskClient, path: str, scope: str | None, status: int
) -> None:
    headers = {"Authorization": f"Bearer spci_{'x' * 43}"}
    if scope is not None:
        headers = factories.signed_in("contributor", scope)

    assert client.get(f"/api/v1{path}", headers=headers).status_code == status
    assert snapshot_notes() is None
