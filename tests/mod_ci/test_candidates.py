"""Which runs a claim looks at: it finds the oldest that waits without reading all the others."""

import contextlib
import threading

import pytest
from sqlalchemy import insert, text

from config import Settings
from database import db, fetch, migrating, reading, writing
from mod_auth import tokens
from mod_ci import open_runs, queue
from mod_test.models import Platform
from mod_test.rollup.settle import settle_marks
from mod_test.rollup.tables import RollupMark
from run import create_app
from tests import factories
from tests.conftest import SETTINGS_DEFAULTS
from tests.mod_ci.attempts import status
from tests.patience import until
from tests.raw import Raw
from tests.runners import API, runner


def candidates() -> list[int]:
    wanted = {"platform": Platform.linux, "after": 0, "most": 4}
    return [row.test_id for row in fetch(open_runs.OLDEST_CANDIDATES, wanted)]


def test_runs_that_nobody_gets_are_passed_by_however_many_are_older(app, client, ours, raw) -> None:
    for _ in range(queue.FIRST_CANDIDATES + 2):
        factories.run(commit="not a commit")
    started_elsewhere = factories.run(progress=["preparation", "testing"])
    runs = [factories.run(), factories.run()]
    with app.app_context():
        settle_marks()

    assert [ours.claim().run_id, ours.claim().run_id] == [run.id for run in runs]
    assert ours.ask().status_code == 204
    assert started_elsewhere.id not in {
        run_id for (run_id,) in raw.execute("SELECT test_id FROM run_attempt")
    }


def test_a_run_that_ended_a_moment_ago_is_no_candidate(app, client, ours, raw) -> None:
    held, waits = (factories.run(), factories.run())
    assert ours.claim().finish().status_code == 200
    assert raw.execute("SELECT lease_expires_at FROM run_record") == [(None,), (None,)]
    if not raw.execute("SELECT 1 FROM open_run WHERE test_id = ?", [held.id]):  # it was settled
        raw.execute("INSERT INTO open_run (test_id) VALUES (?)", [held.id])

    with app.app_context(), reading():
        assert candidates() == [waits.id]


def test_a_claim_does_not_look_through_marks_of_results(mariadb, sites) -> None:
    site = sites("mariadb")
    site.empty()
    with site.app.app_context():
        factories.bind(db.engine)
        run = factories.run()
        settle_marks()
        marks, rows_read = 2000, text("SHOW SESSION STATUS LIKE 'Handler_read%'")
        with writing():
            db.session.execute(insert(RollupMark), [{"kind": "r", "run_id": run.id}] * marks)
        with writing():
            before = dict(db.session.execute(rows_read).all())
            assert candidates() == [run.id]
            after = dict(db.session.execute(rows_read).all())

    assert sum(int(after[name]) - int(before[name]) for name in before) < marks / 2


def test_a_restart_by_the_existing_site_makes_a_live_attempt_lose_its_lease(
    app, client, ours, reader, raw
) -> None:
    test = factories.regression_test()
    run = factories.run(tests=[test])
    held = ours.claim()
    assert held.report(test.id, {test.output.id: test.output.correct}).status_code == 200
    for table in ("test_result_file", "test_result", "test_progress"):
        raw.execute(f"DELETE FROM {table} WHERE test_id = ?", [run.id])

    assert status(client, reader, run.id) == "queued"
    assert held.heartbeat().json["code"] == "lease_lost"
    report = held.report(test.id, {test.output.id: test.output.correct})
    assert (report.status_code, report.json["code"]) == (409, "lease_lost")
    again = ours.claim()
    assert again.claim["attempt"] == 2
    assert again.tests == [test.id]
    assert held.finish().json["code"] == "lease_lost"


def rolled_up(raw) -> set[int]:
    return {run_id for (run_id,) in raw.execute("SELECT test_id FROM run_rollup")}


def test_a_run_that_is_rolled_up_and_restarted_by_the_existing_site_is_the_first_of_the_queue(
    app, client, ours, reader, raw
) -> None:
    test = factories.regression_test()
    ended = factories.run(tests=[test], progress=["preparation", "completed"])
    newer = factories.run(tests=[test])
    with app.app_context():
        settle_marks()
    assert ended.id in rolled_up(raw)
    raw.execute("DELETE FROM test_progress WHERE test_id = ?", [ended.id])

    assert ended.id in rolled_up(raw)  # nothing has been asked since, so nothing was settled
    assert ours.claim().run_id == ended.id
    queue = client.get(f"{API}/system/queue", headers=reader).json
    assert [(job["run_id"], job["status"], job["position"]) for job in queue["data"]] == [
        (ended.id, "running", None),
        (newer.id, "queued", 1),
    ]


def test_positions_and_claims_agree_on_a_run_that_was_restarted(app, client, ours, raw, reader):
    ended = factories.run(progress=["preparation", "canceled"])
    newer = factories.run()
    with app.app_context():
        settle_marks()
    raw.execute("DELETE FROM test_progress WHERE test_id = ?", [ended.id])

    queue = client.get(f"{API}/system/queue", headers=reader).json

    assert [(job["run_id"], job["position"]) for job in queue["data"]] == [
        (ended.id, 1),
        (newer.id, 2),
    ]
    assert [ours.claim().run_id, ours.claim().run_id] == [ended.id, newer.id]


def test_a_run_that_has_ended_and_is_not_settled_yet_neither_waits_nor_runs(
    app, client, ours, raw, reader
) -> None:
    ended = factories.run(progress=["preparation", "completed"])

    assert raw.execute("SELECT test_id FROM open_run") == [(ended.id,)]
    assert ours.ask().status_code == 204
    queue = client.get(f"{API}/system/queue", headers=reader).json
    assert (queue["data"], queue["queue_depth"], queue["running_count"]) == ([], 0, 0)


def test_runs_that_others_have_locked_are_passed_by_however_many(mariadb, sites) -> None:
    site = sites("mariadb")
    site.empty()
    with site.app.app_context():
        factories.bind(db.engine)
    runs = [factories.run() for _ in range(open_runs.CANDIDATES + 6)]
    with contextlib.closing(Raw(site.url)) as holder, holder.transaction():
        for run in runs[:-1]:
            holder.execute("SELECT id FROM test WHERE id = ? FOR UPDATE", [run.id])

        claimed = runner(site.app.test_client()).claim()

    assert claimed.run_id == runs[-1].id


def test_without_triggers_new_runs_are_found_and_ended_ones_are_not(mariadb, worker, tmp_path):
    name = f"tests_queue_limited_{worker}"
    mariadb.fresh(name)
    settings = Settings(
        **SETTINGS_DEFAULTS,
        database_url=mariadb.url(name, limited=True),
        sample_repository=tmp_path / "repository",
    )
    app = create_app(settings)
    try:
        with app.app_context():
            migrating.upgrade()
            factories.bind(db.engine)
        ended = factories.run(progress=["preparation", "completed"])
        runs = [factories.run() for _ in range(3)]
        ours = runner(app.test_client())
        reader = factories.signed_in("user", "system:read")

        first = ours.claim()
        queue = app.test_client().get(f"{API}/system/queue", headers=reader).json

        assert first.run_id == runs[0].id
        assert [job["run_id"] for job in queue["data"]] == [run.id for run in runs]
        assert (queue["queue_depth"], queue["running_count"]) == (2, 1)
        with contextlib.closing(Raw(mariadb.url(name))) as raw:
            raw.execute("DELETE FROM test_progress WHERE test_id = ?", [ended.id])
        assert ours.claim().run_id == ended.id
        # Nothing tells that this one, whose lease is held, was restarted: all are looked at.
        with contextlib.closing(Raw(mariadb.url(name))) as raw:
            raw.execute("DELETE FROM test_progress WHERE test_id = ?", [first.run_id])
        assert ours.claim().run_id == first.run_id
    finally:
        with app.app_context():
            db.engine.dispose()
        mariadb.drop(name)


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_held_run_that_is_restarted_is_the_first_of_the_queue(
    app, client, ours, raw, is_settled
) -> None:
    held, waits = factories.run(), factories.run()
    assert ours.claim().run_id == held.id
    raw.execute("DELETE FROM test_progress WHERE test_id = ?", [held.id])
    if is_settled:
        with app.app_context():
            settle_marks()

    assert [ours.claim().run_id, ours.claim().run_id] == [held.id, waits.id]
    assert ours.ask().status_code == 204


def test_settling_ends_no_lease_of_a_run_that_goes_on(app, client, ours, raw) -> None:
    factories.run()
    held = ours.claim()
    factories.run()
    raw.execute("UPDATE test_progress SET message = 'Translated.' WHERE test_id = ?", [held.run_id])
    with app.app_context():
        settle_marks()

    assert held.heartbeat().status_code == 200
    assert ours.claim().run_id != held.run_id


def test_a_claim_does_not_look_through_the_progress_of_runs_that_are_executed(
    mariadb, sites
) -> None:
    site = sites("mariadb")
    site.empty()
    rows_read = text("SHOW SESSION STATUS LIKE 'Handler_read%'")

    def read_for_candidates() -> int:
        with site.app.app_context(), writing():
            before = dict(db.session.execute(rows_read).all())
            assert candidates() == [waits.id]
            after = dict(db.session.execute(rows_read).all())
        return sum(int(after[name]) - int(before[name]) for name in before)

    with site.app.app_context():
        factories.bind(db.engine)
    ours = runner(site.app.test_client())
    executed = [factories.run() for _ in range(20)]
    waits = factories.run()
    for _ in executed[:10]:
        ours.claim()
    with site.app.app_context():
        settle_marks()
    for _ in executed[10:]:
        ours.claim()
    of_twenty = read_for_candidates()
    # One row of the open runs and one record for each of them.
    assert of_twenty < 3 * len(executed)


def test_an_attempt_whose_run_was_restarted_is_ended_by_expire_also_when_another_executes_it(
    app, client, ours, raw
) -> None:
    held = factories.run()
    ours.claim()
    raw.execute("DELETE FROM test_progress WHERE test_id = ?", [held.id])
    with app.app_context():
        settle_marks()
    raw.execute(
        "INSERT INTO gcp_instance (name, test_id, timestamp) VALUES ('vm', ?, '2026-01-01')",
        [held.id],
    )
    raw.execute(
        "INSERT INTO test_progress (test_id, status, timestamp, message) "
        "VALUES (?, 'testing', '2026-01-01', '')",
        [held.id],
    )
    with app.app_context():
        until(lambda: queue.expire() == 1)  # a lease ends at its last millisecond

    assert raw.execute("SELECT end_reason FROM run_attempt") == [("lease_expired",)]
    assert raw.execute("SELECT count(*) FROM lost_lease") == [(1,)]


def test_a_claim_of_a_restarted_run_leaves_the_next_one_to_others(mariadb, sites) -> None:
    site = sites("mariadb")
    site.empty()
    with site.app.app_context():
        factories.bind(db.engine)
    ours = runner(site.app.test_client())
    restarted = factories.run(progress=["preparation", "completed"])
    with site.app.app_context():
        settle_marks()
        factories.run()
        waits = factories.run()
        with contextlib.closing(Raw(site.url)) as raw:
            assert ours.claim().run_id not in (restarted.id, waits.id)
            raw.execute("DELETE FROM test_progress WHERE test_id = ?", [restarted.id])
        with writing():
            caller = tokens.authenticate(ours.headers["Authorization"].removeprefix("Bearer "))
            found = queue.claim(
                Platform.linux, "slow", caller=caller, lease_seconds=60, run_time_limit=60
            )
            assert found.run_id == restarted.id
            others: list[int] = []
            # In its own thread: this one is in the middle of its claim.
            other = threading.Thread(target=lambda: others.append(ours.claim().run_id))
            other.start()
            other.join()
            assert others == [waits.id]
