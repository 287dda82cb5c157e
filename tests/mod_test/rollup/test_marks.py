"""What other programs do once in years, and what is kept must follow all the same."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_test.rollup import verify
from mod_test.rollup.kept import FEW
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.conftest import Site
from tests.mod_test.rollup.answers import (
    CURSORS,
    answers,
    assert_same,
    derived_answers,
    questions,
    without_keys,
)
from tests.raw import Raw

Check = Callable[[], None]
ENDED = ["testing", "completed"]


@pytest.fixture
def headers(site: Site) -> dict[str, str]:
    return factories.signed_in("contributor", "runs:read", "results:read")


@pytest.fixture
def check(app: Flask, client: FlaskClient, headers: dict[str, str], raw: Raw) -> Callable[[], None]:
    """Hold all answers against a derivation, before and after marks are settled."""

    def checked() -> None:
        asked = [each for each in questions(raw) if CURSORS not in each and "/samples?" not in each]
        derived = derived_answers(client, headers, raw, asked)
        assert_same(answers(client, headers, asked), derived)
        settled(app)
        assert_same(answers(client, headers, asked), derived)
        with app.app_context():
            assert list(verify.differences()) == []

    return checked


def settled(app: Flask) -> None:
    with app.app_context():
        settle_marks()


def test_a_repository_may_get_another_id(app: Flask, raw: Raw, check: Check) -> None:
    factories.run(progress=ENDED)
    factories.run(progress=ENDED, repository="someone/ccextractor")
    settled(app)

    raw.execute("UPDATE fork SET id = id + 1000")

    check()


def test_a_regression_test_may_get_another_id(app: Flask, raw: Raw, check: Check) -> None:
    test, skipped = factories.regression_test(), factories.regression_test()
    failing = factories.run(progress=ENDED)
    factories.result(failing, test, exit_code=1)
    chosen = factories.run(progress=ENDED, tests=[test, skipped])
    factories.result(chosen, test)
    settled(app)

    for moved in (test, skipped):
        raw.execute("UPDATE regression_test SET id = id + 500 WHERE id = ?", (moved.id,))

    check()


def test_a_run_may_get_another_id(app: Flask, raw: Raw, check: Check) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, test, exit_code=1)
    settled(app)

    raw.execute("UPDATE test SET id = id + 500 WHERE id = ?", (run.id,))

    check()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM regression_test_output WHERE id = -1",
        "UPDATE regression_test_output SET id = -2 WHERE id = -1",
    ],
)
def test_the_sentinel_may_go(app: Flask, raw: Raw, check: Check, statement: str) -> None:
    test = factories.regression_test(outputs=[])
    run = factories.run(progress=ENDED)
    factories.result(run, test)
    factories.sentinel(run, test)
    settled(app)

    raw.execute(statement)

    check()


def test_a_sentinel_may_come(app: Flask, raw: Raw, check: Check) -> None:
    test = factories.regression_test(outputs=[])
    run = factories.run(progress=ENDED)
    factories.result(run, test)
    factories.sentinel(run, test)
    raw.execute("UPDATE regression_test_output SET id = -2 WHERE id = -1")
    settled(app)

    raw.execute("UPDATE regression_test_output SET id = -1 WHERE id = -2")

    check()


def test_an_output_may_get_another_id(app: Flask, raw: Raw, check: Check) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, test, outputs={test.output: factories.digest("other")})
    factories.accept_variant(test.output.id, factories.digest("other"))
    settled(app)

    raw.execute("UPDATE regression_test_output SET id = 7 WHERE id = ?", (test.output.id,))
    raw.execute("DELETE FROM regression_test_output_files")

    check()


@pytest.mark.parametrize(
    ("column", "value"),
    [("platform", "Linux"), ("platform", "beos"), ("`commit`", "ABC"), ("branch", "b" * 300)],
)
def test_a_run_may_be_given_words_that_nobody_knows(
    app: Flask, raw: Raw, check: Check, column: str, value: str
) -> None:
    other, run = factories.run(progress=ENDED), factories.run(progress=ENDED)
    settled(app)

    raw.execute(f"UPDATE test SET {column} = ? WHERE id = ?", (value, run.id))

    check()
    assert raw.execute("SELECT test_id FROM run_rollup WHERE test_id = ?", (other.id,))


@pytest.mark.parametrize("word", ["Completed", "building", "canceled "])
def test_a_progress_may_have_a_word_that_nobody_knows(
    app: Flask, raw: Raw, check: Check, word: str
) -> None:
    other, run = factories.run(progress=ENDED), factories.run(progress=ENDED)
    factories.result(run, factories.regression_test())
    settled(app)

    raw.execute(
        "INSERT INTO test_progress (test_id, status, timestamp, message)"
        " VALUES (?, ?, '2026-01-02 00:00:00', '')",
        (run.id, word),
    )

    check()
    assert raw.execute("SELECT test_id FROM run_rollup WHERE test_id = ?", (other.id,))


def test_a_run_may_go_while_foreign_keys_are_not_kept(app: Flask, raw: Raw, check: Check) -> None:
    run = factories.run(progress=ENDED)
    factories.run(progress=ENDED)
    settled(app)

    with without_keys(raw):
        raw.execute("DELETE FROM test WHERE id = ?", (run.id,))

    check()


def test_a_result_arrives_late_while_an_approval_concerns_many_runs(
    app: Flask, raw: Raw, check: Check, client: FlaskClient, headers: dict[str, str]
) -> None:
    test = factories.regression_test()
    came = factories.digest("other")
    for _ in range(FEW + 2):
        factories.result(factories.run(progress=ENDED), test, outputs={test.output: came})
    late = factories.run(progress=ENDED, tests=[test])
    settled(app)

    factories.result(late, test, exit_code=1)
    raw.execute("UPDATE regression_test SET expected_rc = 3 WHERE id = ?", (test.id,))

    assert client.get("/api/v1/runs", headers=headers).status_code == 200
    check()


def test_a_result_outside_of_its_runs_set_has_no_runtime(
    app: Flask, raw: Raw, check: Check
) -> None:
    sample = factories.sample()
    test = factories.regression_test(sample=sample)
    other = factories.regression_test(sample=sample)
    outside = factories.run(progress=ENDED, tests=[other])
    factories.result(outside, test, runtime=9000)
    factories.result(factories.run(progress=ENDED), test, runtime=10)
    factories.result(factories.run(progress=ENDED), test, runtime=20)

    check()


def test_a_baseline_that_was_revoked_is_compared_byte_by_byte(
    app: Flask, raw: Raw, check: Check
) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, test)
    raw.execute("UPDATE test_result_file SET expected = upper(expected)")
    raw.execute("UPDATE regression_test_output SET correct = ?", (factories.digest("new"),))
    settled(app)

    raw.execute(
        "INSERT INTO baseline_revocation (output_id, file_hash, revoked_at)"
        " VALUES (?, ?, '2026-01-02 00:00:00')",
        (test.output.id, test.output.correct),
    )

    check()
