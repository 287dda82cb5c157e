"""Whatever is missing or wrong of what is kept is found, and made right by a rebuild."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_test.rollup import rebuild, verify
from mod_test.rollup.settle import settle_marks
from mod_test.rollup.tables import TABLES
from tests import factories
from tests.mod_api.test_check import check, lines
from tests.raw import Raw

ALL = [f"DELETE FROM {table.__tablename__}" for table in reversed(TABLES)]


@pytest.fixture
def runs(app: Flask) -> list[factories.RunRow]:
    """A run that passed, one that failed and one that waits, all settled."""
    tests = [factories.regression_test() for _ in range(2)]
    found = [factories.run(progress=["testing", "completed"]) for _ in range(2)]
    found.append(factories.run())
    for run in found[:2]:
        for test in tests:
            factories.result(run, test, exit_code=int(run is found[1]))
    with app.app_context():
        settle_marks()
    return found


@pytest.fixture
def headers(app: Flask) -> dict[str, str]:
    return factories.signed_in("contributor", "runs:read", "results:read")


def answers(client: FlaskClient, headers: dict[str, str], runs: list[factories.RunRow]) -> object:
    def ask(path: str) -> Any:
        return client.get(f"/api/v1{path}", headers=headers).get_json()

    sample_id = ask("/samples")["data"][0]["sample_id"]
    paths = ["/runs", f"/samples/{sample_id}/history", *(f"/runs/{run.id}/summary" for run in runs)]
    return [ask(path) for path in paths]


@pytest.mark.parametrize(
    ("damage", "subject", "what"),
    [
        ("DELETE FROM run_rollup WHERE test_id = {first}", "run {first}", "is not kept"),
        ("DELETE FROM open_run WHERE test_id = {last}", "run {last}", "goes on, and is not open"),
        (
            "INSERT INTO open_run (test_id, settled) VALUES ({first}, 1)",
            "run {first}",
            "has ended, and is open",
        ),
        (
            "UPDATE run_rollup SET status = 'fail' WHERE test_id = {first}",
            "run {first}",
            "status: kept 'fail', is 'pass'",
        ),
        ("DELETE FROM failing_result", "run {second}", "failing: kept []"),
        ("DELETE FROM run_set_member", "set ", "does not have the members"),
    ],
)
def test_damage_is_found_and_repaired(
    app: Flask,
    client: FlaskClient,
    headers: dict[str, str],
    raw: Raw,
    runs: list[factories.RunRow],
    damage: str,
    subject: str,
    what: str,
) -> None:
    before = answers(client, headers, runs)
    ids = {"first": runs[0].id, "second": runs[1].id, "last": runs[2].id}
    raw.execute(damage.format(**ids))

    with app.app_context():
        found = list(verify.differences())
        assert [one for one in found if one.subject.startswith(subject.format(**ids))]
        assert [one for one in found if what in one.what], found

        assert rebuild.prepare()
        list(rebuild.rebuild())
        assert list(verify.differences()) == []
    assert answers(client, headers, runs) == before


def test_tables_that_were_emptied_are_told_and_filled_again(
    app: Flask,
    client: FlaskClient,
    headers: dict[str, str],
    raw: Raw,
    runs: list[factories.RunRow],
) -> None:
    before = answers(client, headers, runs)
    for statement in ALL:
        raw.execute(statement)

    result = check(app)
    assert result.exit_code == 1
    assert lines(result, "rollup")[0][1].startswith("3 runs are left out of every answer")

    done = app.test_cli_runner().invoke(args=["rollup", "rebuild"])
    assert done.exit_code == 0, done.output
    assert answers(client, headers, runs) == before
    assert not lines(check(app), "rollup")


def test_what_a_rebuild_left_undone_is_told(
    app: Flask, raw: Raw, runs: list[factories.RunRow]
) -> None:
    raw.execute("DELETE FROM failing_result")
    raw.execute("DELETE FROM run_rollup")
    raw.execute("DELETE FROM open_run")
    with app.app_context():
        rebuild.prepare()
        list(rebuild.rebuild(after=runs[1].id))
        assert list(verify.differences()) == []

    assert lines(check(app), "rollup") == [
        ("warn", "2 runs are derived each time: `flask --app run rollup rebuild`.")
    ]


def test_a_trigger_that_is_missing_while_something_is_kept_is_a_failure(
    app: Flask, raw: Raw, runs: list[factories.RunRow]
) -> None:
    raw.execute("DROP TRIGGER rollup_result_update_row")
    try:
        level, message = lines(check(app), "triggers")[-1]
    finally:
        with app.app_context():
            assert rebuild.prepare()

    assert (level, "answers may be out of date" in message) == ("fail", True)
    assert lines(check(app), "triggers")[-1][0] == "ok"
