"""What options may say. Whatever else they say is told in one sentence, with exit status 2."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path


class Refused(Exception):
    """The options ask for what cannot be done; the message says why."""


def at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number that is not below this."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least}")
        return int(text)

    return read


def writable(text: str) -> Path:
    """Reads the name of a file that can be written."""
    path = Path(text)
    is_new = not path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise ArgumentTypeError(f"{path} cannot be written: {error.strerror}") from None
    if is_new:
        path.unlink()
    return path
