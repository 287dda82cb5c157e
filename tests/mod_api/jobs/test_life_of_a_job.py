"""A job from its submission to its end, as its submitter sees it."""

from typing import Any

from flask.testing import FlaskClient

from tests.jobs import Submitter, lose_lease, runner, submitter, zipped
from tests.raw import Raw
from tests.runners import API, accepted

HEAD = "2026-12-01T00:00:00.000Z info test_runner | "


def named(nodeid: str, number: int, outcome: str = "passed", **more: Any) -> dict[str, Any]:
    return {"number": number, "nodeid": nodeid, "outcome": outcome, **more}


def test_a_job_is_submitted_executed_and_read(client: FlaskClient) -> None:
    mine = submitter(client)
    job_id = mine.submit(name="mine", labels=["main"], timeout_s=60)

    waiting = mine.get(job_id)
    assert (waiting["state"], waiting["position"], waiting["conclusion"]) == ("queued", 1, None)
    assert waiting["spec"] == {"timeout_s": 60}

    held = runner(client).claim()
    assert held.claim["kind"] == "job"
    assert held.job_id == job_id
    source = accepted(client.get(f"{held.url}/source", headers=held.headers))
    assert source.data == zipped()
    accepted(held.heartbeat(stage="test", running_test="test_it.py::test_it"))
    accepted(held.append(0, f"{HEAD}collected 2 items\n".encode()))
    accepted(
        held.tests(
            named("test_it.py::test_it", 1, duration_ms=12),
            named("test_it.py::test_not", 2, "failed", message="assert 1 == 2"),
        )
    )
    assert mine.get(job_id)["tests"]["failed"] == 1
    accepted(held.file("dist/a.txt", b"hello"))
    accepted(held.reports(coverage=[{"file": "a.py", "lines": 10, "covered_lines": 7}]))
    accepted(held.heartbeat(running_test=None))
    accepted(held.finish(exit_code=1, is_report_whole=True))

    ended = mine.get(job_id)
    assert (ended["state"], ended["conclusion"]) == ("ended", "failure")
    assert ended["why"] == "The command ended with exit code 1."
    assert ended["tests"] == {"passed": 1, "failed": 1, "errors": 0, "skipped": 0, "flaky": 0}
    assert [test["nodeid"] for test in mine.get(job_id, "/tests", outcome="failed")["data"]] == [
        "test_it.py::test_not"
    ]
    assert mine.get(job_id, "/tests/1")["duration_ms"] == 12
    assert mine.get(job_id, "/coverage")["totals"] == {"lines": 10, "covered_lines": 7}
    (artifact,) = mine.get(job_id, "/artifacts")["data"]
    assert (artifact["name"], artifact["size_bytes"]) == ("dist/a.txt", 5)
    download = accepted(client.get(artifact["url"], headers=mine.headers))
    assert download.data == b"hello"
    assert download.headers["Content-Security-Policy"] == "sandbox"
    assert [line["message"] for line in mine.get(job_id, "/logs")["data"]] == ["collected 2 items"]
    events = [event["kind"] for event in mine.get(job_id, "/events")["data"]]
    assert events == ["queued", "claimed", "stage", "ended"]


def test_a_lost_job_waits_again_at_once_and_is_given_up_after_three(
    client: FlaskClient, raw: Raw
) -> None:
    mine, other = submitter(client), runner(client)
    job_id = mine.submit()

    for number in (1, 2, 3):
        held = other.claim()
        assert held.claim["attempt"] == number
        accepted(held.heartbeat(stage="test", running_test="test_slow"))
        lose_lease(raw, job_id)
        assert mine.get(job_id)["state"] == "queued"
        assert held.heartbeat().get_json()["code"] == "lease_lost"
    assert other.ask().status_code == 204

    ended = mine.get(job_id)
    assert (ended["state"], ended["conclusion"]) == ("ended", "error")
    assert [test["outcome"] for test in mine.get(job_id, "/tests")["data"]] == ["running"]


def test_a_canceled_job_ends_at_once(client: FlaskClient) -> None:
    mine, other = submitter(client), runner(client)
    job_id = mine.submit()
    held = other.claim()

    assert accepted(mine.post(job_id, "cancel", reason="not needed")).json["status"] == "accepted"

    assert mine.get(job_id)["conclusion"] == "canceled"
    assert held.heartbeat().get_json()["canceled"] is True
    assert held.finish().get_json()["code"] == "job_ended"
    assert accepted(mine.post(job_id, "cancel")).json["status"] == "no_op"
    accepted(held.append(0, f"{HEAD}last words\n".encode()))


def test_a_job_is_submitted_again(client: FlaskClient) -> None:
    mine, other = submitter(client), runner(client)
    job_id = mine.submit(labels=["one"])
    assert mine.post(job_id, "retry").get_json()["code"] == "not_ended"
    accepted(other.claim().finish())

    again = accepted(mine.post(job_id, "retry")).json["new_job_id"]

    assert mine.get(again)["retry_of"] == job_id
    assert mine.get(again)["labels"] == ["one"]
    held = other.claim()
    assert accepted(client.get(f"{held.url}/source", headers=held.headers)).data == zipped()


def test_a_job_is_its_accounts_and_an_admins_only(client: FlaskClient) -> None:
    mine, theirs, admin = submitter(client), submitter(client), submitter(client, "admin")
    job_id = mine.submit()

    for part in ("", "/events", "/tests", "/coverage", "/artifacts", "/logs", "/logs/raw"):
        url = f"{API}/jobs/{job_id}{part}"
        assert client.get(url, headers=theirs.headers).status_code == 404
    assert theirs.post(job_id, "cancel").status_code == 404
    assert theirs.post(job_id, "retry").status_code == 404
    assert [job["job_id"] for job in listed(theirs)] == []
    assert [job["job_id"] for job in listed(admin)] == [job_id]


def listed(who: Submitter, **query: Any) -> list[dict[str, Any]]:
    response = who.client.get(f"{API}/jobs", query_string=query, headers=who.headers)
    found: list[dict[str, Any]] = accepted(response).get_json()["data"]
    return found


def test_jobs_are_listed_by_what_is_asked_for(client: FlaskClient) -> None:
    mine, other = submitter(client), runner(client)
    first = mine.submit(name="First", labels=["main"])
    second = mine.submit(name="second")
    accepted(other.claim().finish())

    assert [job["job_id"] for job in listed(mine)] == [second, first]
    assert [job["job_id"] for job in listed(mine, sort="created_at", limit=1)] == [first]
    assert [job["job_id"] for job in listed(mine, state="queued")] == [second]
    assert [job["job_id"] for job in listed(mine, conclusion="success")] == [first]
    assert [job["job_id"] for job in listed(mine, label="main")] == [first]
    assert [job["job_id"] for job in listed(mine, q="fIrS")] == [first]
