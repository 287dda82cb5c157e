"""Which cues of two files belong together.

The strongest evidence comes first: equal text at equal times on the files' common timeline, in
whatever order. These pairs divide the files into gaps, on which ever weaker evidence is used:
equal texts, equal words that are divided into other cues, equal times, and at last a table of
how well each cue of a gap matches each. Whatever the input, the work is bounded: of gaps too
large for the table nothing is claimed, which the result admits.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from mod_api.services.captions.formats import Cue, Texts
from mod_api.services.captions.matching import best_matches, likeness, most_pieces
from mod_api.services.captions.timeline import Timeline, common_timeline, near

_NEAR_MS = 100
# The same text further away than this, without neighbours that moved as far, is another cue.
_FAR_MS = 10_000
_TOGETHER_MS = 1_000
_NEAR_WEIGHT = 3
_MAX_CELLS = 200_000
_LARGE_TABLE = 10_000
# Equal texts say little when they are less than this part of a large gap.
_LITTLE = 4
_LARGE_GAP = 8
_HUGE_GAP = 4_000
_TRIED_CUES = 500
_NEIGHBOURS = 8
# Texts that are repeated in a gap may occur once in the smaller gaps within it.
_MOST_LEVELS = 8

Pairs = list[tuple[int, int]]


class Match(NamedTuple):
    """Places of cues that belong together: one each, or several where cues were split or merged.

    A side is empty where cues are missing or not expected.
    """

    expected: tuple[int, ...]
    actual: tuple[int, ...]


class Alignment(NamedTuple):
    """Every cue of both files: in a pair, in a group of several, or without partner.

    `moved` are those pairs whose order among the others is exchanged. `uncompared` are cues of
    either file of which too many differ to compare each with each.
    """

    pairs: Pairs
    moved: set[tuple[int, int]]
    groups: list[Match]
    missing: list[int]
    extra: list[int]
    uncompared: tuple[list[int], list[int]]


class _Gap(NamedTuple):
    """Places of cues that are not paired yet, and how far off the timeline their neighbours are."""

    expected: list[int]
    actual: list[int]
    offsets: tuple[float, ...] = (0.0,)


def _cells(gap: _Gap) -> int:
    return len(gap.expected) * len(gap.actual)


def align(
    expected: Sequence[Cue], actual: Sequence[Cue], expected_texts: Texts, actual_texts: Texts
) -> Alignment:
    """Find which cues belong together."""
    return _Aligner(expected, actual, expected_texts, actual_texts).align()


class _Aligner:
    def __init__(
        self,
        expected: Sequence[Cue],
        actual: Sequence[Cue],
        expected_texts: Texts,
        actual_texts: Texts,
    ) -> None:
        self._expected, self._actual = expected, actual
        self._expected_texts, self._actual_texts = expected_texts, actual_texts
        self._timeline = Timeline()
        self._cells_left = _MAX_CELLS
        self._uncompared: tuple[list[int], list[int]] = ([], [])
        self._pairs: Pairs = []
        self._groups: list[Match] = []
        self._missing: list[int] = []
        self._extra: list[int] = []

    def align(self) -> Alignment:
        fixed = self._at_equal_times()
        order = heaviest_increasing([(i, j, 1) for i, j in fixed])
        moved = set(fixed) - set(order)
        self._pairs += fixed
        for gap in self._gaps(order, {i for i, _ in fixed}, {j for _, j in fixed}):
            self._resolve(gap)
        moved |= self._pair_equal_and_near()
        self._join_rows()
        return Alignment(
            self._pairs, moved, self._groups, self._missing, self._extra, self._uncompared
        )

    def _at_equal_times(self) -> Pairs:
        """Pairs of equal text at equal times, on the common timeline."""
        fixed = self._exact()
        if len(fixed) * 2 >= min(len(self._expected), len(self._actual)):
            return fixed
        self._timeline = common_timeline(
            self._expected,
            self._actual,
            [self._expected_texts.key(cue.text) for cue in self._expected],
            [self._actual_texts.key(cue.text) for cue in self._actual],
        )
        if not self._timeline.is_identity:
            on_line = self._on_timeline()
            if len(on_line) > len(fixed) or not fixed:
                return on_line
            self._timeline = Timeline()
        return fixed

    def _exact(self) -> Pairs:
        """Pairs with the same times and the same text, as written."""
        pairs = self._at_same_places()
        done_i, done_j = {i for i, _ in pairs}, {j for _, j in pairs}
        there: dict[tuple[int, int, str], list[int]] = defaultdict(list)
        for j, cue in enumerate(self._actual):
            if j not in done_j and cue.is_timed:
                there[cue[:3]].append(j)
        for places in there.values():
            places.reverse()
        for i, cue in enumerate(self._expected):
            found = None if i in done_i else there.get(cue[:3])
            if found and cue.is_timed:
                pairs.append((i, found.pop()))
        return pairs

    def _at_same_places(self) -> Pairs:
        """Equal cues that are as far from the files' beginnings, or else from their ends."""
        pairs: Pairs = []
        expected, actual = self._expected, self._actual
        ahead = len(actual) - len(expected)
        done = -1  # the last place of the actual file that is taken
        for i, cue in enumerate(expected):
            for j in (i, i + ahead) if ahead else (i,):
                if done < j < len(actual):
                    other = actual[j]
                    if cue is other or (cue.is_timed and cue[:3] == other[:3]):
                        pairs.append((i, j))
                        done = j
                        break
        return pairs

    def _on_timeline(self) -> Pairs:
        """Pairs whose times are equal on the timeline and whose letters are equal."""
        tolerance = self._timeline.tolerance_ms
        there: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for j, cue in enumerate(self._actual):
            if cue.is_timed:
                there[self._actual_texts.letters(cue.text)].append((cue.start_ms, j))
        for places in there.values():
            places.sort()
        taken: set[int] = set()
        pairs: Pairs = []
        for i, cue in enumerate(self._expected):
            places = there.get(self._expected_texts.letters(cue.text), [])
            if not (places and cue.is_timed):
                continue
            start, end = self._timeline.at(cue.start_ms), self._timeline.at(cue.end_ms)
            for place in range(bisect_left(places, (int(start) - tolerance, -1)), len(places)):
                start_ms, j = places[place]
                if start_ms > start + tolerance:
                    break
                if j not in taken and abs(self._actual[j].end_ms - end) <= tolerance:
                    taken.add(j)
                    pairs.append((i, j))
                    break
        return pairs

    def _gaps(self, order: Pairs, expected_done: set[int], actual_done: set[int]) -> Iterator[_Gap]:
        """The gaps between pairs, with the offset of the pair before, else of the one after."""
        i = j = 0
        ends = [*order, (len(self._expected), len(self._actual))]
        for at, (i_to, j_to) in enumerate(ends):
            if i == i_to and j == j_to:
                i, j = i_to + 1, j_to + 1
                continue
            expected = [k for k in range(i, i_to) if k not in expected_done]
            actual = [k for k in range(j, j_to) if k not in actual_done]
            if expected or actual:
                neighbour = order[at - 1] if at else (order[0] if order else None)
                yield _Gap(expected, actual, self._offsets(neighbour))
            i, j = i_to + 1, j_to + 1

    def _offsets(self, neighbour: tuple[int, int] | None) -> tuple[float, ...]:
        if neighbour is None:
            return (0.0,)
        expected, actual = self._expected[neighbour[0]], self._actual[neighbour[1]]
        local = actual.start_ms - self._timeline.at(expected.start_ms)
        return (local, 0.0) if local and expected.is_timed and actual.is_timed else (0.0,)

    def _resolve(self, gap: _Gap, level: int = 0) -> None:
        """Match the cues of a gap by the strongest evidence that says anything about it."""
        if not (gap.expected and gap.actual):
            self._leave(gap)
            return
        if len(gap.expected) == len(gap.actual) == 1:
            self._by_all(gap)
            return
        if self._is_divided_by_text(gap, level, Texts.letters) or self._by_words(gap):
            return
        if min(len(gap.expected), len(gap.actual)) >= _HUGE_GAP:
            # Few texts that are repeated all over say as little without their case.
            texts = {self._expected[i].text for i in gap.expected}
            is_varied = len(texts) * _LITTLE >= len(gap.expected)
            if not (is_varied and self._is_divided_by_text(gap, level, Texts.key)):
                self._by_time(gap)
            return
        groups = self._by_pieces(gap)
        if groups:
            for part in self._between(gap, groups):
                self._resolve(part, level + 1)
        elif not self._is_divided_by_text(gap, level, Texts.key):
            self._by_time(gap)

    def _by_all(self, gap: _Gap) -> None:
        """Pair the only two cues of a gap where anything says that they belong together."""
        (i,), (j,) = gap.expected, gap.actual
        expected, actual = self._expected[i], self._actual[j]
        ours, theirs = self._expected_texts, self._actual_texts
        is_near = self._off(i, j, gap) <= _FAR_MS
        if is_near and ours.key(expected.text) == theirs.key(actual.text):
            self._pairs.append((i, j))
        else:
            self._by_time(gap)

    def _is_divided_by_text(
        self, gap: _Gap, level: int, key_of: Callable[[Texts, str], str]
    ) -> bool:
        pairs = self._by_text(gap, key_of) if level < _MOST_LEVELS else []
        for part in self._divided(gap, pairs) if pairs else ():
            self._resolve(part, level + 1)
        return bool(pairs)

    def _leave(self, gap: _Gap) -> None:
        self._missing += gap.expected
        self._extra += gap.actual

    def _keep(self, expected: list[int], actual: list[int]) -> None:
        if len(expected) == len(actual) == 1:
            self._pairs.append((expected[0], actual[0]))
        elif expected and actual:
            self._groups.append(Match(tuple(expected), tuple(actual)))
        else:
            self._leave(_Gap(expected, actual))

    def _divided(self, gap: _Gap, pairs: Pairs) -> Iterator[_Gap]:
        """Keep pairs of a gap, in order, and yield the smaller gaps between them."""
        i = j = 0
        offsets = gap.offsets
        for pair in [*pairs, None]:
            i_to = len(gap.expected) if pair is None else bisect_left(gap.expected, pair[0])
            j_to = len(gap.actual) if pair is None else bisect_left(gap.actual, pair[1])
            if i < i_to or j < j_to:
                yield _Gap(gap.expected[i:i_to], gap.actual[j:j_to], offsets)
            if pair is not None:
                self._pairs.append(pair)
                offsets = self._offsets(pair)
                i, j = i_to + 1, j_to + 1

    def _between(self, gap: _Gap, groups: list[Match]) -> Iterator[_Gap]:
        """Keep groups of a gap, in order, and yield the smaller gaps between them."""
        i = j = 0
        for group in [*groups, None]:
            i_to = (
                len(gap.expected) if group is None else bisect_left(gap.expected, group.expected[0])
            )
            j_to = len(gap.actual) if group is None else bisect_left(gap.actual, group.actual[0])
            if i < i_to or j < j_to:
                yield _Gap(gap.expected[i:i_to], gap.actual[j:j_to], gap.offsets)
            if group is not None:
                self._groups.append(group)
                i, j = i_to + len(group.expected), j_to + len(group.actual)

    def _by_text(self, gap: _Gap, key_of: Callable[[Texts, str], str]) -> Pairs:
        """Pairs of equal text: those that occur once in the gap, and those near in time."""
        actual_places: dict[str, list[int]] = defaultdict(list)
        for j in gap.actual:
            actual_places[key_of(self._actual_texts, self._actual[j].text)].append(j)
        expected_places: dict[str, list[int]] = defaultdict(list)
        for i in gap.expected:
            key = key_of(self._expected_texts, self._expected[i].text)
            if key in actual_places:
                expected_places[key].append(i)
        found: list[tuple[int, int, float]] = []
        for key, places in expected_places.items():
            others = actual_places[key]
            if len(places) == len(others) == 1 or self._has_untimed(places, others):
                found += [
                    (i, j, self._off(i, j, gap)) for i, j in zip(places, others, strict=False)
                ]
            else:
                found += self._nearest(places, others, gap)
        found = self._supported(found)
        fewer = min(len(gap.expected), len(gap.actual))
        if fewer >= _LARGE_GAP and len(found) * _LITTLE < fewer:
            # Where most texts changed, the few that are equal may be so by chance.
            times = [] if fewer >= _HUGE_GAP else self._same_times(gap)
            if len(times) * 2 >= fewer or fewer >= _HUGE_GAP:
                return times
        weighed = [(i, j, _NEAR_WEIGHT if off <= _NEAR_MS else 1) for i, j, off in found]
        return heaviest_increasing(weighed)

    def _has_untimed(self, expected: list[int], actual: list[int]) -> bool:
        return not (
            all(self._expected[i].is_timed for i in expected)
            and all(self._actual[j].is_timed for j in actual)
        )

    def _off(self, i: int, j: int, gap: _Gap) -> float:
        """How far the starts of two cues are apart, by the nearest of the gap's offsets."""
        expected, actual = self._expected[i], self._actual[j]
        if not (expected.is_timed and actual.is_timed):
            return 0.0
        apart = actual.start_ms - self._timeline.at(expected.start_ms)
        return min(abs(apart - offset) for offset in gap.offsets)

    def _nearest(
        self, places: list[int], others: list[int], gap: _Gap
    ) -> list[tuple[int, int, float]]:
        """Pairs of a repeated text that are near in time, by that offset that pairs the most."""
        best: list[tuple[int, int, float]] = []
        for offset in gap.offsets:
            wanted = sorted(
                (self._timeline.at(self._expected[i].start_ms) + offset, i) for i in places
            )
            there = sorted((float(self._actual[j].start_ms), j) for j in others)
            found: list[tuple[int, int, float]] = []
            at = 0
            for start, i in wanted:
                while at < len(there) and there[at][0] < start - _NEAR_MS:
                    at += 1
                if at < len(there) and there[at][0] <= start + _NEAR_MS:
                    found.append((i, there[at][1], 0.0))
                    at += 1
            best = max(best, found, key=len)
        return best

    def _supported(self, found: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
        """Leave out pairs far apart in time, unless a neighbour moved as far."""
        found.sort()
        kept = []
        for at, (i, j, off) in enumerate(found):
            if off > _FAR_MS:
                moved = self._actual[j].start_ms - self._timeline.at(self._expected[i].start_ms)
                others = found[max(0, at - 1) : at] + found[at + 1 : at + 2]
                if not any(
                    abs(
                        self._actual[b].start_ms
                        - self._timeline.at(self._expected[a].start_ms)
                        - moved
                    )
                    <= _TOGETHER_MS
                    for a, b, _ in others
                ):
                    continue
            kept.append((i, j, off))
        return kept

    def _same_times(self, gap: _Gap, *, with_ends: bool = True) -> Pairs:
        """Pairs with the same start and, `with_ends`, end, which no other cue of the gap has."""
        best: Pairs = []
        if not self._has_same_starts(gap):
            return best
        for offset in gap.offsets:
            tolerance = self._timeline.tolerance_ms
            places: dict[tuple[int, int], list[int]] = defaultdict(list)
            for j in gap.actual:
                cue = self._actual[j]
                if cue.is_timed:
                    end_ms = cue.end_ms if with_ends else 0
                    places[round(cue.start_ms / tolerance), round(end_ms / tolerance)].append(j)
            wanted: dict[tuple[int, int], list[int]] = defaultdict(list)
            for i in gap.expected:
                cue = self._expected[i]
                if cue.is_timed:
                    start, end = (self._timeline.at(time) + offset for time in cue[:2])
                    if not with_ends:
                        end = 0.0
                    wanted[round(start / tolerance), round(end / tolerance)].append(i)
            pairs = [
                (wanted[times][0], places[times][0], 1)
                for times in wanted
                if len(wanted[times]) == len(places.get(times, ())) == 1
            ]
            best = max(best, heaviest_increasing(pairs), key=len)
        return best

    def _has_same_starts(self, gap: _Gap) -> bool:
        """Return whether enough cues of a huge gap start with one of the other file."""
        if len(gap.expected) < _HUGE_GAP:
            return True
        tried = gap.expected[:: len(gap.expected) // _TRIED_CUES]
        starts = {self._actual[j].start_ms for j in gap.actual}
        return any(
            sum(round(self._timeline.at(self._expected[i].start_ms) + off) in starts for i in tried)
            * _LITTLE
            >= len(tried)
            for off in gap.offsets
        )

    def _by_words(self, gap: _Gap) -> bool:
        """Match the cues that share letters, where all letters of a gap are the same in order."""
        expected = [self._expected_texts.letters(self._expected[i].text) for i in gap.expected]
        actual = [self._actual_texts.letters(self._actual[j].text) for j in gap.actual]
        if "".join(expected) != "".join(actual):
            return False
        i = j = 0
        while i < len(expected) and j < len(actual):
            first_i, first_j = i, j
            # How many letters the expected side of the group is ahead.
            ahead = len(expected[i]) - len(actual[j])
            # Cues without letters belong to each other, not to what stands beside them.
            i += bool(expected[i]) or not actual[j]
            j += bool(actual[j]) or not expected[first_i]
            while ahead and i > first_i and j > first_j:
                if ahead < 0:
                    ahead, i = ahead + len(expected[i]), i + 1
                else:
                    ahead, j = ahead - len(actual[j]), j + 1
            self._keep(gap.expected[first_i:i], gap.actual[first_j:j])
        self._leave(_Gap(gap.expected[i:], gap.actual[j:]))
        return True

    def _by_pieces(self, gap: _Gap) -> list[Match]:
        """Cues whose letters are those of several cues of the other file at about that time."""
        expected = [self._expected_texts.letters(self._expected[i].text) for i in gap.expected]
        actual = [self._actual_texts.letters(self._actual[j].text) for j in gap.actual]
        where = [
            self._timeline.at(self._expected[i].start_ms) + gap.offsets[0] for i in gap.expected
        ]
        there = [float(self._actual[j].start_ms) for j in gap.actual]
        groups = []
        for from_there, wholes, parts, starts, others in (
            (False, expected, actual, where, there),
            (True, actual, expected, there, where),
        ):
            if others != sorted(others):
                continue
            for at, whole in enumerate(wholes):
                for first in near(others, starts[at], _NEIGHBOURS):
                    count = most_pieces(whole, parts, first)
                    if count:
                        one, several = (at, at + 1), (first, first + count)
                        groups.append((several, one) if from_there else (one, several))
        chosen: list[Match] = []
        i = j = 0
        for (i_from, i_to), (j_from, j_to) in sorted(groups):
            if i_from >= i and j_from >= j:
                chosen.append(
                    Match(tuple(gap.expected[i_from:i_to]), tuple(gap.actual[j_from:j_to]))
                )
                i, j = i_to, j_to
        return chosen

    def _by_time(self, gap: _Gap) -> None:
        if not (gap.expected and gap.actual):
            self._leave(gap)
            return
        pairs = self._same_times(gap)
        fewer = min(len(gap.expected), len(gap.actual))
        if fewer >= _LARGE_GAP and len(pairs) * _LITTLE < fewer:
            # Equal starts alone are believed where most cues have them.
            starts = self._same_times(gap, with_ends=False)
            pairs = starts if len(starts) * 2 >= fewer else pairs
        for part in self._divided(gap, pairs):
            if part.expected and part.actual:
                self._by_table(part)
            else:
                self._leave(part)

    def _by_table(self, gap: _Gap) -> None:
        cells = _cells(gap)
        if cells > _LARGE_TABLE:
            parts = self._between_silences(gap)
            if len(parts) > 1 and sum(map(_cells, parts)) <= self._cells_left:
                for part in parts:
                    self._by_table(part)
                return
        if cells > self._cells_left:
            self._uncompared[0].extend(gap.expected)
            self._uncompared[1].extend(gap.actual)
            return
        self._cells_left -= cells
        where = [
            (
                self._timeline.at(self._expected[i].start_ms) + gap.offsets[0],
                self._timeline.at(self._expected[i].end_ms) + gap.offsets[0],
            )
            for i in gap.expected
        ]
        found = best_matches(
            [self._expected_texts.plain(self._expected[i].text) for i in gap.expected],
            [self._actual_texts.plain(self._actual[j].text) for j in gap.actual],
            where,
            [(self._actual[j].start_ms, self._actual[j].end_ms) for j in gap.actual],
        )
        for i, i_to, j, j_to in found:
            self._keep(gap.expected[i:i_to], gap.actual[j:j_to])

    def _between_silences(self, gap: _Gap) -> list[_Gap]:
        """Divide a gap where no cue of either file is shown."""
        shown = [
            (
                self._timeline.at(self._expected[i].start_ms) + gap.offsets[0],
                self._timeline.at(self._expected[i].end_ms) + gap.offsets[0],
                i,
                -1,
            )
            for i in gap.expected
        ] + [(*self._actual[j][:2], -1, j) for j in gap.actual]
        parts: list[_Gap] = []
        silent_from = -math.inf
        for start, end, i, j in sorted(shown):
            if start >= silent_from:
                parts.append(_Gap([], [], gap.offsets))
            (parts[-1].actual if i < 0 else parts[-1].expected).append(j if i < 0 else i)
            silent_from = max(silent_from, end)
        for part in parts:
            part.expected.sort()
            part.actual.sort()
        return parts

    def _join_rows(self) -> None:
        """Join rows without partner to another row, where the partner is more like both of them."""
        expected, actual = self._expected, self._actual
        partners = dict(self._pairs)
        joined: dict[tuple[int, int], Match] = {}
        for i in self._missing:
            for k in (i - 1, i + 1):
                j = partners.get(k)
                if j is not None and (k, j) not in joined and _is_row(expected, i, k, actual[j]):
                    joined[k, j] = Match((min(i, k), max(i, k)), (j,))
                    break
        owners = {j: i for i, j in self._pairs}
        for j in self._extra:
            for k in (j - 1, j + 1):
                i = owners.get(k, -1)
                if i >= 0 and (i, k) not in joined and _is_row(actual, j, k, expected[i]):
                    joined[i, k] = Match((i,), (min(j, k), max(j, k)))
                    break
        if joined:
            self._groups += joined.values()
            self._pairs = [pair for pair in self._pairs if pair not in joined]
            done_i = {i for match in joined.values() for i in match.expected}
            done_j = {j for match in joined.values() for j in match.actual}
            self._missing = [i for i in self._missing if i not in done_i]
            self._extra = [j for j in self._extra if j not in done_j]

    def _pair_equal_and_near(self) -> set[tuple[int, int]]:
        """Pair cues of equal letters, or the same text, at near times in exchanged order."""
        if not (self._missing and self._extra):
            return set()
        left: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for j in self._extra:
            cue = self._actual[j]
            for known_by in {self._actual_texts.key(cue.text), cue.text}:
                left[known_by].append((cue.start_ms, j))
        for places in left.values():
            places.sort()
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        for i in self._missing:
            cue = self._expected[i]
            key = self._expected_texts.key(cue.text)
            places = left.get(key) or left.get(cue.text, [])
            start = self._timeline.at(cue.start_ms)
            close = [
                (abs(places[at][0] - start), places[at][1])
                for at in near(places, (start, -1), _NEIGHBOURS)
                if places[at][1] not in taken
            ]
            if close and min(close)[0] <= _TOGETHER_MS:
                pairs[i] = min(close)[1]
                taken.add(pairs[i])
        self._missing = [i for i in self._missing if i not in pairs]
        self._extra = [j for j in self._extra if j not in taken]
        self._pairs += pairs.items()
        return set(pairs.items())


def _is_row(cues: Sequence[Cue], row: int, other: int, whole: Cue) -> bool:
    """Return whether two rows of equal times are together more like a cue than one alone."""
    are_timed = cues[row].is_timed and cues[other].is_timed and whole.is_timed
    if not are_timed or cues[row][:2] != cues[other][:2]:
        return False
    both = f"{cues[min(row, other)].text} {cues[max(row, other)].text}"
    return likeness(both, whole.text) > likeness(cues[other].text, whole.text)


def heaviest_increasing(pairs: Iterable[tuple[int, int, int]]) -> Pairs:
    """The heaviest choice of weighed pairs in which both sides increase (each occurs once)."""
    ordered = sorted(pairs)
    if all(ordered[at][1] < ordered[at + 1][1] for at in range(len(ordered) - 1)):
        return [(i, j) for i, j, _ in ordered]
    ranks = {j: rank for rank, j in enumerate(sorted(j for _, j, _ in ordered), 1)}
    # A tree of the heaviest chain that ends up to each rank: (weight, place of its last pair).
    tree = [(0, -1)] * (len(ranks) + 1)
    before: list[int] = []
    best = (0, -1)
    for at, (_, j, weight) in enumerate(ordered):
        rank = ranks[j] - 1
        heaviest = (0, -1)
        while rank:
            heaviest = max(heaviest, tree[rank])
            rank &= rank - 1
        before.append(heaviest[1])
        here = (heaviest[0] + weight, at)
        best = max(best, here)
        rank = ranks[j]
        while rank <= len(ranks):
            tree[rank] = max(tree[rank], here)
            rank += rank & -rank
    chosen: Pairs = []
    at = best[1]
    while at >= 0:
        chosen.append(ordered[at][:2])
        at = before[at]
    return chosen[::-1]
