"""The web server is killed in the middle of what it does: nothing is lost, nothing twice."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import factories
from tests.concurrency.web import Http, Server, at_once, serving
from tests.patience import tries, until
from tests.runners import API, Runner

pytestmark = pytest.mark.slow

TESTS = 40
LINES = 150
KILLS = 3


@pytest.fixture
def server(app, site, tmp_path: Path) -> Iterator[Server]:
    processes = 1 if site.url.startswith("sqlite") else 2
    with serving(
        site.url, site.repository, tmp_path, processes=processes, LEASE_SECONDS="300"
    ) as started:
        yield started


def content(test_id: int) -> bytes:
    return b"%d " % test_id * 5000


def test_no_result_and_no_line_is_lost_or_doubled_when_the_server_is_killed(
    server, raw, site
) -> None:
    tests = [factories.regression_test() for _ in range(TESTS)]
    run = factories.run(tests=tests)
    http = Http(server, persistent=True)
    held = Runner(http, factories.signed_in("admin", "runs:execute")).claim()

    taken: list[int] = []

    def report(part: int) -> None:
        for test in tests[part::4]:
            answer = held.report(test.id, {test.output.id: content(test.id)})
            assert answer.status_code == 200, answer.data
            taken.append(test.id)

    def log() -> None:
        offset = 0
        for number in range(LINES):
            line = b"2026-01-01T00:00:00.000Z info worker | line %d\n" % number
            answer = held.append(offset, line)
            while answer.status_code == 416:  # what a crash has kept of a line
                offset = answer.json["details"]["offset"]
                answer = held.append(offset, line)
            assert answer.status_code == 200, answer.data
            offset = answer.json["offset"]

    def kill() -> None:
        for number in range(1, KILLS + 1):
            until(lambda: len(taken) >= number * TESTS // (KILLS + 1))  # noqa: B023  waited for
            server.kill()
            server.start()

    at_once(*(lambda part=part: report(part) for part in range(4)), log, kill)
    assert held.finish().status_code == 200

    rows = raw.execute(
        "SELECT regression_test_id, got FROM test_result_file WHERE test_id = ? ORDER BY 1",
        [run.id],
    )
    assert rows == [(test.id, hashlib.sha256(content(test.id)).hexdigest()) for test in tests]
    assert raw.execute("SELECT count(*) FROM test_result") == [(TESTS,)]
    for test in tests:
        name = hashlib.sha256(content(test.id)).hexdigest()
        kept = site.repository / "TestResults" / f"{name}.srt"
        assert kept.read_bytes() == content(test.id)
    lines = (site.repository / "LogFiles" / f"{run.id}.txt").read_bytes().splitlines()
    whole = [line for line in lines if line.rpartition(b" ")[2].isdigit()]
    assert [int(line.rpartition(b" ")[2]) for line in whole] == list(range(LINES))
    assert raw.execute("SELECT count(*) FROM run_attempt") == [(1,)]


def test_an_idempotent_post_that_met_a_kill_makes_one_run(server, raw) -> None:
    factories.regression_test()
    http = Http(server, persistent=True)
    headers = factories.signed_in("tester", "runs:write", "runs:read")
    body = {"repository": factories.MAIN_REPOSITORY, "commit_sha": "d" * 40, "platform": "linux"}
    made: dict[int, int] = {}

    def post(number: int) -> None:
        keyed = {**headers, "Idempotency-Key": f"key-{number}"}
        for _ in tries(0.2):
            answer = http.post(f"{API}/runs", json=body, headers=keyed)
            if answer.status_code == 202:
                made[number] = answer.json["run_id"]
                return
            assert answer.status_code == 409, answer.data  # the killed one is held to be at work

    threads = [threading.Thread(target=post, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    until(lambda: raw.execute("SELECT count(*) FROM idempotency_key") > [(2,)])
    server.kill()
    # A minute later, when the keys of requests that died with their server are free again.
    raw.execute(
        "UPDATE idempotency_key SET created_at = ? WHERE run_id IS NULL",
        [f"{datetime.now(UTC) - timedelta(minutes=2):%Y-%m-%d %H:%M:%S}.000000"],
    )
    server.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == list(range(12))
    assert raw.execute("SELECT count(*) FROM test") == [(12,)]
    assert len(set(made.values())) == 12
