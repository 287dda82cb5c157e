"""Whoever writes, and whatever: every answer is right at that moment.

A program that knows nothing of ours changes the given tables in raw SQL; after every few
statements a reader asks, and gets what a full derivation gives.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from database import db, reading
from mod_test.models import Result, Run
from mod_test.rollup import rebuild
from mod_test.rollup.settle import settle_marks
from mod_test.rollup.tables import OpenRun, RunRollup
from mod_test.run_rows import Last, joined
from mod_test.verdict import RunStatus, result_verdicts, status_of_run
from tests import factories
from tests.raw import Raw

TESTS, OUTPUTS, RUNS = 4, 2, 8
HASHES = [factories.digest(f"content {number}") for number in range(4)]
NOW = "2026-01-02 00:00:00"


class Foreign:
    """Another program's writes, chosen at random from what it may do."""

    def __init__(self, raw: Raw, chance: random.Random, tests: list[Any], runs: list[int]) -> None:
        self.raw, self.chance, self.runs = raw, chance, runs
        self.tests = [test.id for test in tests]
        self.outputs = [(test.id, output.id) for test in tests for output in test.outputs]
        self.sample_of = {test.id: test.sample.id for test in tests}

    def act(self) -> None:
        actions: list[Callable[[], None]] = [
            self.end, self.end, self.result, self.result, self.output, self.output,
            self.approve, self.variant, self.drop_variant, self.restart, self.choose,
            self.forget_result, self.expect, self.ignore, self.add_run, self.remove_run,
            self.forget_outputs, self.remove_test,
        ]  # fmt: skip
        self.chance.choice(actions)()

    def run(self) -> int:
        return self.chance.choice(self.runs)

    def end(self) -> None:
        status = self.chance.choice(["completed", "completed", "canceled", "testing"])
        self.raw.execute(
            "INSERT INTO test_progress (test_id, status, timestamp, message) VALUES (?, ?, ?, ?)",
            (self.run(), status, NOW, "raw"),
        )

    def result(self) -> None:
        run, test = self.run(), self.chance.choice(self.tests)
        self.raw.execute(
            "DELETE FROM test_result WHERE test_id = ? AND regression_test_id = ?", (run, test)
        )
        code = self.chance.choice([0, 0, 0, 1, None])
        self.raw.execute(
            "INSERT INTO test_result (test_id, regression_test_id, runtime, exit_code, expected_rc)"
            " VALUES (?, ?, 5, ?, ?)",
            (run, test, code, self.chance.choice([0, None])),
        )
        if self.chance.random() < 0.7:
            for owner, output in self.outputs:
                if owner == test:
                    self._output(run, test, output)

    def output(self) -> None:
        test, output = self.chance.choice(self.outputs)
        self._output(self.run(), test, output)

    def _output(self, run: int, test: int, output: int) -> None:
        key = (run, test, output)
        where = "test_id = ? AND regression_test_id = ? AND regression_test_output_id = ?"
        self.raw.execute(f"DELETE FROM test_result_file WHERE {where}", key)
        got = self.chance.choice([None, *HASHES])
        self.raw.execute(
            "INSERT INTO test_result_file (test_id, regression_test_id, regression_test_output_id,"
            " expected, got) VALUES (?, ?, ?, ?, ?)",
            (*key, HASHES[0], got),
        )

    def approve(self) -> None:
        self.raw.execute(
            "UPDATE regression_test_output SET correct = ? WHERE id = ?",
            (self.chance.choice([*HASHES, None]), self.chance.choice(self.outputs)[1]),
        )

    def variant(self) -> None:
        self.raw.execute(
            "INSERT INTO regression_test_output_files (file_hashes, regression_test_output_id)"
            " VALUES (?, ?)",
            (self.chance.choice(HASHES), self.chance.choice(self.outputs)[1]),
        )

    def drop_variant(self) -> None:
        self.raw.execute(
            "DELETE FROM regression_test_output_files WHERE regression_test_output_id = ?",
            (self.chance.choice(self.outputs)[1],),
        )

    def restart(self) -> None:
        run = self.run()
        with self.raw.transaction():
            for table in ("test_result_file", "test_result", "test_progress"):
                self.raw.execute(f"DELETE FROM {table} WHERE test_id = ?", (run,))

    def choose(self) -> None:
        run = self.run()
        if self.chance.random() < 0.5:
            self.raw.execute("DELETE FROM customized_test WHERE test_id = ?", (run,))
        else:
            self.raw.execute(
                "INSERT INTO customized_test (test_id, regression_id) VALUES (?, ?)",
                (run, self.chance.choice(self.tests)),
            )

    def forget_result(self) -> None:
        self.raw.execute(
            "DELETE FROM test_result WHERE regression_test_id = ? AND test_id = ?",
            (self.chance.choice(self.tests), self.run()),
        )

    def forget_outputs(self) -> None:
        self.raw.execute("DELETE FROM test_result_file WHERE test_id = ?", (self.run(),))

    def expect(self) -> None:
        self.raw.execute(
            "UPDATE regression_test SET expected_rc = ? WHERE id = ?",
            (self.chance.choice([0, 1, None]), self.chance.choice(self.tests)),
        )

    def ignore(self) -> None:
        self.raw.execute(
            "UPDATE regression_test_output SET `ignore` = ? WHERE id = ?",
            (self.chance.choice([0, 1, None]), self.chance.choice(self.outputs)[1]),
        )

    def add_run(self) -> None:
        self.raw.execute(
            "INSERT INTO test (platform, test_type, fork_id, branch, `commit`, pr_nr)"
            " SELECT platform, test_type, fork_id, branch, `commit`, pr_nr FROM test LIMIT 1"
        )
        assert self.raw.last_id is not None
        self.runs.append(self.raw.last_id)

    def remove_run(self) -> None:
        if len(self.runs) < 3:
            return
        run = self.runs.pop(self.chance.randrange(len(self.runs)))
        self.raw.execute("DELETE FROM customized_test WHERE test_id = ?", (run,))
        self.raw.execute("DELETE FROM test WHERE id = ?", (run,))

    def remove_test(self) -> None:
        """By way of its sample or itself, whose children go by cascades that fire no trigger."""
        if len(self.tests) < 3 or self.chance.random() < 0.6:
            return
        test = self.tests.pop(self.chance.randrange(len(self.tests)))
        for owner, output in [pair for pair in self.outputs if pair[0] == test]:
            self.outputs.remove((owner, output))
            self.raw.execute(
                "DELETE FROM regression_test_output_files WHERE regression_test_output_id = ?",
                (output,),
            )
            self.raw.execute("DELETE FROM regression_test_output WHERE id = ?", (output,))
        if self.chance.random() < 0.5:
            self.raw.execute("DELETE FROM sample WHERE id = ?", (self.sample_of[test],))
        else:
            self.raw.execute("DELETE FROM regression_test WHERE id = ?", (test,))


@pytest.mark.parametrize("seed", range(3))
def test_every_answer_is_right_whatever_another_program_writes(
    app: Flask, client: FlaskClient, raw: Raw, seed: int
) -> None:
    tests = [
        factories.regression_test(
            outputs=[factories.Expected(correct=HASHES[0]) for _ in range(OUTPUTS)]
        )
        for _ in range(TESTS)
    ]
    runs = [factories.run().id for _ in range(RUNS)]
    headers = factories.signed_in("contributor", "runs:read")
    foreign = Foreign(raw, random.Random(seed), tests, runs)  # noqa: S311  reproducible, not secret

    for _ in range(15):
        for _ in range(foreign.chance.randrange(1, 8)):
            foreign.act()
        if foreign.chance.random() < 0.3:
            with app.app_context():
                settle_marks()

        assert answered(client, headers) == derived(app)
    with app.app_context():
        settle_marks()
        assert list(rebuild.verify()) == []
        assert_each_run_is_rolled_up_or_open()


def test_a_rebuild_gives_what_the_marks_give(app: Flask, client: FlaskClient, raw: Raw) -> None:
    tests = [factories.regression_test() for _ in range(3)]
    runs = [factories.run(progress=["testing", "completed"]) for _ in range(3)]
    factories.result(runs[0], tests[0])
    factories.result(runs[1], tests[0], exit_code=1)
    headers = factories.signed_in("contributor", "runs:read")
    before = answered(client, headers)
    raw.execute("DELETE FROM run_rollup")
    raw.execute("DELETE FROM failing_result")
    raw.execute("DELETE FROM open_run")

    with app.app_context():
        assert list(rebuild.rebuild())[-1] == (runs[-1].id, 3)

        assert_each_run_is_rolled_up_or_open()
        assert list(rebuild.verify()) == []
    assert answered(client, headers) == before


def test_a_rollup_that_was_tampered_with_is_found(
    app: Flask, client: FlaskClient, raw: Raw
) -> None:
    run = factories.run(progress=["completed"])

    with app.app_context():
        settle_marks()
        raw.execute("UPDATE run_rollup SET status = 'pass'")
        assert [difference.run_id for difference in rebuild.verify()] == [run.id]


def answered(client: FlaskClient, headers: dict[str, str]) -> dict[int, Any]:
    """What the API says of every run: status and counts; filters must say the same."""
    found = {}
    listed = client.get("/api/v1/runs?limit=100", headers=headers).get_json()["data"]
    for run in listed:
        summary = client.get(f"/api/v1/runs/{run['run_id']}/summary", headers=headers).get_json()
        assert summary["status"] == run["status"]
        found[run["run_id"]] = (
            run["status"],
            summary["pass_count"],
            summary["fail_count"],
            summary["missing_output_count"],
            summary["error_count"],
        )
    for status in RunStatus:
        page = client.get(f"/api/v1/runs?limit=100&status={status.value}", headers=headers)
        ids = {run["run_id"] for run in page.get_json()["data"]}
        assert ids == {run_id for run_id, (seen, *_) in found.items() if seen == status.value}
        assert page.get_json()["pagination"]["total"] == len(ids)
    return found


def derived(app: Flask) -> dict[int, Any]:
    """The same by a full derivation, which looks at the given tables only."""
    with app.app_context(), reading():
        statuses = dict(db.session.execute(joined(Run.id, status_of_run(Last))).tuples().all())
        counts = {run_id: [0, 0, 0, 0] for run_id in statuses}
        for row in db.session.execute(result_verdicts(Result.test_id.in_(list(statuses)))):
            place = ("pass", "fail", "missing_output").index(row.status)
            counts[row.test_id][place] += 1
            counts[row.test_id][3] += int(row.errors)
    return {run_id: (status, *counts[run_id]) for run_id, status in statuses.items()}


def assert_each_run_is_rolled_up_or_open() -> None:
    with reading():
        runs = set(db.session.scalars(select(Run.id)))
        rolled = set(db.session.scalars(select(RunRollup.test_id)))
        waiting = set(db.session.scalars(select(OpenRun.test_id)))
    assert rolled | waiting == runs
    assert not rolled & waiting
