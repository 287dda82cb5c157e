"""Findings about the rollup: whether it may be used, and whether it leaves runs out."""

from collections.abc import Iterator

from database import db
from mod_api.checks.finding import Finding, fail, ok, warn
from mod_test.rollup import opened, triggers
from mod_test.rollup.verify import is_anything_kept

REBUILD = "`flask --app run rollup rebuild`"


def findings() -> Iterator[Finding]:
    """Return whether changes are marked and what follows, and runs that no answer shows or that are
    derived each time."""
    with db.engine.connect() as connection:
        is_complete = triggers.are_complete(connection)
    is_kept = is_anything_kept()
    yield _marks(is_complete=is_complete, is_kept=is_kept)
    if unseen := opened.count_in_neither():
        yield fail("rollup", f"{unseen} runs are left out of every answer: {REBUILD}.")
    unsettled, example = opened.never_settled()
    if is_kept and unsettled:
        yield warn("rollup", f"{unsettled} runs are derived each time: {REBUILD}.")
        yield warn(
            "runs",
            f"Where {example} is still derived each time after that, something in its rows cannot "
            "be right: the log says what (`run_not_derived`).",
        )


def _marks(*, is_complete: bool, is_kept: bool) -> Finding:
    if is_complete:
        return ok("triggers", "Changes are marked, so status and counts of ended runs are kept.")
    if is_kept:
        return fail(
            "triggers",
            "Not all are there, or this account may not see them: what other programs change is "
            f"not noticed, and answers may be out of date. As an account that may: {REBUILD}.",
        )
    return warn(
        "triggers",
        "Not all are there, or this account may not see them: status and counts of ended runs are "
        f"derived each time. With the right to triggers: {REBUILD}.",
    )
