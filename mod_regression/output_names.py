"""Names of output files.

A table of the existing platform has of each only the part between stem and extension, mostly none:
its outputs are `<stem>.srt`, `<stem>_1.srt`. All outputs of a test have one stem. The existing
workers take the sample's hash for it; ours is a word.
"""

from collections.abc import Sequence
from typing import Protocol

STEM = "output"


class Named(Protocol):
    """An output as far as its name goes; `extension` has the dot."""

    @property
    def expected_filename(self) -> str | None: ...

    @property
    def extension(self) -> str: ...


def name_of(expected_filename: str | None, extension: str) -> str:
    """The name of an output; `expected_filename` is as the table has it."""
    suffix = expected_filename or ""
    return suffix if is_whole(suffix, extension) else f"{STEM}{suffix}{extension}"


def is_whole(expected_filename: str, extension: str) -> bool:
    """Return whether the table has a whole name, as our first demonstration wrote them."""
    return bool(extension) and expected_filename.endswith(extension)


def asked_for(outputs: Sequence[Named]) -> str | None:
    """The name that a program is told to write to, of the first output by id, compared or ignored;
    it makes the others from that. None for a test without outputs.

    Whole names say nothing of suffixes: there it is the stem alone.
    """
    if not outputs:
        return None
    first = outputs[0]
    if is_whole(first.expected_filename or "", first.extension):
        return STEM + first.extension
    return name_of(first.expected_filename, first.extension)
