"""Runs the command line that is a box, hands on its lines, ends it at its bounds."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner import folders
from mod_ci.runner.contained import (
    KEEPER_GRACE_S,
    Cause,
    Command,
    Keeper,
    Pipes,
    attend,
    signal_name,
    start,
    tended,
)
from mod_ci.runner.engines.model import Bounds, End, EngineFailure, Line, Outcome, Stop
from mod_ci.runner.limits import MIB, Limits

# Between asking a box to end and killing it.
GRACE_S = 10.0
# Files and folders in the writable places of a box: more is a flood of them.
MOST_FILES = 100_000
LONGEST_LINE = 64 * 1024
MOST_COMPLAINT = 4096


class Lines:
    """Cuts output into lines, none of them overlong."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.rest = b""

    def feed(self, data: bytes) -> None:
        """Hand on the lines that are complete now."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.hand_on(line)
        while len(self.rest) > LONGEST_LINE:
            self.line(self.rest[:LONGEST_LINE])
            self.rest = self.rest[LONGEST_LINE:]

    def end(self) -> None:
        """Hand on a last line that has no newline."""
        if self.rest:
            self.hand_on(self.rest)
        self.rest = b""

    def hand_on(self, line: bytes) -> None:
        """Hand on one line, in pieces if need be."""
        self.line(line[:LONGEST_LINE])
        for begin in range(LONGEST_LINE, len(line), LONGEST_LINE):
            self.line(line[begin : begin + LONGEST_LINE])


@dataclass(frozen=True)
class Course:
    """What became of a box: the keeper's report, our reason to end it, the engine's complaint."""

    said: list[str]
    over: Cause | None
    complaint: str


Ending = Callable[[Keeper, Cause], Iterator[float]]


def run(
    command: Command, writable: list[Path], bounds: Bounds, line: Line, stop: Stop, ending: Ending
) -> Course:
    """Run the command of a box to its end.

    writable: folders whose content counts as the box's. ending: the steps that end it,
    each with how long to wait for the next; the keeper's kill comes after the last.
    """
    lines, complaint = Lines(line), bytearray()
    until = time.monotonic() + bounds.time_s

    def complain(data: bytes) -> None:
        complaint.extend(data)
        del complaint[:-MOST_COMPLAINT]

    def look(*, measure: bool, stop: bool) -> Cause | None:
        if stop and asked.is_set():
            return Cause.STOPPED
        if pipes.printed > bounds.output_bytes:
            return Cause.OUTPUT_LIMIT
        if measure and not fits(writable, bounds.disk_bytes):
            return Cause.DISK_LIMIT
        return Cause.TIME_LIMIT if stop and time.monotonic() > until else None

    asked = stop
    with contextlib.ExitStack() as stack:
        keeper = start(command, stack)
        pipes = Pipes(keeper, (lines.feed, complain), bounds.output_bytes)

        def end(cause: Cause) -> Iterator[float]:
            yield from ending(keeper, cause)
            keeper.control.close()
            yield KEEPER_GRACE_S

        with tended(keeper, pipes):
            over = attend(pipes, command.limits.time_s + KEEPER_GRACE_S, look, end)
    lines.end()
    words = pipes.said.decode("ascii", "replace").split()
    return Course(words, over, complaint.decode("utf-8", "replace").strip())


def fits(folder_list: list[Path], most_bytes: int) -> bool:
    """Return whether the folders' files are no more than allowed, in bytes and number."""
    left = most_bytes
    for folder in folder_list:
        size = folders.size_within(folder, most_bytes=left, most_files=MOST_FILES)
        if size is None:
            return False
        left -= size
    return True


def verdict(course: Course, status: list[str]) -> End:
    """Tell how a box ended, from our reason, the keeper's and the word of its process 1.

    Raises EngineFailure where nobody knows.
    """
    if course.over is not None:
        return End(outcome_of(course.over))
    cause = course.said[0] if course.said else ""
    if cause in ("time_limit", "memory_limit", "process_limit"):
        return End(outcome_of(Cause(cause)))
    if cause != "ended" or len(status) < 2:
        raise EngineFailure(
            "process 1 of the box did not say how the program ended"
            + (f": {course.complaint.splitlines()[-1]}" if course.complaint else "")
        )
    return end_of(status)


def outcome_of(cause: Cause) -> Outcome:
    """The outcome of a cause that is not the program's own."""
    outcomes: dict[Cause, Outcome] = {
        Cause.STOPPED: "stopped",
        Cause.TIME_LIMIT: "time_limit",
        Cause.MEMORY_LIMIT: "memory_limit",
        Cause.PROCESS_LIMIT: "process_limit",
        Cause.OUTPUT_LIMIT: "output_limit",
        Cause.DISK_LIMIT: "disk_limit",
    }
    return outcomes[cause]


def end_of(status: list[str]) -> End:
    """The end that process 1 tells in the last words of its status."""
    match status[0]:
        case "exit":
            return End("exited", exit_code=int(status[1]))
        case "error":
            # As a shell says it: 127 for not found, 126 for what cannot be executed.
            return End("exited", exit_code=127 if status[1] == "2" else 126)
        case "memory_limit":
            return End("memory_limit")
        case "process_limit":
            return End("process_limit")
        case "signal":
            name = signal_name(int(status[1]))
            if name == "SIGXFSZ":
                return End("disk_limit", signal=name)
            if name == "SIGXCPU":
                return End("time_limit", signal=name)
            return End("signaled", signal=name)
    raise EngineFailure("process 1 of the box said what it never says")


def launch_words(bounds: Bounds, status: str, cpus: str, *, own_memory: bool) -> list[str]:
    """The arguments of `launch.py --box` for these bounds, up to the environment.

    own_memory: whether nobody else limits memory and processes in the kernel.
    """
    limits = Limits(
        bounds.time_s,
        memory_bytes=bounds.memory_bytes if own_memory else 0,
        # One that fills it must be seen to be over: not every program dies of the signal.
        output_bytes=bounds.disk_bytes + MIB,
        processes=bounds.processes if own_memory else 0,
    )
    return ["--box", status, cpus, *limits.for_launch()]
