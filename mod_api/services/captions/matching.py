"""The best way to match a few cues with a few others: a table of every pair's likeness."""

from collections.abc import Iterator, Sequence

from mod_api.services.captions.cues import Cue

# A cue is not split into more than these.
_MOST_PIECES = 8
_WORDS_COMPARED = 64
_LIKE_ENOUGH = 0.5
_SAME_TEXT = 3.0

_Match = tuple[int, int, int, int]


def best_matches(
    expected: Sequence[Cue], actual: Sequence[Cue], where: Sequence[tuple[float, float]]
) -> list[_Match]:
    """Match cues in order, such that texts and times are the most alike in all.

    `where` is when each expected cue would start and end in the actual file, in ms. Each
    match is (expected from, to, actual from, to); a side is empty for a cue that is alone,
    and has several cues where one was split or several were merged.
    """
    rows, columns = len(expected), len(actual)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    step = [[(0, 0)] * (columns + 1) for _ in range(rows + 1)]
    likeness = _likeness(expected, actual, where)
    pieces = _pieces(expected, actual)
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            options = []
            if i < rows:
                options.append((best[i + 1][j], (1, 0)))
            if j < columns:
                options.append((best[i][j + 1], (0, 1)))
            if i < rows and j < columns:
                if likeness[i][j]:
                    options.append((likeness[i][j] + best[i + 1][j + 1], (1, 1)))
                if (i, j) in pieces:
                    down, right = pieces[i, j]
                    options.append((_SAME_TEXT + best[i + down][j + right], (down, right)))
            if options:
                best[i][j], step[i][j] = max(options, key=_value)
    return list(_path(step, rows, columns))


def _value(option: tuple[float, tuple[int, int]]) -> float:
    return option[0]


def _path(step: list[list[tuple[int, int]]], rows: int, columns: int) -> Iterator[_Match]:
    i = j = 0
    while (i, j) != (rows, columns):
        down, right = step[i][j]
        yield i, i + down, j, j + right
        i, j = i + down, j + right


def _likeness(
    expected: Sequence[Cue], actual: Sequence[Cue], where: Sequence[tuple[float, float]]
) -> list[list[float]]:
    """How alike each pair is, 0 where too little to belong together."""
    actual_words = [_words(cue) for cue in actual]
    table = []
    for cue, (start, end) in zip(expected, where, strict=True):
        words = _words(cue)
        row = []
        for other, other_words in zip(actual, actual_words, strict=True):
            together = min(end, other.end_ms) - max(start, other.start_ms)
            apart = max(end, other.end_ms) - min(start, other.start_ms)
            score = max(0.0, together / apart) if apart > 0 else 1.0
            if cue.plain == other.plain:
                score += _SAME_TEXT
            elif words or other_words:
                score += 2 * len(words & other_words) / (len(words) + len(other_words))
            row.append(score if score >= _LIKE_ENOUGH else 0.0)
        table.append(row)
    return table


def _words(cue: Cue) -> frozenset[str]:
    return frozenset(cue.plain.casefold().split()[:_WORDS_COMPARED])


def _pieces(
    expected: Sequence[Cue], actual: Sequence[Cue]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Where the text of one cue is that of several of the other file, and of how many."""
    wholes = ["".join(cue.plain.split()) for cue in expected]
    others = ["".join(cue.plain.split()) for cue in actual]
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for i, whole in enumerate(wholes):
        for j, other in enumerate(others):
            if count := _count(whole, others, j):
                found[i, j] = (1, count)
            elif count := _count(other, wholes, i):
                found[i, j] = (count, 1)
    return found


def _count(whole: str, parts: list[str], start: int) -> int:
    """How many parts from `start` on make up the whole, 0 where they do not or one does."""
    length = 0
    for at in range(start, min(len(parts), start + _MOST_PIECES)):
        if not parts[at] or not whole.startswith(parts[at], length):
            return 0
        length += len(parts[at])
        if length == len(whole):
            return at + 1 - start if at > start else 0
    return 0
