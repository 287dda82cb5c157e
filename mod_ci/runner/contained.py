"""Runs one program within limits, hands on what it prints, and leaves nothing of it behind."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, Protocol

from mod_ci.runner import folders
from mod_ci.runner.kept import core_dumps
from mod_ci.runner.limits import Limits
from mod_ci.runner.sandbox import Sandbox, View, wrap

HERE = Path(__file__).resolve().parent
PYTHON = [sys.executable, "-I", "-S"]
LOOK_EVERY_S = 0.1
# How long the keeper may take to kill everything before it is taken for broken.
KEEPER_GRACE_S = 30.0


class HostFailure(Exception):
    """This host could not run a program: no sandbox, no memory, no process. Says why."""


class Cause(Enum):
    """Why a program ended."""

    EXITED = "exited"
    SIGNAL = "signal"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    DISK_LIMIT = "disk_limit"
    PROCESS_LIMIT = "process_limit"
    STOPPED = "stopped"
    NOT_STARTED = "not_started"


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    exit_code: when it exited. signal: the name of the signal that ended it. runtime_ms:
    wall time. problem: why it could not be started.
    """

    cause: Cause
    runtime_ms: int
    exit_code: int | None = None
    signal: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Program:
    """One program to run.

    argv[0] is a path or a name in PATH. env is all of its environment. measured: the
    folders whose content counts as its output. stdin: a file, else nothing.
    """

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    limits: Limits
    measured: tuple[Path, ...] = ()
    stdin: Path | None = None
    sandbox: Sandbox | None = None
    view: View | None = None


Sink = Callable[[bytes], None]


@dataclass(frozen=True)
class Command:
    """The command line that a keeper starts, and what it watches."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    limits: Limits
    stdin: Path | None = None


@dataclass(frozen=True)
class Keeper:
    """A running keeper: its process, the pipe that rules it, the pipe on which it reports."""

    process: subprocess.Popen[bytes]
    control: IO[bytes]
    report: IO[bytes]


def run(
    program: Program, stdout: Sink, stderr: Sink, stopping: Callable[[], bool] = lambda: False
) -> Ended:
    """Run the program to its end, its limits, or until `stopping()` says so.

    Both sinks are called with what it prints, as it is printed, from this thread. On
    return no process of it is left. Raises HostFailure when it could not be run at all.
    """
    limits = program.limits
    argv = [*PYTHON, str(HERE / "launch.py"), *limits.for_launch(), *program.argv]
    if program.sandbox is not None and program.view is not None:
        argv = wrap(program.sandbox, argv, program.cwd, program.view)
    with contextlib.ExitStack() as stack:
        command = Command(argv, program.cwd, program.env, limits, program.stdin)
        keeper = start(command, stack)
        pipes = Pipes(keeper, (stdout, stderr), limits.output_bytes)

        def look(*, measure: bool, stop: bool) -> Cause | None:
            stopped = stopping if stop else (lambda: False)
            return to_stop(pipes.printed, program, stopped, measure=measure)

        def end(_cause: Cause) -> Iterator[float]:
            # Closing the control pipe is what ends the program.
            keeper.control.close()
            yield KEEPER_GRACE_S

        with tended(keeper, pipes):
            over = attend(pipes, limits.time_s + KEEPER_GRACE_S, look, end)
    return verdict(pipes.said, over, limits)


@contextlib.contextmanager
def tended(keeper: Keeper, pipes: "Pipes") -> Iterator[None]:
    """Let the keeper end at the end of the block, whatever happens in it, and wait for it."""
    with keeper.process, pipes.selector:
        try:
            yield
        finally:
            keeper.control.close()
            finish(keeper.process)


def start(command: Command, stack: contextlib.ExitStack) -> Keeper:
    """Start a keeper with the command."""
    limits = command.limits
    control_read, control_write = os.pipe()
    control = stack.enter_context(os.fdopen(control_write, "wb", buffering=0))
    report_read, report_write = os.pipe()
    report = stack.enter_context(os.fdopen(report_read, "rb", buffering=0))
    arguments = [str(control_read), str(report_write), str(int(limits.time_s * 1000))]
    arguments += [str(limits.memory_bytes), str(limits.processes)]
    try:
        stdin = (
            stack.enter_context(command.stdin.open("rb")) if command.stdin else subprocess.DEVNULL
        )
        process = subprocess.Popen(  # noqa: S603  # running given programs is what a runner does
            [*PYTHON, str(HERE / "keeper.py"), *arguments, *command.argv],
            cwd=command.cwd,
            env=dict(command.env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(control_read, report_write),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise HostFailure(f"a process could not be started: {error}") from error
    finally:
        os.close(control_read)
        os.close(report_write)
    return Keeper(process, control, report)


class Pipes:
    """What a program prints and what its keeper reports, handed on as it comes.

    printed: bytes so far. said: the report. reported: whether the report is complete.
    """

    def __init__(self, keeper: Keeper, sinks: tuple[Sink, Sink], most_printed: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.most_printed = most_printed
        self.printed, self.said, self.reported = 0, b"", False
        streams = (
            (keeper.process.stdout, sinks[0]),
            (keeper.process.stderr, sinks[1]),
            (keeper.report, None),
        )
        for stream, sink in streams:
            if stream is not None:
                self.selector.register(stream, selectors.EVENT_READ, sink)

    def pump(self, timeout_s: float) -> bool:
        """Hand on what is there, waiting for it at most so long; False when nothing was."""
        ready = self.selector.select(timeout_s) if self.selector.get_map() else []
        for key, _ in ready:
            data = os.read(key.fd, 65536)
            if not data:
                self.selector.unregister(key.fileobj)
                self.reported = self.reported or key.data is None
            elif key.data is None:
                self.said += data
            else:
                self.take(data, key.data)
        return bool(ready)

    def take(self, data: bytes, sink: Sink) -> None:
        """Hand on output, unless it is more than the program may put out."""
        self.printed += len(data)
        if not self.most_printed or self.printed <= self.most_printed:
            sink(data)


class Look(Protocol):
    """Says why a program is to be ended now, if it is."""

    def __call__(self, *, measure: bool, stop: bool) -> Cause | None:
        """measure: look at what takes time. stop: obey requests to stop, too."""


def attend(
    pipes: Pipes, most_s: float, look: Look, end: Callable[[Cause], Iterator[float]]
) -> Cause | None:
    """Hand on output until the keeper reports, or for `most_s`; end the program when to.

    `end` takes one step after the other, and says how long to wait before the next.
    Returns why we ended it, if we did.
    """
    over: Cause | None = None
    steps: Iterator[float] = iter(())
    measure_at = 0.0
    give_up_at = time.monotonic() + most_s
    while not pipes.reported:
        now = time.monotonic()
        if now >= give_up_at:
            wait_s = next(steps, None)
            if wait_s is None:
                break
            give_up_at = now + wait_s
        pipes.pump(LOOK_EVERY_S)
        if over is not None:
            continue
        now = time.monotonic()
        over = look(measure=now >= measure_at, stop=True)
        if now >= measure_at:
            # A slow disk or many files must not make measuring the main work.
            measure_at = now + max(0.2, 10 * (time.monotonic() - now))
        if over is not None:
            steps, give_up_at = end(over), 0.0
    # What was printed just before the end is still in the pipes; nobody adds to it.
    while pipes.reported and pipes.pump(0):
        pass
    return over or look(measure=True, stop=False)


def to_stop(
    printed: int, program: Program, stopping: Callable[[], bool], *, measure: bool
) -> Cause | None:
    """Why the program is to be stopped now, if it is."""
    if stopping():
        return Cause.STOPPED
    limits = program.limits
    if not limits.output_bytes:
        return None
    left = limits.output_bytes - printed
    if measure and limits.core_bytes:
        # A core dump is no output of the program; the kernel bounds it.
        dumps = sum(path.lstat().st_size for path in core_dumps(program.cwd))
        left += min(dumps, limits.core_bytes)
    if left >= 0 and measure:
        for folder in program.measured:
            size = folders.size_within(folder, most_bytes=left, most_files=limits.files)
            if size is None:
                return Cause.OUTPUT_LIMIT
            left -= size
    return Cause.OUTPUT_LIMIT if left < 0 else None


def finish(keeper: subprocess.Popen[bytes]) -> None:
    """Wait for the keeper, which kills what is left; kill its session if it does not end."""
    try:
        keeper.wait(KEEPER_GRACE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()


def verdict(said: bytes, over: Cause | None, limits: Limits) -> Ended:
    """How the program ended, from the keeper's report and our own reason to stop it.

    Raises HostFailure when the program never started.
    """
    words = said.decode("ascii", "replace").split()
    if len(words) < 2:
        raise HostFailure("a program's keeper died; the host may be out of memory")
    cause, elapsed_ms, status = words[0], int(words[1]), words[2:]
    if cause == "stopped":
        return Ended(over or Cause.STOPPED, elapsed_ms)
    if cause != "ended":
        return Ended(Cause(cause), elapsed_ms)
    if not status:
        raise HostFailure("a program could not be started; what bwrap printed is in the log")
    if len(status) < 3:
        # Its parent was killed before it could say anything: by the kernel, or by itself.
        return Ended(over or Cause.SIGNAL, elapsed_ms, signal="SIGKILL")
    kind, value = status[1], int(status[2])
    if kind == "error":
        return Ended(Cause.NOT_STARTED, elapsed_ms, problem=os.strerror(value))
    runtime_ms, peak = int(status[3]), int(status[4])
    if over is not None:
        return Ended(over, runtime_ms)
    if kind == "exit":
        return Ended(Cause.EXITED, runtime_ms, exit_code=value)
    return killed(signal_name(value), runtime_ms, peak, limits)


def killed(name: str, runtime_ms: int, peak: int, limits: Limits) -> Ended:
    """How a program ended that a signal ended; some signals are the kernel's limits."""
    if name == "SIGXFSZ":
        return Ended(Cause.OUTPUT_LIMIT, runtime_ms, signal=name)
    if name == "SIGXCPU":
        return Ended(Cause.TIME_LIMIT, runtime_ms, signal=name)
    if limits.memory_bytes and peak > limits.memory_bytes:
        return Ended(Cause.MEMORY_LIMIT, runtime_ms, signal=name)
    return Ended(Cause.SIGNAL, runtime_ms, signal=name)


def signal_name(number: int) -> str:
    """The name of a signal, also of a real-time one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
