"""Executes one regression test."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from mod_ci.runner.claim import RegressionTest, Sample
from mod_ci.runner.command import CAPTURED, Unsupported, arguments, sample_name
from mod_ci.runner.contained import Cause, Ended, Program, Sink, run
from mod_ci.runner.kept import Kept
from mod_ci.runner.lease import Abandoned
from mod_ci.runner.limits import MIB, Limits
from mod_ci.runner.results import TAIL_BYTES, Result, look_up
from mod_ci.runner.sandbox import Sandbox, View
from mod_ci.runner.spool import Spool
from mod_ci.runner.text import LineSplitter, boundary, clean, redact

# What a shell says of a command that it cannot execute.
NOT_EXECUTABLE = 127


@dataclass(frozen=True)
class Bench:
    """What all tests of a run have in common.

    built: the folder of the build, in the runner's own work folder; None for an extractor
    that the host has.
    """

    extractor: Path
    built: Path | None
    limits: Limits
    sandbox: Sandbox | None
    spool: Spool
    kept: Kept
    stopping: Callable[[], bool]


class Printed:
    """What a test prints for people: to the log line by line, its ends for the result, and all of
    it to a file."""

    def __init__(self, spool: Spool, regression_id: int, file: IO[bytes]) -> None:
        self.spool, self.regression_id, self.file = spool, regression_id, file
        self.splitters = {"info": LineSplitter(), "warning": LineSplitter()}
        self.tail, self.stdout_tail, self.stderr_tail = b"", b"", b""

    def stdout(self, data: bytes) -> None:
        """Bytes of the standard output."""
        self.keep(data)
        self.stdout_tail = ending(self.stdout_tail + data)
        self.write_info(self.splitters["info"].feed(data))

    def stderr(self, data: bytes) -> None:
        """Bytes of the error output."""
        self.keep(data)
        self.stderr_tail = ending(self.stderr_tail + data)
        self.write_warning(self.splitters["warning"].feed(data))

    def end(self) -> None:
        """Write what came without a line's end."""
        self.write_info(self.splitters["info"].end())
        self.write_warning(self.splitters["warning"].end())

    def write_info(self, lines: list[str]) -> None:
        """Lines of the standard output."""
        self.spool.write("info", "test_runner", lines, self.regression_id)

    def write_warning(self, lines: list[str]) -> None:
        """Lines of the error output."""
        self.spool.write("warning", "test_runner", lines, self.regression_id)

    def keep(self, data: bytes) -> None:
        """Remember the last bytes, and write all of them down."""
        self.tail = ending(self.tail + data)
        self.file.write(data)


def ending(data: bytes) -> bytes:
    """As many of the last bytes as a result carries."""
    return data[-TAIL_BYTES:]


def tail_text(tail: bytes) -> str:
    """The last bytes as text that can be shown, at most TAIL_BYTES of it."""
    text = tail.decode("utf-8", "replace")
    encoded = "\n".join(clean(redact(line)) for line in text.splitlines()).encode()
    if len(encoded) > TAIL_BYTES:
        # Escaping has made it longer; the end is what counts.
        encoded = encoded[boundary(encoded, len(encoded) - TAIL_BYTES + 3) :]
    return encoded[-TAIL_BYTES:].decode("utf-8", "ignore")


def execute(
    test: RegressionTest, sample: Sample, media: Path, folder: Path, bench: Bench
) -> Result:
    """Execute a test in `folder`, which is empty; returns its result, whatever happens to it.

    media: the sample's file. Raises Abandoned when it was stopped from outside, and
    HostFailure or OSError when this host could not execute it.
    """
    started_at = datetime.now(UTC)
    try:
        argv = [str(bench.extractor), *arguments(test, sample)]
    except Unsupported as problem:
        message = str(problem)
        bench.spool.write("error", "test_runner", [message], test.regression_id)
        return Result(
            test.regression_id, "exited", 0, started_at, exit_code=NOT_EXECUTABLE, message=message
        )
    work, private = folder / "work", folder / "tmp"
    (work / "input").mkdir(parents=True)
    private.mkdir()
    captured = folder / "stdout" if test.output_type in CAPTURED else None
    all_printed = folder / "printed"
    with ExitStack() as stack:
        file = stack.enter_context(all_printed.open("xb"))
        printed = Printed(bench.spool, test.regression_id, file)
        stdout: Sink = printed.stdout
        if captured is not None:
            stdout = into(stack.enter_context(captured.open("xb")))
        program = Program(
            argv=argv,
            cwd=work,
            env=environment(work),
            limits=bench.limits,
            measured=(work, private),
            stdin=media if test.input_type == "stdin" else None,
            sandbox=bench.sandbox,
            view=view(test, sample, media, work, private, bench),
        )
        ended = run(program, stdout, printed.stderr, bench.stopping)
    printed.end()
    bench.kept.add_output(test.regression_id, test.command, all_printed)
    if ended.cause is Cause.STOPPED:
        raise Abandoned
    if bench.kept.take_core(work):
        message = "Its core dump is kept as the run's"
        bench.spool.write("info", "worker", [message], test.regression_id)
    result = result_of(ended, test, bench.limits, started_at, printed, captured is not None)
    if result.message:
        bench.spool.write("error", "test_runner", [result.message], test.regression_id)
    if ended.cause is Cause.OUTPUT_LIMIT:
        return result  # cut off somewhere: what is there is not what the test produced
    return replace(result, produced=look_up(test, work, captured))


def into(file: IO[bytes]) -> Sink:
    """A sink that writes to a file."""

    def write(data: bytes) -> None:
        file.write(data)

    return write


def environment(home: Path) -> dict[str, str]:
    """All that a test knows of the runner's environment."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(home)}
    if "FFMPEG" in os.environ:
        env["FFMPEG"] = os.environ["FFMPEG"]
    return env


def view(
    test: RegressionTest, sample: Sample, media: Path, work: Path, private: Path, bench: Bench
) -> View | None:
    """Put the sample before the test: in a sandbox read-only, else as a link."""
    place = work / "input" / sample_name(sample)
    if bench.sandbox is None:
        if test.input_type == "file":
            place.symlink_to(media)
        return None
    read_only = [(bench.built, bench.built)] if bench.built else []
    if test.input_type == "file":
        place.touch()  # the mount needs something to be mounted on
        read_only.append((media, place))
    return View(private=private, writable=(work,), read_only=tuple(read_only))


def result_of(
    ended: Ended,
    test: RegressionTest,
    limits: Limits,
    started_at: datetime,
    printed: Printed,
    is_captured: bool,
) -> Result:
    """The result without its outputs; a captured standard output is one of these."""
    outcome, message, exit_code, name = ended.cause.value, None, None, ended.signal
    match ended.cause:
        case Cause.EXITED:
            exit_code = ended.exit_code
        case Cause.NOT_STARTED:
            outcome, exit_code = "exited", NOT_EXECUTABLE
            message = f"The extractor could not be executed: {ended.problem}"
        case Cause.SIGNAL:
            message = f"The test was ended by {name}"
        case Cause.TIME_LIMIT:
            message = f"The test took longer than {limits.time_s:g} s and was killed"
        case Cause.MEMORY_LIMIT:
            message = f"The test used more than {limits.memory_bytes // MIB} MiB and was killed"
        case Cause.OUTPUT_LIMIT:
            message = (
                f"The test put out more than {limits.output_bytes // MIB} MiB "
                f"(or {limits.files} files) and was killed"
            )
        case Cause.PROCESS_LIMIT:
            outcome, name = "signal", "SIGKILL"
            message = f"The test started more than {limits.processes} processes and was killed"
    return Result(
        test.regression_id,
        outcome,
        ended.runtime_ms,
        started_at,
        exit_code,
        name,
        message,
        tail_text(printed.tail),
        None if is_captured else tail_text(printed.stdout_tail),
        tail_text(printed.stderr_tail),
    )
