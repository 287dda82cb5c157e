"""Settling after an answer, while the database does not let it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from mod_api.middleware.rollups import MOST_SECONDS_BETWEEN, SECONDS_BETWEEN, Pace
from tests import factories
from tests.raw import Raw


def test_a_database_that_is_held_costs_one_line_and_no_answer(
    sqlite_app: Flask, client: FlaskClient, raw: Raw
) -> None:
    headers = factories.signed_in("user", "runs:read")
    run = factories.run(progress=["testing", "completed"])

    with raw.transaction():
        raw.execute("DELETE FROM rollup_change")  # takes the one lock of writers
        with capture_logs() as logs:
            answers = [client.get(f"/api/v1/runs/{run.id}", headers=headers) for _ in range(3)]
            for answer in answers:
                answer.close()

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    failed = [entry for entry in logs if entry["event"] == "marks_not_settled"]
    assert len(failed) == 1
    assert "exc_info" not in failed[0]
    assert failed[0]["error"] == "OperationalError: database is locked"


def test_it_waits_twice_as_long_after_each_failure_and_as_before_after_a_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("mod_api.middleware.rollups.time.monotonic", lambda: now)
    pace = Pace()

    def tries(*, fails: bool) -> bool:
        with pace.turn() as is_ours:
            if is_ours:
                pace.failed() if fails else pace.succeeded()
            return is_ours

    for wait in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MOST_SECONDS_BETWEEN, MOST_SECONDS_BETWEEN):
        assert tries(fails=True)
        now += wait - 0.25
        assert not tries(fails=True)
        now += 0.25
    assert tries(fails=False)
    now += SECONDS_BETWEEN
    assert tries(fails=False)
