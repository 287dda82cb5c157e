"""A job's log as a stream: in this API's events, or in those of the original job server."""

import json
from dataclasses import dataclass
from typing import Any

from mod_api.streaming import frames
from mod_api.streaming.hub import RunState
from mod_api.streaming.log_stream import Followed, Part
from mod_test.logs.lines import LogLine, header_bytes
from mod_test.logs.source import LogSource

# Of a line, its head not counted.
LONGEST_LINE = 64 * 1024
LONGEST_HEAD = 256


@dataclass(frozen=True)
class FollowedJob(Followed):
    """Lines in this API's shape."""

    def shown(self, line: LogLine) -> dict[str, Any]:
        """A line as the pages of a job's log have it."""
        found = super().shown(line)
        for name in ("run_id", "sample_id", "regression_id"):
            del found[name]
        return {**found, "job_id": self.run_id}

    def position(self, offset: int) -> bytes:
        """An event that only tells the client where it is."""
        return frames.frame("position", {"job_id": self.run_id}, id=str(offset))

    def ended(self, state: RunState) -> bytes:
        """The last event; `status` is how the job ended."""
        return frames.frame("end", {"job_id": self.run_id, "status": state.status}, id=frames.END)


@dataclass(frozen=True)
class FollowedByOriginal(Followed):
    """Events of the original job server (docs/jobs-original-interface.md): each one `data:` line.

    Its client splits at whatever Python's `splitlines` does, so JSON is sent in ASCII; a line of
    the log is sent as it was printed.
    """

    tells_id: bool = False

    @property
    def hello(self) -> bytes:
        """The id of the job, where its submitter does not know it."""
        if self.tells_id:
            return frames.HELLO + _event({"type": "job_id", "job_id": self.run_id})
        return frames.HELLO

    def position(self, offset: int) -> bytes:
        """A comment: the client makes something of every event."""
        return frames.KEEP_ALIVE

    def ended(self, state: RunState) -> bytes:
        """The last event."""
        told = {"type": "complete", "success": state.status == "success"}
        return _event(told, id=frames.END)

    def framed(self, lines: list[LogLine], end: int, log: LogSource) -> Part:
        """The lines as they were printed, each with its newline.

        What a carriage return has parted for the pages of a log is one line here.
        """
        content, printed = [], ""
        for line in lines:
            printed += _printed(line, log)
            if not printed.endswith("\r") or line is lines[-1]:
                event = {"type": "log", "data": printed}
                content.append(_event(event, id=str(line.next_offset)))
                printed = ""
        return Part(b"".join(content), lines[-1].next_offset if lines else None, end)


def _printed(line: LogLine, log: LogSource) -> str:
    """A line's text as its program printed it, with its end: only invalid UTF-8 is replaced."""
    length = min(line.next_offset - line.offset, LONGEST_HEAD + LONGEST_LINE)
    raw = log.read(line.offset, length)
    message = raw[header_bytes(raw, 0, len(raw)) :]
    return message[: LONGEST_LINE + 1].decode("utf-8", "replace")


def _event(told: dict[str, Any], *, id: str | None = None) -> bytes:
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}data: {json.dumps(told)}\n\n".encode("ascii")
