"""Many runners and many processes on one queue of jobs: who gets what is decided once."""

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import jobs
from tests.concurrency.web import Http, Server, at_once, serving
from tests.runners import LONG_AGO, accepted

pytestmark = pytest.mark.slow

RUNNERS, ACCOUNTS, EACH = 8, 4, 50
ROUNDS = 9


@pytest.fixture
def server(app, site, tmp_path: Path) -> Iterator[Server]:
    """One process on SQLite, four on MariaDB."""
    processes = 1 if site.url.startswith("sqlite") else 4
    with serving(
        site.url, site.repository, tmp_path, processes=processes, JOBS="on", RATE_LIMIT_SUBMIT="off"
    ) as started:
        yield started


@pytest.fixture
def http(server) -> Http:
    return Http(server, persistent=True)


def submitted(client) -> list[str]:
    accounts = [jobs.submitter(client) for _ in range(ACCOUNTS)]
    return [account.submit() for _ in range(EACH) for account in accounts]


def executed(runner: jobs.JobRunner, number: int) -> list[str]:
    """Take and end jobs until none waits."""
    done = []
    while True:
        answer = runner.ask(runner_name=f"runner-{number}")
        if answer.status_code == 204:
            return done
        assert answer.status_code == 201, answer.data
        held = jobs.HeldJob(runner.client, answer.json)
        accepted(held.finish())
        done.append(held.job_id)


def counts_of_shares(raw) -> list[tuple[int, int]]:
    return raw.execute("SELECT DISTINCT queued, running FROM job_share")


def test_every_job_is_executed_by_one_of_many_runners_once(client, http, raw) -> None:
    waiting = submitted(client)
    runners = [jobs.runner(http) for _ in range(RUNNERS)]

    works = [functools.partial(executed, one, number) for number, one in enumerate(runners)]
    shares = at_once(*works)

    assert Counter(job for share in shares for job in share) == Counter(waiting)
    assert raw.execute("SELECT count(*), count(DISTINCT job_id) FROM job_attempt") == [
        (len(waiting), len(waiting))
    ]
    assert raw.execute("SELECT state, conclusion, count(*) FROM job GROUP BY 1, 2") == [
        ("ended", "success", len(waiting))
    ]
    assert counts_of_shares(raw) == [(0, 0)]


def test_of_cancel_finish_and_a_lost_lease_one_wins(client, http, raw) -> None:
    person = jobs.submitter(http, "admin")
    ours, theirs = jobs.runner(http), jobs.runner(http)
    submitter = jobs.submitter(client)
    seen: Counter[str] = Counter()
    for turn in range(ROUNDS):
        job_id = submitter.submit()
        held = ours.claim()
        assert held.job_id == job_id

        def lose(job_id: str = job_id):
            raw.execute(
                "UPDATE job SET lease_expires_at = ? WHERE uuid = ? AND state = 'running'",
                [LONG_AGO, job_id],
            )
            return theirs.ask()

        works = [functools.partial(person.post, job_id, "cancel"), held.finish, lose]
        answers = at_once(*works[turn % 3 :], *works[: turn % 3])
        canceled, finished, claimed = answers[3 - turn % 3 :] + answers[: 3 - turn % 3]

        assert canceled.status_code == 202
        winners = [
            name
            for name, is_one in (
                ("canceled", canceled.json["status"] == "accepted"),
                ("finished", finished.status_code == 200),
            )
            if is_one
        ]
        # Whoever has got it after the loss is not the one who ends it any more.
        assert len(winners) == 1
        seen[winners[0]] += 1
        expected = "canceled" if winners == ["canceled"] else "success"
        told = "SELECT state, conclusion FROM job WHERE uuid = ?"
        assert raw.execute(told, [job_id]) == [("ended", expected)]
        ends = "SELECT count(*) FROM job_event e JOIN job j ON j.id = e.job_id WHERE j.uuid = ? "
        assert raw.execute(ends + "AND e.kind = 'ended'", [job_id]) == [(1,)]
        if claimed.status_code == 201:
            late = jobs.HeldJob(http, claimed.json)
            assert late.finish().json["code"] == "job_ended"
        assert counts_of_shares(raw) == [(0, 0)]
    assert sum(seen.values()) == ROUNDS


def test_a_server_that_is_killed_amid_claims_loses_and_doubles_none(client, server, raw) -> None:
    waiting = submitted(client)
    once = Http(server)
    runners = [jobs.runner(once) for _ in range(RUNNERS)]

    def claim_until_killed(number: int) -> None:
        for turn in range(EACH):
            if number == 0 and turn == 5:
                server.kill()
            try:
                runners[number].ask(runner_name=f"runner-{number}")
            except Exception:  # noqa: BLE001  the server is gone, however that shows
                return

    at_once(*(functools.partial(claim_until_killed, number) for number in range(RUNNERS)))
    server.start()
    # Nobody lives who could go on: what was claimed is lost, and executed by others.
    raw.execute("UPDATE job SET lease_expires_at = ? WHERE state = 'running'", [LONG_AGO])
    again = Http(server, persistent=True)
    others = [jobs.runner(again) for _ in range(RUNNERS)]

    works = [functools.partial(executed, one, number) for number, one in enumerate(others)]
    shares = at_once(*works)

    assert Counter(job for share in shares for job in share) == Counter(waiting)
    assert raw.execute("SELECT count(*) FROM job_event WHERE kind = 'ended'") == [(len(waiting),)]
    assert counts_of_shares(raw) == [(0, 0)]


def test_a_runner_that_waits_gets_what_is_submitted_meanwhile(client, http) -> None:
    submitter, waiting = jobs.submitter(client), jobs.runner(http)

    answer, job_id = at_once(lambda: waiting.ask(wait=30), submitter.submit)

    assert answer.json["job"]["job_id"] == job_id
