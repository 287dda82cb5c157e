"""What a runner reports of a job: bounded, checked, and taken from who holds the job only."""

import pytest

from mod_ci import job_attempts
from tests import factories, jobs
from tests.runners import API, LONG_AGO, accepted, runner
from tests.sql import counted


@pytest.fixture
def mine(client):
    return jobs.submitter(client)


@pytest.fixture
def taken(client, mine):
    mine.submit()
    return jobs.runner(client).claim()


def told(number: int, outcome: str = "passed", **more):
    return {"number": number, "nodeid": f"test_it.py::test_{number}", "outcome": outcome, **more}


def test_every_call_renews_the_lease(app, taken, raw) -> None:
    for call in (
        taken.heartbeat,
        lambda: taken.tests(told(1)),
        lambda: taken.file("a.txt", b"a"),
        taken.reports,
        lambda: taken.append(0, b"line\n"),
    ):
        raw.execute("UPDATE job SET lease_expires_at = '2999-01-01'")
        if call is not taken.heartbeat:
            soon = "(strftime('%Y-%m-%d %H:%M:%f', 'now', '60 seconds') || '000')"
            if app.config["SQLALCHEMY_DATABASE_URI"].startswith("mysql"):
                soon = "UTC_TIMESTAMP(3) + INTERVAL 60 SECOND"
            raw.execute(f"UPDATE job SET lease_expires_at = {soon}")
        before = raw.execute("SELECT lease_expires_at FROM job")
        accepted(call())
        assert raw.execute("SELECT lease_expires_at FROM job") != before


def test_a_former_attempt_is_told_that_the_lease_is_lost(app, client, mine, raw) -> None:
    job_id = mine.submit()
    former = jobs.runner(client).claim()
    jobs.lose_lease(raw, job_id)
    current = jobs.runner(client).claim()
    assert current.claim["attempt"] == 2

    for call in (
        former.heartbeat,
        lambda: former.append(0, b"line\n"),
        lambda: former.tests(told(1)),
        lambda: former.file("a.txt", b"a"),
        former.reports,
        former.finish,
        lambda: former.finish("runner_shutdown"),
    ):
        response = call()
        assert (response.status_code, response.json["code"]) == (409, "lease_lost")
    assert mine.get(job_id)["state"] == "running"
    assert mine.get(job_id, "/tests")["data"] == []
    accepted(current.finish())


def test_a_job_that_is_given_back_waits_again_and_is_not_counted_as_lost(
    app, client, mine, raw
) -> None:
    job_id = mine.submit()
    for _ in range(4):
        held = jobs.runner(client).claim()
        for _ in range(2):  # finishing twice is harmless
            accepted(held.finish("runner_shutdown"))
    assert mine.get(job_id)["state"] == "queued"
    assert raw.execute("SELECT lost_attempts FROM job") == [(0,)]


def test_a_job_that_machines_fail_three_times_ends_as_an_error(app, client, mine) -> None:
    job_id = mine.submit()
    for _ in range(3):
        accepted(jobs.runner(client).claim().finish("internal_error", type="worker", message="m"))
    shown = mine.get(job_id)
    assert (shown["state"], shown["conclusion"]) == ("ended", "error")


def test_a_job_past_its_deadline_is_ended(app, client, mine, taken, raw) -> None:
    raw.execute("UPDATE job_attempt SET deadline_at = ?", [LONG_AGO])

    response = taken.tests(told(1))

    assert (response.status_code, response.json["code"]) == (409, "job_ended")
    assert mine.get(taken.job_id)["conclusion"] == "timed_out"
    assert raw.execute("SELECT queued, running FROM job_share") == [(0, 0)]


@pytest.mark.parametrize(
    ("body", "conclusion"),
    [
        ({"exit_code": 0, "is_report_whole": True}, "success"),
        ({"exit_code": 0}, "success"),
        ({"exit_code": 0, "is_report_whole": False}, "failure"),
        ({"exit_code": 1, "is_report_whole": True}, "failure"),
        ({"outcome": "signaled", "exit_code": None, "signal": "SIGSEGV"}, "failure"),
        ({"outcome": "time_limit", "exit_code": None}, "timed_out"),
        ({"outcome": "memory_limit", "exit_code": None}, "out_of_memory"),
        ({"outcome": "no_tests", "exit_code": None}, "failure"),
    ],
)
def test_the_server_decides_how_a_job_has_ended(sqlite_app, mine, taken, body, conclusion) -> None:
    accepted(taken.finish(**body))
    assert mine.get(taken.job_id)["conclusion"] == conclusion


@pytest.mark.parametrize(
    "name",
    ["../up", "a/../../up", "a//b", "./a", "a/.", "a%00b", "a%0Ab", "a%5Cb", "%2Fetc/passwd",
     "a/" * 600 + "b", "a%7Fb"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(sqlite_app, taken, raw, name) -> None:
    assert taken.file(name, b"x").status_code in (400, 404)
    assert raw.execute("SELECT count(*) FROM job_artifact") == [(0,)]


def test_files_are_bounded_in_number_and_size(sqlite_app, taken, monkeypatch) -> None:
    monkeypatch.setattr(job_attempts, "MOST_FILES", 2)
    accepted(taken.file("a", b"12345"))
    accepted(taken.file("b", b"12345"))
    assert taken.file("c", b"1").status_code == 400
    accepted(taken.file("b", b"again"))
    monkeypatch.setattr(job_attempts, "MOST_FILE_BYTES", 9)
    assert taken.file("b", b"12345").status_code == 400
    accepted(taken.file("b", b"1234"))


def test_tests_are_counted_once_however_often_they_are_told(sqlite_app, mine, taken) -> None:
    for _ in range(2):
        accepted(taken.tests(told(1), told(2, "failed"), told(3, is_flaky=True)))
    accepted(taken.tests(told(2, "skipped")))
    counts = mine.get(taken.job_id)["tests"]
    assert counts == {"passed": 2, "failed": 0, "errors": 0, "skipped": 1, "flaky": 1}


@pytest.mark.parametrize(
    "test",
    [
        told(0), told(100_001), told(1, "running"), told(1, message="m" * 65_537),
        {**told(1), "nodeid": ""}, {**told(1), "nodeid": "a\0b"}, told(1, duration_ms=-1),
    ],
)  # fmt: skip
def test_a_wrong_test_is_refused(sqlite_app, taken, test) -> None:
    assert taken.tests(test).status_code == 400


def test_a_number_that_is_there_twice_is_refused(sqlite_app, taken) -> None:
    assert taken.tests(told(1), told(1)).status_code == 400


def test_a_credential_opens_attempts_of_its_own_kind_only(app, client, taken) -> None:
    factories.run(tests=[factories.regression_test()])
    run = runner(client).claim()
    for what in ("results/1", "artifacts/binary"):
        url = f"{API}/attempts/{run.claim['attempt_id']}/{what}"
        assert client.put(url, json={}, headers=taken.headers).status_code == 401
    for call in ("tests", "reports", "files/a"):
        assert client.put(f"{taken.url}/{call}", json={}, headers=run.headers).status_code == 401
    assert client.get(f"{taken.url}/source", headers=run.headers).status_code == 401


def test_what_is_of_the_other_kind_is_refused(sqlite_app, client, taken) -> None:
    assert taken.heartbeat(running=[1]).status_code == 400
    assert taken.heartbeat(stage="build").status_code == 400
    factories.run(tests=[factories.regression_test()])
    run = runner(client).claim()
    assert run.heartbeat(running_test="a").status_code == 400
    assert run.heartbeat(stage="install").status_code == 400
    assert run.finish(outcome="exited").status_code == 400


def test_both_kinds_are_taken_in_turn(sqlite_app, client, mine) -> None:
    test = factories.regression_test()
    for _ in range(3):
        mine.submit()
        factories.run(tests=[test])
    both = jobs.runner(client)

    kinds = [both.ask(("run", "job")).json["kind"] for _ in range(6)]

    assert sorted(kinds[:2]) == sorted(kinds[2:4]) == ["job", "run"]
    assert both.ask(("run", "job")).status_code == 204


def test_a_source_is_sent_in_ranges(sqlite_app, client, taken) -> None:
    headers = {**taken.headers, "Range": "bytes=2-5"}
    response = client.get(f"{taken.url}/source", headers=headers)
    assert (response.status_code, response.data) == (206, jobs.zipped()[2:6])


def test_a_run_costs_no_statement_about_jobs(app, client) -> None:
    test = factories.regression_test()
    ours = runner(client)
    claims = []
    for kinds in ({}, {"kinds": ["run"]}, {}, {"kinds": ["run"]}):
        factories.run(tests=[test])
        with counted(app) as statements:
            held = ours.claim(**kinds)
        claims.append(list(statements))
    with counted(app) as reported:
        accepted(held.heartbeat(stage="test"))
        accepted(held.append(0, b"line\n"))
        accepted(held.report(test.id, {test.output.id: test.output.correct}))
        accepted(held.finish())

    assert claims[2] == claims[3]
    sent = [*claims[0], *claims[1], *claims[2], *reported]
    assert not [text for text in sent if "job" in text.lower()]


def test_a_claim_of_a_job_asks_for_what_an_index_has(app, client, mine) -> None:
    mine.submit()
    with counted(app) as statements:
        jobs.runner(client).claim()

    # MariaDB reads the whole queue for `is_held IS false`, and one entry of it for `= false`.
    assert not [text for text in statements if "is_held is" in text.lower()]
