"""The best way to match a few cues with a few others: a table of every pair's likeness."""

from collections.abc import Iterator, Sequence

# A cue is not split into more than these.
_MOST_PIECES = 8
_LETTERS_COMPARED = 200
_LIKE_ENOUGH = 0.5
_SAME_TEXT = 3.0
_PIECE = 3
# Texts are compared of cues no further apart than this.
_FAR_MS = 5_000

_Times = tuple[float, float]
_Match = tuple[int, int, int, int]


def best_matches(
    expected: Sequence[str],
    actual: Sequence[str],
    where: Sequence[_Times],
    there: Sequence[_Times],
) -> list[_Match]:
    """Match cues in order, such that texts and times are the most alike in all.

    `where` is when each expected cue would start and end in the actual file, in ms. Each
    match is (expected from, to, actual from, to); a side is empty for a cue that is alone,
    and has several cues where one was split or several were merged.
    """
    rows, columns = len(expected), len(actual)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    step = [[(0, 0)] * (columns + 1) for _ in range(rows + 1)]
    likeness = _likeness(expected, actual, where, there)
    pieces = _pieces(expected, actual)
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            value, move = 0.0, (0, 0)
            if i < rows:
                value, move = best[i + 1][j], (1, 0)
            if j < columns and (best[i][j + 1] > value or i == rows):
                value, move = best[i][j + 1], (0, 1)
            if i < rows and j < columns:
                alike = likeness[i][j]
                if alike and alike + best[i + 1][j + 1] > value:
                    value, move = alike + best[i + 1][j + 1], (1, 1)
                if (i, j) in pieces:
                    down, right = pieces[i, j]
                    if _SAME_TEXT + best[i + down][j + right] > value:
                        value, move = _SAME_TEXT + best[i + down][j + right], (down, right)
            best[i][j], step[i][j] = value, move
    return list(_path(step, rows, columns))


def _path(step: list[list[tuple[int, int]]], rows: int, columns: int) -> Iterator[_Match]:
    i = j = 0
    while (i, j) != (rows, columns):
        down, right = step[i][j]
        yield i, i + down, j, j + right
        i, j = i + down, j + right


def _likeness(
    expected: Sequence[str],
    actual: Sequence[str],
    where: Sequence[_Times],
    there: Sequence[_Times],
) -> list[list[float]]:
    """How alike each pair is, 0 where too little to belong together."""
    parts = [letters(text) for text in actual]
    table = []
    for text, (start, end) in zip(expected, where, strict=True):
        own = letters(text)
        row = []
        for other, other_parts, (from_, to) in zip(actual, parts, there, strict=True):
            if max(start, from_) - min(end, to) > _FAR_MS:
                row.append(0.0)
                continue
            apart = max(end, to) - min(start, from_)
            score = max(0.0, (min(end, to) - max(start, from_)) / apart) if apart > 0 else 1.0
            if text == other:
                score += _SAME_TEXT
            elif own and other_parts:
                score += 2 * len(own & other_parts) / (len(own) + len(other_parts))
            row.append(score if score >= _LIKE_ENOUGH else 0.0)
        table.append(row)
    return table


def likeness(text: str, other: str) -> float:
    """How alike two texts are, from 0 to 1."""
    own, others = letters(text), letters(other)
    return 2 * len(own & others) / (len(own) + len(others))


def letters(text: str) -> frozenset[str]:
    """The runs of three letters within a text, by which texts are alike."""
    text = f"  {text[:_LETTERS_COMPARED].casefold()} "
    return frozenset(text[at : at + _PIECE] for at in range(len(text) - 2))


def _pieces(
    expected: Sequence[str], actual: Sequence[str]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Where the text of one cue is that of several of the other file, and of how many."""
    wholes = ["".join(text.split()) for text in expected]
    others = ["".join(text.split()) for text in actual]
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for i, whole in enumerate(wholes):
        for j, other in enumerate(others):
            if count := most_pieces(whole, others, j):
                found[i, j] = (1, count)
            elif count := most_pieces(other, wholes, i):
                found[i, j] = (count, 1)
    return found


def most_pieces(whole: str, parts: Sequence[str], start: int) -> int:
    """How many parts from `start` on make up the whole, 0 where they do not or one does."""
    length = 0
    for at in range(start, min(len(parts), start + _MOST_PIECES)):
        if not parts[at] or not whole.startswith(parts[at], length):
            return 0
        length += len(parts[at])
        if length == len(whole):
            return at + 1 - start if at > start else 0
    return 0
