"""A pytest plugin that tells of each test in a line of JSON as soon as it has ended.

Loaded by PYTEST_ADDOPTS="-p ci_reporter" with this folder in PYTHONPATH. Writes to
$CI_REPORT/tests.jsonl:

    {"event": "session_start"}
    {"event": "start", "nodeid": ...}
    {"event": "test", "nodeid", "outcome", "is_flaky", "duration_ms", "message", "cut"}
    {"event": "session_end", "exit_status": ...}

It runs inside the projects of others, from Python 3.8 and pytest 7 on, and must not change how
their tests end. When it cannot write, it stops: a file without `session_end` is not whole.
"""

from __future__ import annotations

import contextlib
import json
import os

import pytest

# Tests replace functions of modules; ours stay.
_open, _write, _close, _getpid, _dumps = os.open, os.write, os.close, os.getpid, json.dumps

FILE = "tests.jsonl"
OPTION = "-p ci_reporter"
LONGEST_MESSAGE = 64 * 1024
LONGEST_NODEID = 4096
WORST_FIRST = ("error", "failed", "skipped", "passed")
HOW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


def pytest_configure(config: pytest.Config) -> None:
    """Start reporting, unless this is a worker of xdist: its controller reports."""
    with contextlib.suppress(Exception):
        folder = os.environ.get("CI_REPORT")
        if folder and not hasattr(config, "workerinput"):
            config.pluginmanager.register(Reporter(os.path.abspath(folder)))  # noqa: PTH100


class _Test:
    """A test that runs: the worst outcome of its last attempt so far."""

    def __init__(self) -> None:
        self.outcome = "passed"
        self.seconds = 0.0
        self.messages: list[str] = []
        self.attempts = 1
        self.is_to_run_again = False

    def begin_again(self) -> None:
        """Forget the attempt before; pytest-rerunfailures starts and finishes each one."""
        self.outcome, self.seconds, self.messages = "passed", 0.0, []
        self.attempts += 1
        self.is_to_run_again = False

    def worsen(self, outcome: str, message: str) -> None:
        if message:
            self.messages.append(message)
        if WORST_FIRST.index(outcome) < WORST_FIRST.index(self.outcome):
            self.outcome = outcome


class Reporter:
    """Writes the lines of one session."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, FILE)  # noqa: PTH118
        self.process = _getpid()
        self.running: dict[str, _Test] = {}
        self.is_broken = False
        # A pytest that a test starts is part of that test, and may not find this plugin.
        self.options = os.environ.get("PYTEST_ADDOPTS")
        os.environ.pop("CI_REPORT", None)
        if self.options is not None:
            os.environ["PYTEST_ADDOPTS"] = self.options.replace(OPTION, "").strip()

    def pytest_unconfigure(self) -> None:
        """Give the variables back to the next session of this process."""
        os.environ["CI_REPORT"] = self.folder
        if self.options is not None:
            os.environ["PYTEST_ADDOPTS"] = self.options

    def pytest_sessionstart(self) -> None:
        """Tell that a session begins."""
        with contextlib.suppress(Exception):
            self._tell({"event": "session_start"})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session):  # type: ignore[no-untyped-def]
        """Tell that a session has ended, when all others have had their say."""
        yield
        with contextlib.suppress(Exception):
            for nodeid, test in list(self.running.items()):
                if test.outcome != "passed":
                    self._end(nodeid)
            self._tell({"event": "session_end", "exit_status": int(session.exitstatus)})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell that a test begins."""
        with contextlib.suppress(Exception):
            before = self.running.get(nodeid)
            if before is None or not before.is_to_run_again:
                self.running[nodeid] = _Test()
            self._tell({"event": "start", "nodeid": nodeid[:LONGEST_NODEID]})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test's setup, call, subtest or teardown."""
        with contextlib.suppress(Exception):
            self._add(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell how a test ended."""
        with contextlib.suppress(Exception):
            test = self.running.get(nodeid)
            if test is not None and not test.is_to_run_again:
                self._end(nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a module that cannot be collected, or is skipped as a whole."""
        with contextlib.suppress(Exception):
            if report.outcome != "passed":
                test = self.running.setdefault(report.nodeid, _Test())
                outcome = "error" if report.outcome == "failed" else "skipped"
                test.worsen(outcome, _message(report))
                self._end(report.nodeid)

    def _add(self, report: pytest.TestReport) -> None:
        test = self.running.setdefault(report.nodeid, _Test())
        if report.outcome not in WORST_FIRST:  # "rerun" of pytest-rerunfailures, and the like
            test.is_to_run_again = True
            return
        if test.is_to_run_again and report.when == "setup":
            test.begin_again()
        is_subtest = type(report).__name__.lower().startswith("subtest")
        if not is_subtest:
            test.seconds += report.duration
        if report.outcome == "failed":
            test.worsen("failed" if report.when == "call" else "error", _message(report))
        elif report.outcome == "skipped" and not is_subtest:
            test.worsen("skipped", _message(report))
        if str(report.when) == "???":  # xdist's word for a worker that crashed: nothing follows
            self._end(report.nodeid)

    def _end(self, nodeid: str) -> None:
        test = self.running.pop(nodeid, None)
        if test is None:
            return
        message, is_cut = _cut("\n\n".join(test.messages))
        self._tell(
            {
                "event": "test",
                "nodeid": nodeid[:LONGEST_NODEID],
                "outcome": test.outcome,
                "is_flaky": test.attempts > 1 and test.outcome == "passed",
                "duration_ms": round(test.seconds * 1000),
                "message": message or None,
                "cut": is_cut,
            }
        )

    def _tell(self, event: dict[str, object]) -> None:
        """Append a line by one write. Tests may close open files, so it opens its own each time."""
        if self.is_broken or _getpid() != self.process:
            return  # in a process of its own: a test's child that came back instead of ending
        line = _dumps(event).encode("ascii") + b"\n"
        # After a line that was lost none may follow, or the file would look whole.
        self.is_broken = True
        file = _open(self.path, HOW, 0o644)
        try:
            self.is_broken = _write(file, line) < len(line)
        finally:
            _close(file)


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    expected = getattr(report, "wasxfail", None)
    if expected is not None and report.outcome == "skipped":
        return str(expected)
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return str(report.longreprtext)


def _cut(text: str) -> tuple[str, bool]:
    """The text in at most LONGEST_MESSAGE bytes; its middle goes, since errors stand last."""
    data = text.encode("utf-8", "replace")
    if len(data) <= LONGEST_MESSAGE:
        return data.decode(), False
    begin, end = data[: LONGEST_MESSAGE // 4], data[-LONGEST_MESSAGE // 2 :]
    return begin.decode("utf-8", "ignore") + "\n[...]\n" + end.decode("utf-8", "ignore"), True
