"""The lines of a run's log, exactly as `docs/runner-protocol.md` defines them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from mod_ci.runner.text import boundary, clean, redact

Level = Literal["debug", "info", "warning", "error", "critical"]
Source = Literal["worker", "build", "test_runner"]

# Bytes of one line, its line feed included.
LONGEST = 8192


def timestamp(moment: datetime) -> str:
    """A UTC time as the protocol writes it: RFC 3339, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_lines(
    moment: datetime,
    level: Level,
    source: Source,
    messages: Iterable[str],
    regression_id: int | None = None,
) -> bytes:
    """The messages as lines of the log; a message that is too long becomes several lines."""
    of_test = "" if regression_id is None else f" #{regression_id}"
    head = f"{timestamp(moment)} {level} {source}{of_test} | ".encode()
    room = LONGEST - len(head) - 1
    lines = []
    for message in messages:
        body = clean(redact(message)).encode()
        while len(body) > room:
            end = boundary(body, room)
            lines.append(head + body[:end] + b"\n")
            body = body[end:]
        lines.append(head + body + b"\n")
    return b"".join(lines)
