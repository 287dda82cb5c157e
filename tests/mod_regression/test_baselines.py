"""Approvals and undoings by many at once: every change is whole, and none waits for ever."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask

from database import db, written
from errors import Conflict
from mod_auth import accounts
from mod_auth.accounts import Account
from mod_regression import baselines
from mod_regression.baselines import Proposal
from mod_regression.models import ApprovalMode
from tests import factories
from tests.factories import Expected, TestRow
from tests.raw import Raw

OLD = factories.digest("old")


@pytest.fixture
def tests(app: Flask) -> list[TestRow]:
    """Tests on one sample whose outputs have the same baseline."""
    sample = factories.sample()
    return [
        factories.regression_test(sample=sample, outputs=[Expected(correct=OLD)]) for _ in range(4)
    ]


@pytest.fixture
def by(app: Flask) -> Account:
    row = factories.account("admin")
    with app.app_context():
        return accounts.get(row.id)


def propose(test: TestRow, content: str, by: Account) -> int:
    """The id of a request that is for all commands on the sample."""
    proposal = Proposal(
        run_id=1,
        sample_id=test.sample.id,
        regression_id=test.id,
        output_id=test.output.id,
        extension=test.output.extension,
        file_hash=factories.digest(content),
        replaced_hash=OLD,
    )
    return written(
        lambda: baselines.propose(
            proposal,
            by=by,
            reason="Because it is right.",
            mode=ApprovalMode.baseline,
            apply_to_variants=True,
        )
    )


def approve(approval_id: int, by: Account) -> None:
    written(lambda: baselines.approve(approval_id, by=by, reason=None))


def undo(approval_id: int, by: Account) -> None:
    written(lambda: baselines.undo(approval_id, by=by, reason=None))


@pytest.mark.slow
def test_overlapping_approvals_and_undoings_leave_whole_changes_only(
    app: Flask, tests: list[TestRow], by: Account, raw: Raw
) -> None:
    start = Barrier(4)

    def work(number: int) -> Counter[str]:
        """Ask for, approve and undo again and again, for an output of one's own."""
        outcomes: Counter[str] = Counter()
        with app.app_context():
            start.wait(60)
            for step in range(12):
                approval_id = propose(tests[(number + step) % 4], f"{number} {step}", by)
                try:
                    approve(approval_id, by)
                    outcomes["approved"] += 1
                    undo(approval_id, by)
                    outcomes["undone"] += 1
                except Conflict as error:
                    outcomes[error.code] += 1
                finally:
                    db.session.remove()
        return outcomes

    with ThreadPoolExecutor(4) as pool:
        outcomes = sum(pool.map(work, range(4)), Counter[str]())

    assert outcomes["approved"] == outcomes["undone"] >= 1
    assert outcomes["approved"] + outcomes["baseline_changed"] == 48
    assert set(outcomes) <= {"approved", "undone", "baseline_changed"}
    assert raw.execute("SELECT DISTINCT correct FROM regression_test_output") == [(OLD,)]
    ((changes,),) = raw.execute("SELECT COUNT(*) FROM baseline_change")
    assert changes == 2 * outcomes["approved"] * len(tests)
    ((revoked,),) = raw.execute("SELECT COUNT(*) FROM baseline_revocation")
    assert revoked == outcomes["approved"] * len(tests)


def test_what_is_refused_leaves_nothing_behind(
    app: Flask, tests: list[TestRow], by: Account, raw: Raw
) -> None:
    with app.app_context():
        approval_id = propose(tests[0], "new", by)
        raw.execute("UPDATE regression_test_output SET correct = 'x' WHERE id = ?",
                    [tests[0].output.id])  # fmt: skip
        with pytest.raises(Conflict):
            approve(approval_id, by)

    for table in ("baseline_decision", "baseline_change", "baseline_revocation"):
        assert raw.execute(f"SELECT COUNT(*) FROM {table}") == [(0,)]
    assert raw.execute("SELECT COUNT(*) FROM regression_test_output WHERE correct = ?", [OLD]) == [
        (3,)
    ]
