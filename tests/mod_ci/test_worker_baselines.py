"""What an existing worker compared with: the baseline that was current when its run began."""

import hashlib

import pytest

from tests import factories
from tests.mod_ci.test_workers import BYTES, Worker, of
from tests.runners import API

NEW = hashlib.sha256(BYTES).hexdigest()
REASON = "The new wording is right."


class Baselines:
    """Somebody who gives an output the baseline `NEW`, and takes it back."""

    def __init__(self, client, test_) -> None:
        self.client = client
        self.test = test_
        self.asker = factories.signed_in("contributor", "baselines:write", "runs:read")
        self.admin = factories.signed_in("admin", "baselines:write", "runs:read", "results:read")
        source = factories.run()
        worker = Worker(client, source)
        worker.post("progress", status="testing", message="")
        assert worker.post("upload", BYTES, **of(test_)) == "OK"
        worker.post("finish", test_id=test_.id, runTime=1000, exitCode=0)
        worker.post("progress", status="completed", message="")
        self.url = f"{API}/runs/{source.id}/samples/{test_.sample.id}/baseline-approval"

    def approve(self) -> str:
        body = {
            "regression_id": self.test.id,
            "output_id": self.test.output.id,
            "reason": REASON,
        }
        asked = self.client.post(self.url, json=body, headers=self.asker)
        assert asked.status_code == 202, asked.json
        self.decide(asked.json["approval_id"], "approve")
        return asked.json["approval_id"]

    def decide(self, approval_id: str, what: str) -> None:
        url = f"{API}/baseline-approvals/{approval_id}/{what}"
        response = self.client.post(url, headers=self.admin)
        assert response.status_code in (200, 201, 202), response.json


@pytest.fixture
def test_(site) -> factories.TestRow:
    return factories.regression_test()


@pytest.fixture
def baselines(client, test_) -> Baselines:
    return Baselines(client, test_)


@pytest.fixture
def run(test_) -> factories.RunRow:
    return factories.run(tests=[test_])


@pytest.fixture
def bot(client, run) -> Worker:
    return Worker(client, run)


def begin(bot: Worker) -> None:
    for status in ("preparation", "testing"):
        assert bot.post("progress", status=status, message=status) == "OK"


def end(bot: Worker, test_) -> None:
    assert bot.post("finish", test_id=test_.id, runTime=1000, exitCode=0) == "OK"
    assert bot.post("progress", status="completed", message="Ran all tests") == "OK"


def row(raw, run) -> list[tuple]:
    return raw.execute("SELECT expected, got FROM test_result_file WHERE test_id = ?", [run.id])


def status(client, run) -> str:
    reader = factories.signed_in("user", "runs:read")
    return client.get(f"{API}/runs/{run.id}", headers=reader).json["status"]


def test_equality_is_with_the_baseline_of_the_begin_before_and_after_the_approval_is_undone(
    app, client, baselines, bot, run, test_, raw
) -> None:
    begin(bot)
    approval = baselines.approve()
    assert bot.post("equality", **of(test_)) == "OK"
    end(bot, test_)

    assert row(raw, run) == [(test_.output.correct, None)]
    assert status(client, run) == "pass"
    baselines.decide(approval, "undo")
    assert status(client, run) == "pass"


def test_equality_with_a_baseline_that_is_undone_meanwhile_is_none(
    app, client, baselines, bot, run, test_, raw
) -> None:
    approval = baselines.approve()
    begin(bot)
    baselines.decide(approval, "undo")
    assert bot.post("equality", **of(test_)) == "OK"
    end(bot, test_)

    assert row(raw, run) == [(NEW, None)]
    assert status(client, run) == "fail"


def test_a_baseline_that_was_approved_before_the_begin_is_compared_with(
    app, client, baselines, bot, run, test_, raw
) -> None:
    baselines.approve()
    begin(bot)
    assert bot.post("equality", **of(test_)) == "OK"

    assert row(raw, run) == [(NEW, None)]


def test_of_several_changes_the_first_since_the_begin_tells(
    app, client, baselines, bot, run, test_, raw
) -> None:
    begin(bot)
    baselines.decide(baselines.approve(), "undo")
    baselines.approve()
    assert bot.post("equality", **of(test_)) == "OK"
    end(bot, test_)

    assert row(raw, run) == [(test_.output.correct, None)]
    assert status(client, run) == "pass"


def test_an_upload_notes_the_baseline_that_it_differed_from(
    app, client, baselines, bot, run, test_, raw
) -> None:
    begin(bot)
    baselines.approve()
    assert bot.post("upload", BYTES, **of(test_)) == "OK"
    end(bot, test_)

    assert row(raw, run) == [(test_.output.correct, NEW)]
    assert status(client, run) == "pass"


@pytest.mark.parametrize("progress", [["preparation"], ["preparation", "testing"], ["testing"]])
def test_of_a_run_that_another_program_began_the_given_time_tells(
    app, client, baselines, test_, raw, progress
) -> None:
    run = factories.run(progress=progress)
    baselines.approve()
    bot = Worker(client, run)
    assert bot.post("equality", **of(test_)) == "OK"

    assert row(raw, run) == [(test_.output.correct, None)]


def test_without_any_begin_the_baseline_of_today_is_compared_with(
    app, client, baselines, bot, run, test_, raw
) -> None:
    baselines.approve()
    assert bot.post("equality", **of(test_)) == "OK"

    assert row(raw, run) == [(NEW, None)]


def test_preparation_counts_where_testing_was_not_posted_and_testing_where_it_was(
    app, client, baselines, bot, run, test_, raw
) -> None:
    assert bot.post("progress", status="preparation", message="a") == "OK"
    baselines.approve()
    assert bot.post("equality", **of(test_)) == "OK"
    assert row(raw, run) == [(test_.output.correct, None)]

    assert bot.post("progress", status="testing", message="b") == "OK"
    assert bot.post("equality", **of(test_)) == "OK"
    assert row(raw, run) == [(NEW, None)]
