"""How flaky a regression test is, as one figure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from mod_test.history.entries import Ended

NEWEST = 50  # of so many results it is made
SAME_COMMIT = 0.75
OTHER_COMMIT = 0.25
DEFINITION = (
    "From 0 (never) to 1. Of the newest 50 results of the test in ended runs, each passes or does "
    "not. 0.75 times the share of disagreements among neighbouring results of the same commit and "
    "platform, plus 0.25 times the share of changes among neighbouring results of one platform "
    "whose commits differ. Where there are no such neighbours, that share is 0."
)


def figure_of(newest: Sequence[Ended]) -> tuple[float, int]:
    """The figure of the newest results of a test, the newest first, and how many it is made of."""
    some = newest[:NEWEST]
    return flakiness(some[::-1]), len(some)


def flakiness(outcomes: Sequence[Ended]) -> float:
    """The figure of `DEFINITION`; the outcomes come in the order of their runs."""
    same: list[bool] = []
    other: list[bool] = []
    by_commit: dict[tuple[str, str], list[Ended]] = {}
    by_platform: dict[str, list[Ended]] = {}
    for outcome in outcomes:
        by_commit.setdefault((outcome.commit_sha, outcome.platform), []).append(outcome)
        by_platform.setdefault(outcome.platform, []).append(outcome)
    for group in by_commit.values():
        same += _disagreements(pairwise(group))
    for group in by_platform.values():
        other += _disagreements(
            pair for pair in pairwise(group) if pair[0].commit_sha != pair[1].commit_sha
        )
    return round(SAME_COMMIT * _share(same) + OTHER_COMMIT * _share(other), 3)


def _disagreements(pairs: Iterable[tuple[Ended, Ended]]) -> list[bool]:
    return [before.passed != after.passed for before, after in pairs]


def _share(disagrees: Sequence[bool]) -> float:
    return sum(disagrees) / len(disagrees) if disagrees else 0.0
