"""A review by keyboard: what each key does, and what is sent in the end."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import factories
from tests.client.conftest import GOOD, LATE, Said
from tests.factories import Expected, RunRow
from tests.raw import Raw

Ci = Callable[..., Said]
REASON = "The new times are right."
OTHER = b"1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n"


@pytest.fixture
def run(sample_repository: Path) -> RunRow:
    """A run of five outputs that differ: three are late alike, two have another word."""
    good, late, other = (
        factories.stored_output(sample_repository, content) for content in (GOOD, LATE, OTHER)
    )
    run = factories.run(progress=("preparation", "testing", "completed"))
    for got in (late, other, late, other, late):
        test = factories.regression_test(command="-out=srt", outputs=[Expected(good)])
        factories.result(run, test, outputs={test.output: got})
    return run


@pytest.fixture
def review(ci: Ci, run: RunRow, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Said]:
    """`review(keys)`: a review in which these keys are pressed, and approved at once."""

    def press(keys: str) -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(keys))
        return ci("review", run.id, "--reason", REASON, "--decide")

    return press


def test_a_group_is_accepted_with_one_key(
    review: Callable[[str], Said], ci: Ci, run: RunRow, raw: Raw
) -> None:
    said = review("gs")

    assert said.out.count(", approved") == 3
    assert "3 changed alike" in said.out
    assert said.status == 1  # two are undecided
    assert raw.execute("SELECT count(*) FROM baseline_decision") == [(3,)]


def test_all_are_accepted_one_by_one(review: Callable[[str], Said], ci: Ci, run: RunRow) -> None:
    assert review("aaaaas").status == 0
    assert ci("watch", run.id).status == 0


def test_a_mark_is_undone_and_a_bug_is_told_at_the_end(
    review: Callable[[str], Said], raw: Raw
) -> None:
    said = review("gujxs" + "ks" + "kas")

    assert raw.execute("SELECT count(*) FROM baseline_decision") == [(1,)]
    assert said.out.splitlines()[-1].startswith("Bug: test ")


def test_leaving_sends_nothing(review: Callable[[str], Said], raw: Raw) -> None:
    said = review("aaq")

    assert said.status == 1
    assert raw.execute("SELECT count(*) FROM baseline_approval") == [(0,)]


def test_a_reason_is_asked_for_and_must_say_something(
    ci: Ci, run: RunRow, monkeypatch: pytest.MonkeyPatch, raw: Raw
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"gsshort\ns{REASON}\n"))

    said = ci("review", run.id)

    assert said.out.count(", pending_review") == 3
    assert raw.execute("SELECT DISTINCT reason FROM baseline_approval") == [(REASON,)]


def test_lines_and_help_are_shown(review: Callable[[str], Said]) -> None:
    said = review("l?q")

    assert "-00:00:01,000 --> 00:00:02,000" in said.out
    assert "accept all alike" in said.out
