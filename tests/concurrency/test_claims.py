"""Many runners and many processes on one queue: who gets what is decided once."""

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import db
from tests import factories
from tests.concurrency.web import Http, Server, at_once, serving
from tests.raw import Raw
from tests.runners import API, LONG_AGO, Runner, accepted

pytestmark = pytest.mark.slow

RUNNERS = 8
RUNS = 100
ROUNDS = 12
LONG_QUEUE, MANY_RUNNERS, MANY_CLAIMS = 2000, 50, 300


@pytest.fixture
def server(app, site, tmp_path: Path) -> Iterator[Server]:
    """One process on SQLite, four on MariaDB."""
    processes = 1 if site.url.startswith("sqlite") else 4
    with serving(site.url, site.repository, tmp_path, processes=processes) as started:
        yield started


@pytest.fixture
def http(server) -> Http:
    return Http(server)


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "system:read")


def runner(http: Http) -> Runner:
    return Runner(http, factories.signed_in("admin", "runs:execute"))


def test_every_queued_run_is_claimed_by_one_of_many_runners_once(server, reader, raw) -> None:
    test = factories.regression_test()
    runs = [factories.run(tests=[test]) for _ in range(RUNS)]
    persistent = Http(server, persistent=True)
    ours = [runner(persistent) for _ in range(RUNNERS)]

    def work(number: int) -> list[int]:
        taken = []
        while True:
            answer = ours[number].ask(name=f"runner-{number}")
            if answer.status_code == 204:
                return taken
            assert answer.status_code == 201, answer.data
            taken.append(answer.json["run"]["run_id"])

    shares = at_once(*(lambda number=number: work(number) for number in range(RUNNERS)))

    claimed = Counter(run_id for share in shares for run_id in share)
    assert claimed == Counter(run.id for run in runs)
    assert raw.execute("SELECT count(*), count(DISTINCT test_id) FROM run_attempt") == [
        (RUNS, RUNS)
    ]
    assert raw.execute("SELECT count(*) FROM test_progress") == [(RUNS,)]
    queue = persistent.get(f"{API}/system/queue", headers=reader).json
    assert (queue["queue_depth"], queue["running_count"]) == (0, RUNS)
    listed = persistent.get(f"{API}/runs?status=running&limit=1", headers=reader).json
    assert listed["pagination"]["total"] == RUNS


def test_fifty_runners_on_a_long_queue_lose_and_double_none(mariadb, sites, tmp_path) -> None:
    site = sites("mariadb")
    site.empty()
    with site.app.app_context():
        factories.bind(db.engine)
    test = factories.regression_test()
    first = factories.run(tests=[test]).id
    with contextlib.closing(Raw(site.url)) as raw:
        queue_many(raw, first, LONG_QUEUE - 1)
        with serving(site.url, site.repository, tmp_path, processes=4) as server:
            persistent = Http(server, persistent=True)
            ours = runner(persistent)

            def work(number: int) -> list[int]:
                return [
                    ours.claim(name=f"runner-{number}").run_id
                    for _ in range(MANY_CLAIMS // MANY_RUNNERS)
                ]

            works = [functools.partial(work, number) for number in range(MANY_RUNNERS)]
            shares = at_once(*works)

        claimed = Counter(run_id for share in shares for run_id in share)
        oldest = raw.execute("SELECT id FROM test ORDER BY id LIMIT ?", [MANY_CLAIMS])
        assert claimed == Counter(run_id for (run_id,) in oldest)
        attempts = raw.execute("SELECT test_id, number FROM run_attempt")
        assert Counter(attempts) == Counter((run_id, 1) for run_id in claimed)
        held = "SELECT count(*) FROM test_progress p JOIN run_record r ON r.held_progress_id = p.id"
        assert raw.execute(held) == [(MANY_CLAIMS,)]


def queue_many(raw: Raw, like: int, count: int) -> None:
    """So many more queued runs with the set of the run `like`; triggers write down the rest."""
    raw.execute(
        "INSERT INTO test (platform, test_type, token, fork_id, branch, `commit`, pr_nr) "
        "SELECT t.platform, t.test_type, CONCAT('token-', s.seq), t.fork_id, t.branch, t.`commit`, "
        f"t.pr_nr FROM test t JOIN seq_1_to_{count} s WHERE t.id = ?",
        [like],
    )
    raw.execute(
        "INSERT INTO customized_test (test_id, regression_id) SELECT t.id, c.regression_id "
        "FROM test t JOIN customized_test c ON c.test_id = ? WHERE t.id <> ?",
        [like, like],
    )


def test_of_cancel_finish_and_a_lost_lease_one_wins_and_every_reader_agrees(
    server, reader, raw
) -> None:
    test = factories.regression_test()
    persistent = Http(server, persistent=True)
    ours, theirs = runner(persistent), runner(persistent)
    person = factories.signed_in("admin", "runs:write")
    seen: Counter[str] = Counter()
    for turn in range(ROUNDS):
        run = factories.run(tests=[test])
        held = ours.claim()
        assert held.run_id == run.id
        accepted(held.report(test.id, {test.output.id: test.output.correct}))

        def cancel(run_id: int = run.id):
            return persistent.post(f"{API}/runs/{run_id}/cancel", headers=person)

        def lose(run_id: int = run.id):
            raw.execute(
                "UPDATE run_record SET lease_expires_at = ? "
                "WHERE test_id = ? AND lease_expires_at IS NOT NULL",
                [LONG_AGO, run_id],
            )
            return theirs.ask()

        works = [cancel, held.finish, lose]
        answers = at_once(*works[turn % 3 :], *works[: turn % 3])
        answers = answers[3 - turn % 3 :] + answers[: 3 - turn % 3]
        canceled, finished, claimed = answers

        statuses = [
            status
            for (status,) in raw.execute(
                "SELECT status FROM test_progress WHERE test_id = ? ORDER BY id", [run.id]
            )
        ]
        ends = [status for status in statuses if status in ("completed", "canceled")]
        assert len(ends) == 1, statuses  # the cancel ends what neither finished nor was canceled
        assert statuses[-1] == ends[0]
        assert (canceled.status_code, canceled.json["status"]) == (
            202,
            "accepted" if ends == ["canceled"] else "no_op",
        )
        assert (finished.status_code == 200) is (ends == ["completed"])
        if finished.status_code != 200:
            assert finished.json["code"] in ("run_ended", "lease_lost")
        if claimed.status_code == 201:
            assert claimed.json["attempt"] == 2
            assert ends == ["canceled"]
            assert finished.json["code"] in ("lease_lost", "run_ended")
        expected = "pass" if ends == ["completed"] else "canceled"
        seen[expected] += 1
        assert readings(persistent, reader, run.id) == {expected}
        beat = held.heartbeat()
        assert beat.status_code == 409 or beat.json["canceled"] is True
    assert sum(seen.values()) == ROUNDS


def readings(http: Http, reader: dict[str, str], run_id: int) -> set[str]:
    """How each endpoint says that a run reads."""
    run = http.get(f"{API}/runs/{run_id}", headers=reader).json
    summary = http.get(f"{API}/runs/{run_id}/summary", headers=reader).json
    listed = {
        status
        for status in ("queued", "running", "pass", "fail", "canceled", "error", "incomplete")
        for row in http.get(
            f"{API}/runs", query_string={"status": status, "limit": 100}, headers=reader
        ).json["data"]
        if row["run_id"] == run_id
    }
    queue = http.get(f"{API}/system/queue", headers=reader).json["data"]
    queued = {job["status"] for job in queue if job["run_id"] == run_id}
    return {run["status"], summary["status"], *listed, *queued}


def test_two_posts_with_one_key_make_one_run(server, raw) -> None:
    factories.regression_test()
    http = Http(server)
    headers = {**factories.signed_in("tester", "runs:write", "runs:read")}
    body = {"repository": factories.MAIN_REPOSITORY, "commit_sha": "c" * 40, "platform": "linux"}
    for number in range(5):
        keyed = {**headers, "Idempotency-Key": f"key-{number}"}

        def post(keyed=keyed):
            return http.post(f"{API}/runs", json=body, headers=keyed)

        answers = at_once(*[post] * 6)

        made = {answer.json["run_id"] for answer in answers if answer.status_code == 202}
        assert {answer.status_code for answer in answers} <= {202, 409}
        assert len(made) == 1
        again = post()
        assert (again.status_code, again.json["run_id"]) == (202, made.pop())
    assert raw.execute("SELECT count(*) FROM test") == [(5,)]
