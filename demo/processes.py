"""The processes of the site: started apart from the terminal, and never outliving this one."""

import ctypes
import functools
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

from config import ROOT
from demo.place import LOGS

SET_DEATH_SIGNAL = 1
PATIENCE_SECONDS = 10.0


class ChildEnded(Exception):
    """A process of the site ended by itself; the message shows what it said last."""


@dataclass
class Child:
    """A process in a session of its own, with its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(f"    {line[:300]}" for line in lines[-12:])


@dataclass
class Children:
    """The processes, in the order in which they were started; stopped the other way round."""

    started: list[Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self,
        name: str,
        command: list[str],
        environment: dict[str, str],
        *,
        ended_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start a process whose output goes to a log of its name.

        `ended_by`: the signal that it gets should this process be killed.
        """
        log = LOGS / f"{name.replace(' ', '-')}.log"
        # A process of a former start that still writes has its own file for that.
        log.unlink(missing_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this process alone, which then stops the others in order.
                start_new_session=True,
                preexec_fn=functools.partial(_die_with, os.getpid(), ended_by),  # noqa: PLW1509  no threads yet
            )
        self.started.append(Child(name, process, log))

    def check(self) -> None:
        """Raises ChildEnded when one of them is gone."""
        for child in self.started:
            status = child.process.poll()
            if status is not None:
                raise ChildEnded(
                    f"The {child.name} ended by itself (status {status}). Its log is "
                    f"{child.log}, and ends with:\n{child.last_words()}"
                )

    def wait(self) -> None:
        """Wait until one of them ends, which raises ChildEnded; Ctrl-C interrupts."""
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop them, the last one first, each with what it has started itself.

        A second Ctrl-C meanwhile kills what is left at once.
        """
        patience = PATIENCE_SECONDS
        for child in reversed(self.started):
            try:
                child.process.terminate()
                child.process.wait(patience)
            except KeyboardInterrupt:
                patience = 0.0
            except subprocess.TimeoutExpired:
                pass
            with suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
        self.started.clear()


def stop_on_signals() -> None:
    """Let SIGTERM and a closed terminal end this process as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # Started in the background by a shell without job control, SIGINT is ignored at first.
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _die_with(parent: int, ended_by: signal.Signals) -> None:
    """In the new process: be ended when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, ended_by)
    if os.getppid() != parent:
        os._exit(1)
