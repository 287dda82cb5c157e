"""A page of a history, of kept runs and of the others, as one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from mod_test.flakiness import figure_of
from mod_test.history import pending as of_pending
from mod_test.history import totals
from mod_test.history.entries import Asked, Ended, Entry, HistoryFilter, Place
from mod_test.history.facts import Facts, facts_of
from mod_test.history.pending import Pending
from mod_test.history.places import Found, KeptRun, find
from mod_test.history.runtimes import BACK, LeanRun, Of, Runtimes, Told, look_up, runs_before
from mod_test.models import Platform
from mod_test.rollup import kept
from mod_test.rollup.memory import note, recalled
from mod_test.run_filters import RunFilter
from mod_test.signatures import Failure
from mod_test.verdict import ResultStatus


class Tail(NamedTuple):
    """The cacheable part of a history entry: it depends only on this result and earlier ones."""

    status: str
    failure: Failure
    runtime: int | None
    usual: float | None


@dataclass(frozen=True)
class Page:
    """Entries in order; for each of their tests how flaky it is, and of how many results that is
    made; and how many entries there are on all pages."""

    entries: Sequence[Entry]
    flakiness: Mapping[int, tuple[float, int]]
    total: int


def read(asked: Asked) -> Page:
    """The entries that are asked for."""
    facts = facts_of(asked.tests)
    found = find(asked, facts)
    others = Pending() if kept.known().is_quiet else of_pending.read(asked)
    places = found.places
    if others.entries:
        places = sorted([*places, *others.behind(asked)], reverse=True)
    places = places[asked.skipped : asked.reach]
    entries = _entries(places, asked, facts, found, others)
    tests = {test for _, test in places}
    return Page(
        [entries[place] for place in places],
        {test: _flakiness(test, facts, others.ended.get(test, ())) for test in tests},
        totals.total(asked) + len(others.entries),
    )


def outcomes(tests: tuple[int, ...]) -> dict[int, list[Ended]]:
    """How each of these tests ended in the newest runs that have a result of it, the newest first;
    as many as its flakiness is made of, or more."""
    facts = facts_of(tests)
    others: Mapping[int, Sequence[Ended]] = {}
    if not kept.known().is_quiet:
        others = of_pending.read(Asked(HistoryFilter(RunFilter()), tests, most=0)).ended
    return {
        test: sorted([*facts.newest.get(test, ()), *others.get(test, ())], reverse=True)
        for test in tests
    }


def _entries(
    places: Sequence[Place], asked: Asked, facts: Facts, found: Found, others: Pending
) -> dict[Place, Entry]:
    """The entries at these places, whole."""
    of_kept_runs = [place for place in places if place not in others.entries]
    runs, known = found.runs, kept.known()
    # How an entry of a kept run ended depends on that run and on those before it.
    tails = recalled(known, {place: place[0] for place in of_kept_runs})
    lacking = [place for place in places if place not in tails]
    if lacking:
        told = _told(lacking, found, facts, runs, others)
        new = {
            place: _tail(place, told, found, runs[place[0]].platform, asked)
            for place in lacking
            if place not in others.entries
        }
        note(known, [(place, place[0], tail) for place, tail in new.items()])
        tails |= new
        others.sign([place for place in lacking if place in others.entries])
        for place in lacking:
            if place in others.entries:
                entry = others.entries[place]
                entry.usual_ms = _usual(told.runtimes, place[1], entry.platform, place[0])
    entries = {place: _entry(place, runs[place[0]], tails[place]) for place in of_kept_runs}
    return entries | others.entries


def _entry(place: Place, run: KeptRun, tail: Tail) -> Entry:
    """The entry of a kept run at a place."""
    return Entry(
        run_id=place[0],
        regression_id=place[1],
        created_at=run.created_at,
        commit_sha=run.commit_sha,
        branch=run.branch or None,
        platform=run.platform,
        status=tail.status,
        runtime_ms=tail.runtime,
        failure=tail.failure,
        usual_ms=tail.usual,
    )


def _told(
    places: Sequence[Place],
    found: Found,
    facts: Facts,
    runs: Mapping[int, KeptRun],
    others: Pending,
) -> Told:
    """The runtimes of these entries and of those before them, and how the kept ones ended."""
    wanted: dict[Of, set[int]] = defaultdict(set)
    for place in places:
        entry = others.entries.get(place)
        platform = runs[place[0]].platform if entry is None else entry.platform
        wanted[place[1], platform].add(place[0])
    near: Mapping[int, LeanRun] = runs
    ids = {run_id for run_id, _ in places}
    first = found.all_from
    if first is None or (first and any(run_id - BACK < first for run_id in ids)):
        near = runs_before(ids)
    shown = [place for place in places if place not in others.entries]
    told = look_up(
        wanted,
        shown if found.failures is None else (),
        near,
        facts.tests_of_set,
        are_all=first == 0,
    )
    for of, runtimes in others.runtimes.items():
        told.runtimes.known[of].update(runtimes)
    return told


def _tail(place: Place, told: Told, found: Found, platform: Platform, asked: Asked) -> Tail:
    run_id, test = place
    status = asked.wanted.result_status
    if found.failures is not None and status is not None:
        word, failure = status.value, found.failures[place]
    else:
        word, failure = told.failures.get(place, (ResultStatus.passed.value, Failure()))
    runtime = told.runtimes.of(test, platform, run_id)
    shown = None if runtime is None else max(0, runtime)
    return Tail(word, failure, shown, _usual(told.runtimes, test, platform, run_id))


def _usual(runtimes: Runtimes, test: int, platform: Platform, run_id: int) -> float | None:
    """The median of up to ten runtimes before a result."""
    earlier = runtimes.before(test, platform, run_id)
    return median(earlier) if earlier else None


def _flakiness(test: int, facts: Facts, others: Sequence[Ended]) -> tuple[float, int]:
    if not others:
        return facts.flakiness[test]
    return figure_of(sorted([*facts.newest[test], *others], reverse=True))
