"""Who gets which run, and when nobody does."""

import threading

import pytest

from database import db
from mod_api.services import waiting
from mod_ci import queue
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.mod_ci.attempts import events, status
from tests.patience import PATIENCE_SECONDS, until
from tests.runners import API, Runner, accepted, lose_lease, runner
from tests.sql import counted


def test_the_oldest_run_of_the_platform_is_handed_out_with_all_that_it_needs(
    app, client, ours
) -> None:
    factories.run(platform="windows")
    test = factories.regression_test(
        outputs=[
            factories.Expected(filename="news.srt", variants=[factories.digest("v")]),
            factories.Expected(ignore=True),
        ],
        expected_rc=None,
    )
    idle = factories.regression_test(active=False)
    run = factories.run(pull_request=7, branch="")
    factories.run()

    claim = ours.claim(name="laptop-1").claim

    assert claim["attempt"] == 1
    assert claim["credential"].startswith("spca_")
    assert claim["run"] == {
        "run_id": run.id,
        "platform": "linux",
        "test_type": "pr",
        "repository": "CCExtractor/ccextractor",
        "clone_url": "https://github.com/CCExtractor/ccextractor.git",
        "main_clone_url": "https://github.com/CCExtractor/ccextractor.git",
        "branch": None,
        "commit_sha": run.commit,
        "pull_request": 7,
    }
    (told,) = claim["tests"]
    assert told["regression_id"] == test.id != idle.id
    assert told["expected_exit_code"] == 0
    assert [output["ignore"] for output in told["outputs"]] == [False, True]
    assert told["outputs"][0]["accepted_hashes"] == [
        test.outputs[0].correct,
        factories.digest("v"),
    ]
    (sample,) = claim["samples"]
    assert sample["sample_id"] == test.sample.id
    assert sample["size_bytes"] is None


def test_a_claimed_run_reads_running_everywhere(app, client, ours, reader) -> None:
    run = factories.run()

    ours.claim(name="laptop-1")

    assert status(client, reader, run.id) == "running"
    queue = client.get(f"{API}/system/queue", headers=reader).json
    assert (queue["queue_depth"], queue["running_count"]) == (0, 1)
    last = events(client, reader, run.id)[-1]
    assert (last["status"], last["step"]) == ("preparation", 0)
    assert "Attempt 1" in last["message"]
    assert ours.ask().status_code == 204


def test_a_lost_lease_reads_queued_at_once_and_the_next_claim_is_the_next_attempt(
    app, client, ours, reader, raw
) -> None:
    run = factories.run()
    first = ours.claim()
    lose_lease(raw, run.id)

    assert status(client, reader, run.id) == "queued"
    queue = client.get(f"{API}/system/queue", headers=reader).json
    assert [(job["status"], job["position"]) for job in queue["data"]] == [("queued", 1)]
    listed = client.get(f"{API}/runs?status=queued", headers=reader).json
    assert [row["run_id"] for row in listed["data"]] == [run.id]

    second = ours.claim()
    assert second.run_id == run.id
    assert second.claim["attempt"] == 2
    for response in (
        first.heartbeat(),
        first.append(0, b"line\n"),
        first.finish(),
    ):
        assert (response.status_code, response.json["code"]) == (409, "lease_lost")
    assert second.heartbeat().status_code == 200


def test_nothing_of_a_lost_lease_is_taken_even_before_the_next_claim(
    app, client, ours, reader, raw
) -> None:
    test = factories.regression_test()
    run = factories.run(tests=[test])
    held = ours.claim()
    lose_lease(raw, run.id)

    for response in (
        held.heartbeat(stage="test"),
        held.append(0, b"line\n"),
        held.report(test.id, {test.output.id: test.output.correct}),
        held.finish(),
        held.finish("runner_shutdown"),
    ):
        assert (response.status_code, response.json["code"]) == (409, "lease_lost")
    assert status(client, reader, run.id) == "queued"


def test_the_third_lost_attempt_cancels_the_run_with_a_message_that_says_so(
    app, client, ours, reader, raw
) -> None:
    run = factories.run()
    for number in (1, 2, 3):
        assert ours.claim().claim["attempt"] == number
        lose_lease(raw, run.id)

    assert ours.ask().status_code == 204

    assert status(client, reader, run.id) == "canceled"
    last = events(client, reader, run.id)[-1]
    assert last["status"] == "error"  # a canceled one that the infrastructure caused
    assert "3 attempts" in last["message"]
    shown = client.get(f"{API}/runs/{run.id}", headers=reader).json
    assert shown["run_errors"] == "yes"


def test_expire_writes_down_lost_leases_without_any_claim(app, client, ours, reader, raw) -> None:

    run = factories.run()
    for number in (1, 2, 3):
        held = ours.claim()
        assert held.claim["attempt"] == number
        lose_lease(raw, run.id)
        with app.app_context():
            assert queue.expire() == 1
        with app.app_context():
            assert queue.expire() == 0

    assert status(client, reader, run.id) == "canceled"
    reasons = raw.execute("SELECT end_reason FROM run_attempt WHERE test_id = ?", [run.id])
    assert reasons == [("lease_expired",)] * 3


def test_a_run_that_the_runner_gives_back_waits_again_and_counts_as_no_loss(
    app, client, ours, reader, raw
) -> None:
    run = factories.run()
    for number in range(1, 6):
        held = ours.claim()
        assert held.claim["attempt"] == number
        assert held.finish("runner_shutdown").status_code == 200
        assert held.finish("runner_shutdown").status_code == 200
        assert held.heartbeat().json["code"] == "lease_lost"
        assert status(client, reader, run.id) == "queued"

    assert client.get(f"{API}/runs/{run.id}", headers=reader).json["run_errors"] == "unknown"


def test_a_claim_asks_little_and_nothing_of_tests_that_it_knows(app, client, ours) -> None:
    tests = [factories.regression_test() for _ in range(3)]
    for _ in range(3):
        factories.run(tests=tests)
    with app.app_context():
        settle_marks()
    ours.claim()

    with counted(app) as statements:
        claim = ours.claim()

    assert [test["regression_id"] for test in claim.claim["tests"]] == [test.id for test in tests]
    assert len(statements) <= 10


def test_a_paused_platform_hands_out_nothing_and_takes_runs(app, client, ours, reader, raw) -> None:
    factories.regression_test()
    waits = factories.run()
    raw.execute("INSERT INTO maintenance_mode (platform, disabled) VALUES ('linux', 1)")
    writer = factories.signed_in("tester", "runs:write")
    body = {"repository": factories.MAIN_REPOSITORY, "commit_sha": "b" * 40, "platform": "linux"}

    made = client.post(f"{API}/runs", json=body, headers=writer)

    assert made.status_code == 202
    assert ours.ask().status_code == 204
    raw.execute("UPDATE maintenance_mode SET disabled = 0")
    assert ours.claim().run_id == waits.id


def test_a_run_with_a_cloud_machine_is_left_to_the_existing_scheduler(
    app, client, ours, raw
) -> None:
    theirs, free = factories.run(), factories.run()
    insert = "INSERT INTO gcp_instance (name, test_id, timestamp) VALUES (?, ?, '2026-01-01')"
    raw.execute(insert.replace("'2026-01-01'", "'2026-01-01 00:00:00'"), ["vm-1", theirs.id])

    held = ours.claim()

    assert held.run_id == free.id
    raw.execute(insert.replace("'2026-01-01'", "'2026-01-01 00:00:00'"), ["vm-2", free.id])
    assert held.heartbeat().status_code == 200
    assert held.finish().status_code == 200


def test_only_platforms_of_the_setting_are_handed_out(make_app, site) -> None:
    client = make_app(runner_platforms=("windows",)).test_client()
    factories.run(platform="linux")
    run = factories.run(platform="windows")
    ours = runner(client)

    assert ours.ask("linux", wait=1).status_code == 204
    assert ours.claim("windows").run_id == run.id


def test_a_run_without_a_valid_commit_or_fork_is_never_handed_out(app, client, ours) -> None:
    factories.run(commit="not a commit")
    run = factories.run()

    assert ours.claim().run_id == run.id
    assert ours.ask().status_code == 204


def test_a_restarted_run_has_three_attempts_to_lose_again(app, client, ours, reader, raw) -> None:
    run = factories.run()
    for _ in range(3):
        ours.claim()
        lose_lease(raw, run.id)
    assert ours.ask().status_code == 204
    assert status(client, reader, run.id) == "canceled"
    raw.execute("DELETE FROM test_progress WHERE test_id = ?", [run.id])

    for _ in range(3):
        assert status(client, reader, run.id) == "queued"
        ours.claim()
        lose_lease(raw, run.id)

    assert ours.ask().status_code == 204
    assert status(client, reader, run.id) == "canceled"


def test_a_foreign_cancel_ends_the_attempt(app, client, ours, reader, raw) -> None:
    test = factories.regression_test()
    run = factories.run(tests=[test])
    held = ours.claim()
    raw.execute(
        "INSERT INTO test_progress (test_id, status, timestamp, message) "
        "VALUES (?, 'canceled', '2026-01-01 00:00:00', 'Canceled by admin')",
        [run.id],
    )

    assert status(client, reader, run.id) == "canceled"
    assert held.heartbeat().json["canceled"] is True
    report = held.report(test.id, {test.output.id: test.output.correct})
    assert (report.status_code, report.json["code"]) == (409, "run_ended")
    assert (held.finish().status_code, held.finish().json["code"]) == (409, "run_ended")
    assert ours.ask().status_code == 204


def test_the_next_attempt_gets_the_tests_without_a_result(app, client, ours, raw) -> None:
    tests = [factories.regression_test() for _ in range(3)]
    run = factories.run(tests=tests)
    first = ours.claim()
    done = tests[1]
    accepted(first.report(done.id, {done.output.id: done.output.correct}))
    lose_lease(raw, run.id)

    second = ours.claim()

    assert second.tests == [tests[0].id, tests[2].id]
    assert {sample["sample_id"] for sample in second.claim["samples"]} == {
        tests[0].sample.id,
        tests[2].sample.id,
    }


def test_files_without_a_result_are_dropped_when_an_attempt_starts(app, client, ours, raw) -> None:
    with_result, without = factories.regression_test(), factories.regression_test()
    run = factories.run(tests=[with_result, without])
    factories.result(run, with_result)
    factories.result_file(run, without, without.output, factories.digest("half"))

    held = ours.claim()

    assert held.tests == [without.id]
    assert raw.execute(
        "SELECT regression_test_id FROM test_result_file WHERE test_id = ?", [run.id]
    ) == [(with_result.id,)]


@pytest.mark.parametrize("role", ["user", "contributor", "tester"])
def test_only_an_admins_scope_opens_the_queue(app, client, role) -> None:
    factories.run()
    theirs = Runner(client, factories.signed_in(role, "runs:execute", "runs:write"))

    response = theirs.ask()

    assert response.status_code == 403
    assert response.json["details"]["required_scope"] == "runs:execute"


def test_a_blocked_account_claims_nothing(app, client, raw) -> None:
    factories.run()
    theirs = Runner(client, factories.signed_in("admin", "runs:execute", github_id=77))
    raw.execute("INSERT INTO blocked_users (user_id, comment) VALUES (77, '')")

    assert theirs.ask().status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"platform": "macos", "runner_name": "a"}, "platform"),
        ({"platform": "linux", "runner_name": ""}, "runner_name"),
        ({"platform": "linux", "runner_name": "a b"}, "runner_name"),
        ({"platform": "linux", "runner_name": "a\n"}, "runner_name"),
        ({"platform": "linux", "runner_name": "a" * 101}, "runner_name"),
        ({"platform": "linux", "runner_name": "a", "wait": 31}, "wait"),
        ({"platform": "linux", "runner_name": "a", "wait": -1}, "wait"),
        ({"platform": "linux", "runner_name": "a", "wait": "5"}, "wait"),
        ({"platform": "linux"}, "runner_name"),
    ],
)
def test_a_wrong_claim_is_refused_by_name(sqlite_app, client, ours, body, field) -> None:
    response = client.post(f"{API}/attempts", json=body, headers=ours.headers)

    assert response.status_code == 400
    assert field in response.json["details"]["fields"]


def test_a_waiting_claim_gets_the_run_that_comes(app, client, ours) -> None:
    found: list = []
    thread = threading.Thread(target=lambda: found.append(runner(app.test_client()).ask(wait=20)))
    thread.start()
    until(lambda: waiting.waiters.count == 1)
    run = factories.run()
    thread.join(PATIENCE_SECONDS)

    assert found[0].status_code == 201
    assert found[0].json["run"]["run_id"] == run.id


def test_waiting_claims_are_capped_and_hold_no_connection(make_app, site) -> None:
    app = make_app(max_waiters=2)
    found: list = []
    ours = [runner(app.test_client()) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda one=one: found.append(one.ask(wait=30))) for one in ours[:2]
    ]
    for thread in threads:
        thread.start()
    until(lambda: waiting.waiters.count == 2)

    refused = ours[2].ask(wait=30)

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert ours[2].ask(wait=0).status_code == 204
    with app.app_context():
        until(lambda: db.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
    for _ in threads:
        factories.run()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert [response.status_code for response in found] == [201, 201]
    assert ours[2].ask(wait=1).status_code == 204
