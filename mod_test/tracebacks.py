"""Messages without their stack traces, which may name internal paths.

Stacks are shown only by `/infrastructure-errors` with `include_stack`, to the roles that may see
them. Everything else shows a message through `without_stack` or `headline`.
"""

import re

BEGINNING = re.compile(r"\bTraceback \(most recent")
# Frames of Python, and of .NET, Java and JavaScript.
PYTHON_FRAME = re.compile(r'^[\s|+]*File ".*", line \d+', re.MULTILINE)
OTHER_FRAME = re.compile(r"\n\s+at \S.*[(:].*")


def is_traceback(message: str) -> bool:
    """Return whether a message holds a Python traceback, or a part of one."""
    return bool(BEGINNING.search(message) or PYTHON_FRAME.search(message))


def without_stack(message: str) -> str:
    """A message with the last line of its traceback only; stacks of other languages lose their
    frames."""
    if not is_traceback(message):
        return OTHER_FRAME.sub("", message)
    found = [pattern.search(message) for pattern in (BEGINNING, PYTHON_FRAME)]
    begins = min(match.start() for match in found if match)
    before, last = message[:begins].strip(), _last_line(message[begins:])
    return f"{before} {last}" if before else last


def headline(message: str) -> str:
    """The first line of a message without its stack."""
    return next(iter(without_stack(message).strip().splitlines()), "")


def _last_line(traceback: str) -> str:
    """The last line that is no frame. Frames are indented; where a message was cut, they may be
    all that follows the first line."""
    lines = [line.rstrip() for line in traceback.strip().splitlines() if line.strip()]
    plain = [line for line in lines if not line[0].isspace() and not PYTHON_FRAME.match(line)]
    return plain[-1] if plain else "Traceback"
