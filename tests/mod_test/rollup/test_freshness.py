"""Whoever writes, and whatever: every answer is right at that moment.

Another process, which knows nothing of ours, changes the given tables in raw SQL. While it rests,
every answer is held against that with nothing kept; while it writes, what is kept is held against
a derivation in the same snapshot. `FRESHNESS_SECONDS` says for how long (of each test, 6 unless
said), `FRESHNESS_SEED` from where.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from database import db, reading
from mod_api.middleware import rollups
from mod_regression.definitions import definitions_of
from mod_regression.models import RegressionTest
from mod_test import catalogue, run_rows, sets
from mod_test.models import Result, Run
from mod_test.rollup import kept, rebuild, settle, verify
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.settle import settle_marks, settled_reading
from mod_test.rollup.tables import FailingResult, OpenRun, RunRollup, RunSetMember
from mod_test.run_counts import counts_of_runs
from mod_test.run_rows import Last, joined
from mod_test.verdict import ResultStatus, result_verdicts, status_of_run
from tests import factories
from tests.conftest import Site
from tests.mod_test.rollup.answers import (
    answers,
    assert_same,
    derived_answers,
    questions,
)
from tests.mod_test.rollup.foreign import HASHES
from tests.patience import PATIENCE_SECONDS
from tests.raw import Raw

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SECONDS = float(os.environ.get("FRESHNESS_SECONDS", "6"))
SEED = int(os.environ.get("FRESHNESS_SEED", "1"))
ASKED = 25


class OtherProcess:
    """The program that writes, told what to do line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline(), "the other program has died"

    def write(self, transactions: int) -> None:
        """Let it make some transactions, and wait until it has."""
        self.tell(str(transactions))
        self.wait()


@pytest.fixture
def other(app: Flask, site: Site) -> Iterator[OtherProcess]:
    """A process that writes into the application's database, where there are some runs."""
    make_runs()
    command = [sys.executable, "-m", "tests.mod_test.rollup.foreign", site.url, str(SEED)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield OtherProcess(process)
        process.kill()


@pytest.fixture
def headers(app: Flask) -> dict[str, str]:
    return factories.signed_in("contributor", "runs:read", "results:read")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are few runs: let some marks be settled before the answer all the same, the others
    after each answer, and in steps."""
    monkeypatch.setattr(kept, "FEW", 3)
    monkeypatch.setattr(settle, "MARKS_AT_ONCE", 11)
    monkeypatch.setattr(settle, "RUNS_AT_ONCE", 2)
    monkeypatch.setattr(rollups, "SECONDS_BETWEEN", 0)


def make_runs() -> None:
    sample = factories.sample()
    of_sample = [sample, sample, factories.sample(), factories.sample()]
    tests = [
        factories.regression_test(
            sample=each, outputs=[factories.Expected(correct=HASHES[0]) for _ in range(2)]
        )
        for each in of_sample
    ]
    factories.repository("someone/ccextractor")
    for number in range(8):
        run = factories.run(
            platform=("linux", "windows")[number % 2],
            progress=["testing", "completed"],
            tests=tests[:3] if number == 3 else (),
        )
        for place, test in enumerate(tests):
            factories.result(run, test, exit_code=int(place == number % 5))


def test_every_answer_is_right_whatever_another_program_has_written(
    app: Flask, client: FlaskClient, raw: Raw, headers: dict[str, str], other: OtherProcess
) -> None:
    chance = random.Random(SEED)  # noqa: S311  reproducible, not secret
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        other.write(chance.choice([1, 1, 1, 2, 6]))
        asked = questions(raw)
        asked = asked[:1] + chance.sample(asked[1:], min(ASKED, len(asked) - 1))

        derived = derived_answers(client, headers, raw, asked)
        assert_same(answers(client, headers, asked), derived)
        if chance.random() < 0.3:
            with app.app_context():
                settle_marks()
            assert_same(answers(client, headers, asked), derived)
    assert_all_is_right(app, client, raw, headers)


def test_what_is_kept_is_right_in_every_snapshot_while_another_program_writes(
    app: Flask, client: FlaskClient, raw: Raw, headers: dict[str, str], other: OtherProcess
) -> None:
    chance = random.Random(SEED)  # noqa: S311  reproducible, not secret
    until = time.monotonic() + SECONDS
    kept = 0
    other.tell("0")
    # On a busy machine it takes longer until something is kept in a snapshot.
    while time.monotonic() < until or not kept:
        assert time.monotonic() < until + PATIENCE_SECONDS, "nothing was ever kept"
        with app.app_context():
            kept += assert_kept_is_derived()
        asked = questions(raw)
        for question in chance.sample(asked, min(3, len(asked))):
            assert_consistent(client, headers, question)
    other.tell("stop")
    other.wait()
    assert_all_is_right(app, client, raw, headers)


def assert_consistent(client: FlaskClient, headers: dict[str, str], question: str) -> None:
    """What holds of an answer in whatever moment it was given."""
    ((code, body, *_),) = answers(client, headers, [question]).values()
    assert code in (200, 404), (question, body)  # what is asked for may have gone meanwhile
    if code == 404 or not isinstance(body, dict):
        return
    rows = body.get("data", [])
    if "limit=100" in question:
        assert body["pagination"]["total"] == len(rows), question
    asked = dict(pair.split("=") for pair in question.partition("?")[2].split("&") if "=" in pair)
    for row in rows:
        for name in asked.keys() & {"status", "platform", "branch", "regression_id"}:
            if question.startswith("/runs?") or name in ("platform", "branch", "regression_id"):
                assert str(row[name]) == asked[name], question
        if "result_status" in asked:
            assert row["status"] == asked["result_status"], question
        if "summary" in row:
            assert_counts_are_of(row["summary"], row["status"])
    if "total_samples" in body:
        assert_counts_are_of(body, body["status"])


def assert_counts_are_of(summary: dict[str, Any], status: str) -> None:
    """Counts and status of a run agree with each other."""
    names = ("pass_count", "fail_count", "missing_output_count", "skipped_count")
    assert summary["total_samples"] == sum(summary[name] for name in names)
    failures = summary["fail_count"] + summary["missing_output_count"]
    assert summary["error_count"] >= failures
    assert bool(failures) == bool(summary["error_count"])
    if status in ("pass", "error", "incomplete"):
        assert failures == 0
    if status == "fail":
        assert failures > 0
    assert (summary["skipped_count"] > 0) or status != "incomplete"


def assert_kept_is_derived() -> int:
    """Hold what is kept against the given tables, in one snapshot; how many runs are kept."""
    with settled_reading():
        rows = [run_rows.as_run(row) for row in db.session.execute(run_rows.ROWS)]
        counts = counts_of_runs(rows)
        kept = list(db.session.scalars(select(RunRollup.test_id).where(IS_KEPT)))
        ended = RunRollup.set_id.is_not(None)
        kept_ended = set(db.session.scalars(select(RunRollup.test_id).where(IS_KEPT, ended)))
        statuses = dict(db.session.execute(joined(Run.id, status_of_run(Last))).tuples().all())
        members = sets.members_of(list(kept_ended), [])
        kept_members = (
            select(RunRollup.test_id, RunSetMember.regression_test_id)
            .join(RunSetMember, RunSetMember.set_id == RunRollup.set_id)
            .where(IS_KEPT)
        )
        kept_failing = (
            select(FailingResult.test_id, FailingResult.regression_test_id, FailingResult.status)
            .join(RunRollup, RunRollup.test_id == FailingResult.test_id)
            .where(IS_KEPT, FailingResult.status != ResultStatus.skipped.value)
        )
        verdicts = list(db.session.execute(result_verdicts(Result.test_id.in_(list(statuses)))))
        failing = set(db.session.execute(kept_failing).tuples())
        in_sets = set(db.session.execute(kept_members).tuples())
        set_of = set(db.session.execute(members).tuples())
        tests = list(db.session.scalars(select(RegressionTest.id)))
        assert catalogue.definitions(tests) == definitions_of(tests)
    assert {row.run_id: row.status.value for row in rows} == statuses
    assert {row.run_id for row in rows if row.is_kept} == set(kept)
    assert {row.run_id for row in rows if row.set_id is not None} == kept_ended
    assert in_sets == set_of
    not_passed = [row for row in verdicts if row.status != ResultStatus.passed.value]
    assert failing == {
        (row.test_id, row.regression_test_id, row.status)
        for row in not_passed
        if row.test_id in kept_ended
    }
    for run_id, counted in counts.items():
        of_run = [row for row in verdicts if row.test_id == run_id]
        assert counted.passed + counted.failed + counted.missing_output == len(of_run)
        assert counted.errors == sum(row.errors for row in of_run)
    return len(kept)


def assert_all_is_right(app: Flask, client: FlaskClient, raw: Raw, headers: dict[str, str]) -> None:
    """Every question, and everything that is kept; nobody writes any more."""
    asked = questions(raw)
    derived = derived_answers(client, headers, raw, asked)
    assert_same(answers(client, headers, asked), derived)
    with app.app_context():
        settle_marks()
        assert list(verify.differences()) == []
        assert_each_run_is_rolled_up_or_open()


def test_a_rebuild_gives_what_the_marks_give(app: Flask, client: FlaskClient, raw: Raw) -> None:
    tests = [factories.regression_test() for _ in range(3)]
    runs = [factories.run(progress=["testing", "completed"]) for _ in range(3)]
    factories.result(runs[0], tests[0])
    factories.result(runs[1], tests[0], exit_code=1)
    headers = factories.signed_in("contributor", "runs:read")
    before = answers(client, headers, questions(raw))
    raw.execute("DELETE FROM run_rollup")
    raw.execute("DELETE FROM failing_result")
    raw.execute("DELETE FROM open_run")

    with app.app_context():
        assert list(rebuild.rebuild())[-1] == (runs[-1].id, 3)

        assert_each_run_is_rolled_up_or_open()
        assert list(verify.differences()) == []
    assert answers(client, headers, questions(raw)) == before


def test_a_rollup_that_was_tampered_with_is_found(
    app: Flask, client: FlaskClient, raw: Raw
) -> None:
    run = factories.run(progress=["completed"])

    with app.app_context():
        settle_marks()
        raw.execute("UPDATE run_rollup SET status = 'pass'")
        assert [found.subject for found in verify.differences()] == [f"run {run.id}"]


def assert_each_run_is_rolled_up_or_open() -> None:
    with reading():
        runs = set(db.session.scalars(select(Run.id)))
        ended = select(RunRollup.test_id).where(RunRollup.set_id.is_not(None))
        live = select(RunRollup.test_id).where(RunRollup.set_id.is_(None))
        rolled, going_on = set(db.session.scalars(ended)), set(db.session.scalars(live))
        settled = set(db.session.scalars(select(OpenRun.test_id).where(OpenRun.settled)))
        waiting = set(db.session.scalars(select(OpenRun.test_id)))
    assert rolled | waiting == runs
    assert not rolled & waiting
    assert going_on <= settled == waiting
