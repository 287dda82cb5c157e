"""Runs are canceled."""

import pytest

from tests.mod_api.runs.asking import get
from tests.runners import API


@pytest.mark.parametrize("last", ["queued", "running"])
def test_a_cancel_ends_what_has_not_ended_and_says_why(
    app, client, tester, of_each_status, raw, last
) -> None:
    run_id = of_each_status[last]

    response = client.post(
        f"{API}/runs/{run_id}/cancel", json={"reason": "superseded"}, headers=tester
    )

    assert response.status_code == 202
    assert (response.json["action"], response.json["status"]) == ("cancel", "accepted")
    told = get(client, tester, run_id)
    assert (told["status"], told["run_errors"]) == ("canceled", "no")
    event = get(client, tester, run_id, "/progress")["data"][-1]
    assert event["status"] == "canceled"
    assert "superseded" in event["message"]
    assert raw.execute("SELECT count(*) FROM audit_event WHERE action = 'run.canceled'") == [(1,)]


@pytest.mark.parametrize("last", ["pass", "fail", "canceled", "error", "incomplete"])
def test_a_cancel_of_an_ended_run_is_a_no_op(
    app, client, tester, of_each_status, raw, last
) -> None:
    run_id = of_each_status[last]
    before = get(client, tester, run_id, "/progress")

    response = client.post(f"{API}/runs/{run_id}/cancel", headers=tester)

    assert (response.status_code, response.json["status"]) == (202, "no_op")
    assert get(client, tester, run_id, "/progress") == before
    assert raw.execute("SELECT count(*) FROM audit_event WHERE action = 'run.canceled'") == [(0,)]
