"""Rows of other programs that cannot be right harm no other run and no request.

Such a program has turned foreign keys off. Each row is written alone, beside runs in every state.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from mod_auth.scopes import Scope
from mod_test.rollup import derive
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.factories import RunRow, TestRow
from tests.raw import Raw
from tests.runners import runner

API = "/api/v1"
NEW = {"repository": "CCExtractor/ccextractor", "commit_sha": "a" * 40, "platform": "linux"}
NOWHERE = (0, -1, -7, 2_147_483_647)
LISTS = (
    "/runs", "/runs?include=summary&sort=started_at", "/runs?status=fail", "/runs?sort=-run_id",
    "/system/queue", "/branches", "/environments", "/regression-tests", "/samples", "/audit-log",
    "/baseline-approvals", "/auth/tokens", "/system/health", "/system/metrics",
)  # fmt: skip
OF_A_RUN = (
    "", "/summary", "/progress", "/config", "/samples", "/samples?status=fail", "/errors",
    "/error-summary", "/infrastructure-errors", "/artifacts", "/compare", "/events",
)  # fmt: skip
RUN = ("platform", "test_type", "token", "fork_id", "branch", "commit", "pr_nr")
GOOD_RUN = {
    "platform": "linux", "test_type": "commit", "token": "bad", "fork_id": 0, "branch": "master",
    "commit": "c" * 40, "pr_nr": 0,
}  # fmt: skip


class World:
    """Runs that are right: one that failed, one that goes on, one that waits; and a bad row."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.test: TestRow = factories.regression_test(categories=[factories.category()])
        self.other: TestRow = factories.regression_test(sample=self.test.sample)
        changed = factories.digest("changed")
        self.failed = self._run(["preparation", "testing", "completed"])
        factories.result(self.failed, self.test, outputs={self.test.output: changed})
        factories.result(self.failed, self.other, exit_code=3)
        self.going_on = self._run(["preparation", "testing"])
        factories.result(self.going_on, self.test)
        self.waiting = self._run([])
        self.victim = factories.run(progress=["preparation", "testing", "completed"])
        factories.result(self.victim, self.test)
        fork = factories.repository()
        self.run_values = {**GOOD_RUN, "fork_id": fork}

    def _run(self, progress: list[str]) -> RunRow:
        return factories.run(progress=progress, tests=[self.test, self.other])

    def stray_test(self) -> int:
        """A test with a result in the victim only."""
        stray = factories.regression_test()
        factories.result(self.victim, stray, exit_code=9)
        return stray.id

    @property
    def good(self) -> list[RunRow]:
        return [self.failed, self.going_on, self.waiting]

    def insert(self, table: str, **values: Any) -> None:
        names = ", ".join(f"`{name}`" for name in values)
        places = ", ".join("?" * len(values))
        with self.careless():
            self.raw.execute(
                f"INSERT INTO `{table}` ({names}) VALUES ({places})", list(values.values())
            )

    def change(self, statement: str, *params: Any) -> None:
        with self.careless():
            self.raw.execute(statement, params)

    @contextmanager
    def careless(self) -> Iterator[None]:
        """No foreign key is looked at, and zeros are taken as they are."""
        if self.raw.is_sqlite:
            self.raw.execute("PRAGMA foreign_keys = OFF")
        else:
            self.raw.execute("SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
        yield


def bad_rows(world: World) -> Iterator[tuple[str, Any]]:
    """Each bad row by its name, as what writes it."""
    victim, test = world.victim.id, world.test.id
    insert, change = world.insert, world.change
    at = "2026-02-01 00:00:00"

    for of in NOWHERE:
        yield (
            f"set of run {of}",
            lambda of=of: insert("customized_test", test_id=of, regression_id=test),
        )
        yield (
            f"set with test {of}",
            lambda of=of: insert("customized_test", test_id=victim, regression_id=of),
        )
        yield (
            f"result of run {of}",
            lambda of=of: insert(
                "test_result", test_id=of, regression_test_id=test, runtime=1, exit_code=0
            ),
        )
        yield (
            f"result of test {of}",
            lambda of=of: insert(
                "test_result", test_id=victim, regression_test_id=of, runtime=-5, exit_code=None
            ),
        )
        yield f"file of run {of}", lambda of=of: insert(
            "test_result_file", test_id=of, regression_test_id=test,
            regression_test_output_id=world.test.output.id, expected="", got="x",
        )  # fmt: skip
        yield f"file of test {of}", lambda of=of: insert(
            "test_result_file", test_id=victim, regression_test_id=of,
            regression_test_output_id=world.test.output.id, expected="", got="x",
        )  # fmt: skip
        yield f"file of output {of}", lambda of=of: insert(
            "test_result_file", test_id=victim, regression_test_id=test,
            regression_test_output_id=of, expected="\x7f", got="error",
        )  # fmt: skip
        yield (
            f"progress of run {of}",
            lambda of=of: insert(
                "test_progress", test_id=of, status="completed", timestamp=at, message=""
            ),
        )
        yield f"requester of run {of}", lambda of=of: insert("test_fork", test_id=of, user_id=1)
        yield f"requester {of}", lambda of=of: insert("test_fork", test_id=victim, user_id=of)
        yield f"fork {of}", lambda of=of: insert("test", **{**world.run_values, "fork_id": of})
        yield (
            f"test with sample {of}",
            lambda of=of: insert(
                "regression_test",
                sample_id=of,
                command="",
                input_type="?",
                output_type="",
                active=1,
            ),
        )
        yield (
            f"victim's test with sample {of}",
            lambda of=of: change(
                "UPDATE regression_test SET sample_id = ? WHERE id = ?", of, world.stray_test()
            ),
        )
        yield (
            f"output of test {of}",
            lambda of=of: insert(
                "regression_test_output",
                regression_id=of,
                correct="x",
                correct_extension="/..",
                ignore=0,
            ),
        )
        yield (
            f"variant of output {of}",
            lambda of=of: insert(
                "regression_test_output_files", regression_test_output_id=of, file_hashes="x"
            ),
        )
        yield (
            f"category of test {of}",
            lambda of=of: insert("regression_test_category", regression_id=of, category_id=of),
        )
        yield (
            f"category {of}",
            lambda of=of: insert("regression_test_category", regression_id=test, category_id=of),
        )
        yield (
            f"tag {of}",
            lambda of=of: insert(
                "sample_tag_association", sample_id=world.test.sample.id, tag_id=of
            ),
        )
        yield f"upload of sample {of}", lambda of=of: insert(
            "upload", sample_id=of, user_id=of, version_id=of, platform="amiga", parameters="",
            notes="",
        )  # fmt: skip
        yield (
            f"machine of run {of}",
            lambda of=of: insert("gcp_instance", name=f"vm{of}", test_id=of, timestamp=at),
        )
        yield f"record of run {of}", lambda of=of: insert("run_record", test_id=of, created_at=at)
        yield f"token of {of}", lambda of=of: insert(
            "api_token", user_id=of, token_name="t", token_hash="x", token_prefix="y",
            scopes_json="{", created_at=at, expires_at=at,
        )  # fmt: skip
    for of in NOWHERE[:3]:
        yield f"run {of}", lambda of=of: insert("test", id=of, **world.run_values)
        yield (
            f"run {of} that ended",
            lambda of=of: (
                insert("test", id=of, **world.run_values),
                insert("test_progress", test_id=of, status="completed", timestamp=at, message=""),
                insert("test_result", test_id=of, regression_test_id=test, runtime=1, exit_code=1),
            ),
        )
        yield (
            f"test {of}",
            lambda of=of: insert(
                "regression_test", id=of, sample_id=world.test.sample.id, command="", active=1
            ),
        )
        yield (
            f"output {of}",
            lambda of=of: insert(
                "regression_test_output",
                id=of,
                regression_id=test,
                correct="",
                correct_extension="",
            ),
        )
        yield (
            f"sample {of}",
            lambda of=of: insert(
                "sample", id=of, sha=f"no hash {of}", extension="/", original_name=""
            ),
        )
        yield f"result {of}, {of}, {of}", lambda of=of: (
            insert("test_result", test_id=of, regression_test_id=of, runtime=1, exit_code=1),
            insert(
                "test_result_file", test_id=of, regression_test_id=of, regression_test_output_id=of,
                expected="", got="error",
            ),
        )  # fmt: skip
        yield (
            f"user {of}",
            lambda of=of: insert("user", id=of, name="", email="", password="", role="king"),
        )
    for name, value in (
        ("platform", ""), ("platform", "amiga"), ("platform", "LINUX"), ("test_type", "?"),
        ("commit", ""), ("commit", "master"), ("branch", "b" * 5000), ("branch", "\n\u2028"),
        ("pr_nr", -5), ("token", ""), ("token", None), ("fork_id", None),
    ):  # fmt: skip
        yield (
            f"run with {name} {str(value)[:9]!r}",
            lambda name=name, value=value: insert("test", **{**world.run_values, name: value}),
        )
        yield (
            f"victim with {name} {str(value)[:9]!r}",
            lambda name=name, value=value: change(
                f"UPDATE test SET `{name}` = ? WHERE id = ?", value, victim
            ),
        )
    for status in ("", "bogus", "COMPLETED", "Canceled"):
        yield (
            f"progress {status!r}",
            lambda status=status: insert(
                "test_progress", test_id=victim, status=status, timestamp=at, message="m" * 2000
            ),
        )
    for moment in ("0000-00-00 00:00:00", "1000-01-01 00:00:00", "9999-12-31 23:59:59"):
        yield (
            f"progress at {moment}",
            lambda moment=moment: insert(
                "test_progress",
                test_id=victim,
                status="canceled",
                timestamp=moment,
                message="\x00 \x1b",
            ),
        )
        yield (
            f"taken at {moment}",
            lambda moment=moment: change(
                "UPDATE test_progress SET timestamp = ? WHERE test_id = ?", moment, victim
            ),
        )
        yield (
            f"created at {moment}",
            lambda moment=moment: change(
                "UPDATE run_record SET created_at = ? WHERE test_id = ?", moment, victim
            ),
        )
    for text in ("", "x", "ABCDEF" * 12, "../../etc/passwd", "e" * 60_000):
        yield f"got {text[:9]!r}", lambda text=text: change(
            "UPDATE test_result_file SET got = ?, expected = ? WHERE test_id = ?",
            text, text, victim,
        )  # fmt: skip
        yield f"baseline {text[:9]!r}", lambda text=text: insert(
            "regression_test_output", regression_id=test, correct=text,
            correct_extension=text[:64], expected_filename=text,
        )  # fmt: skip
    yield "numbers that are too large", lambda: change(
        "UPDATE test_result SET runtime = ?, exit_code = ? WHERE test_id = ?",
        2_147_483_647, -2_147_483_648, victim,
    )  # fmt: skip
    yield (
        "details that are no JSON",
        lambda: insert(
            "audit_event", at=at, action="x", subject_type="run", subject_id=victim, details="{"
        ),
    )
    yield "no repository", lambda: change("UPDATE fork SET github = ?", "git@nowhere")


class _Anything:
    """Stands for a world where only the names of the rows are asked for."""

    def __getattr__(self, name: str) -> Any:
        return self


KINDS = sorted({name.split()[0] for name, _ in bad_rows(_Anything())})  # type: ignore[arg-type]
# They add outputs to a test, or take the repository from all runs; the mean duration is of all.
CHANGE_MORE = ("baseline", "no", "taken")


def answers(client: FlaskClient, headers: dict[str, str], world: World) -> dict[str, Any]:
    """What is answered of the runs that are right. No request may fail."""
    found: dict[str, Any] = {}
    for path in LISTS:
        answer = client.get(f"{API}{path}", headers=headers)
        assert answer.status_code < 500, (path, answer.text)
    for run in (world.victim, *world.good):
        for part in OF_A_RUN:
            if part == "/events" and run is not world.failed:
                continue
            path = f"/runs/{run.id}{part}"
            answer = client.get(f"{API}{path}", headers=headers)
            assert answer.status_code < 500, (path, answer.text)
            if run is not world.victim and part != "/compare":
                found[path] = answer.status_code, answer.text
    history = client.get(f"{API}/samples/{world.test.sample.id}/history", headers=headers)
    assert history.status_code < 500, history.text
    return found


def write(world: World, kind: str) -> int:
    """Write the bad rows of a kind; how many the database took."""
    taken = 0
    for name, row in bad_rows(world):
        if name.split()[0] == kind:
            with suppress(sqlite3.Error, pymysql.Error):
                row()
                taken += 1
    return taken


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_cannot_be_right_harm_no_other_run_and_no_request(
    app: Flask, client: FlaskClient, raw: Raw, kind: str
) -> None:
    world = World(raw)
    headers = factories.signed_in("admin", *Scope)
    with app.app_context():
        settle_marks()
    client.checks = False  # some of the ids are below 1
    before = answers(client, headers, world)
    assert write(world, kind)

    marked = answers(client, headers, world)
    with app.app_context():
        settle_marks()
    settled = answers(client, headers, world)
    started = client.post(f"{API}/runs", json=NEW, headers=headers)
    held = None if kind == "no" else runner(client).claim()
    checked = app.test_cli_runner().invoke(args=["check"])
    factories.event(world.going_on, "completed")
    with app.app_context():
        settle_marks()
    ended = client.get(f"{API}/runs/{world.going_on.id}", headers=headers)

    if kind not in CHANGE_MORE:
        assert marked == before
        assert settled == before
    assert settled.keys() == before.keys()
    assert started.status_code == 202, started.text
    assert held is None or held.run_id
    assert checked.exception is None or isinstance(checked.exception, SystemExit), checked.output
    assert kind == "no" or ended.json["status"] in ("incomplete", "fail")


def test_a_run_that_cannot_be_derived_is_named_and_keeps_no_other_from_being_kept(
    app: Flask, client: FlaskClient, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows of such a row; what would happen is tried with a rule that fails for one run."""
    world = World(raw)
    headers = factories.signed_in("admin", *Scope)
    cause = derive.end_failure

    def fails(of: Any, message: str) -> Any:
        if message == "beyond all rules":
            raise ValueError(message)
        return cause(of, message)

    monkeypatch.setattr(derive, "end_failure", fails)
    factories.event(world.victim, "canceled", "beyond all rules")
    with app.app_context(), capture_logs() as logs:
        settle_marks()
        marks = raw.execute("SELECT count(*) FROM rollup_mark")
    answers(client, headers, world)
    victim = client.get(f"{API}/runs/{world.victim.id}", headers=headers).json
    checked = app.test_cli_runner().invoke(args=["check"])
    kept = raw.execute("SELECT test_id FROM run_rollup ORDER BY test_id")

    assert [(entry["event"], entry["run_id"]) for entry in logs] == [
        ("run_not_derived", world.victim.id)
    ]
    assert marks == [(0,)]
    assert [run_id for (run_id,) in kept] == [run.id for run in world.good]
    assert victim["status"] == "canceled"
    assert "1 runs are derived each time" in checked.output
    assert f"Where {world.victim.id} is still derived each time" in checked.output
