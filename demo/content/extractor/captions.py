"""Captions and what the options do to them."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .options import Options


@dataclass(frozen=True)
class Caption:
    """Lines on the screen from `start` to `end`, in milliseconds.

    A line may hold `<i>...</i>` and `<font color="...">...</font>`.
    """

    start: int
    end: int
    lines: tuple[str, ...]


def edited(captions: list[Caption], options: Options) -> list[Caption]:
    """The captions as the options want them: moved, cut, and with changed texts."""
    moved = delayed(captions, options.delay)
    return [
        replace(caption, lines=tuple(line(text, options) for text in cased(caption.lines, options)))
        for caption in within(moved, options.start_at, options.end_at)
    ]


def delayed(captions: list[Caption], delay: int) -> list[Caption]:
    """The captions moved by `delay`; what would end before the beginning is dropped."""
    return [
        replace(caption, start=max(0, caption.start + delay), end=caption.end + delay)
        for caption in captions
        if caption.end + delay > 0
    ]


def within(captions: list[Caption], start_at: int | None, end_at: int | None) -> Iterator[Caption]:
    """The captions that begin between the two times; None is no limit."""
    for caption in captions:
        if start_at is not None and caption.start < start_at:
            continue
        if end_at is not None and caption.start >= end_at:
            continue
        yield caption


def cased(lines: tuple[str, ...], options: Options) -> tuple[str, ...]:
    """The lines, in sentence case where that is wanted; a sentence may span lines."""
    if not options.sentence_case:
        return lines
    lowered = "\n".join(lines).lower()
    begun = re.sub(
        r"(^(?:<[^>]*>|\W)*|[.!?]\s+(?:<[^>]*>|[¡¿])*)(\w)",
        lambda found: found[1] + found[2].upper(),
        lowered,
    )
    return tuple(re.sub(r"\bi\b(?!>)", "I", begun).split("\n"))


def line(text: str, options: Options) -> str:
    """One line with the wanted formatting, trimmed where that is wanted."""
    if not options.colors:
        text = re.sub(r"</?font[^>]*>", "", text)
    if not options.typesetting:
        text = re.sub(r"</?[ibu]>", "", text)
    if options.trim:
        text = trimmed(text)
    return text


def trimmed(text: str) -> str:
    """The line without spaces at its ends, also just inside of its tags."""
    text = re.sub(r"^\s*((?:<[^>]*>)*)\s*", r"\1", text)
    return re.sub(r"\s*((?:<[^>]*>)*)\s*$", r"\1", text)


def rolls_up(captions: list[Caption]) -> bool:
    """Return whether lines move up: some caption begins with the line that ended the one before."""
    return any(
        after.lines[0] == before.lines[-1] and after.start == before.end
        for before, after in itertools.pairwise(captions)
    )
