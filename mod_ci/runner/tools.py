"""Runs the tools of the first stages (git, the build) and keeps what they print."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner.contained import Cause, Ended, Program, run
from mod_ci.runner.limits import MIB, Limits
from mod_ci.runner.log_lines import Source
from mod_ci.runner.sandbox import Sandbox, View
from mod_ci.runner.spool import Spool
from mod_ci.runner.text import LineSplitter, clean, redact

# Of what a tool prints; a build that prints more has gone wrong.
MOST_OUTPUT = 256 * MIB
KEPT_LINES = 200


@dataclass(frozen=True)
class Done:
    """How a tool ended, and the last lines that it printed, cleaned, without credentials."""

    ended: Ended
    lines: list[str]

    @property
    def ok(self) -> bool:
        """Return whether it exited with 0."""
        return self.ended.exit_code == 0

    def describe(self, name: str, time_s: float) -> str:
        """One sentence on how it ended."""
        match self.ended.cause:
            case Cause.EXITED:
                return f"{name} exited with {self.ended.exit_code}"
            case Cause.SIGNAL:
                return f"{name} was ended by {self.ended.signal}"
            case Cause.TIME_LIMIT:
                return f"{name} took longer than {time_s:g} s"
            case Cause.NOT_STARTED:
                return f"{name} could not be started: {self.ended.problem}"
            case Cause.OUTPUT_LIMIT:
                return f"{name} printed more than {MOST_OUTPUT // MIB} MiB"
            case _:
                return f"{name} was stopped"


@dataclass(frozen=True)
class Tool:
    """One tool to run. source: under which its output goes to the log."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    time_s: float
    source: Source
    sandbox: Sandbox | None = None
    view: View | None = None


def use(tool: Tool, spool: Spool, stopping: Callable[[], bool]) -> Done:
    """Run a tool to its end, its output to the log as it is printed.

    Raises HostFailure when it could not be run at all.
    """
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    splitters = (LineSplitter(), LineSplitter())

    def keep(lines: list[str]) -> None:
        lines = [redact(line) for line in lines]
        kept.extend(clean(line) for line in lines)
        spool.write("info", tool.source, lines)

    program = Program(
        argv=tool.argv,
        cwd=tool.cwd,
        env=tool.env,
        limits=Limits(tool.time_s, output_bytes=0),
        sandbox=tool.sandbox,
        view=tool.view,
    )
    ended = run(
        program,
        lambda data: keep(splitters[0].feed(data)),
        lambda data: keep(splitters[1].feed(data)),
        stopping,
    )
    for splitter in splitters:
        keep(splitter.end())
    return Done(ended, list(kept))
