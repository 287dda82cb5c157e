"""The pytest plugin that tells of each test at once, in sessions of the real pytest."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_ci.runner.reporter import ci_reporter

FOLDER = Path(ci_reporter.__file__).parent

Lines = list[dict[str, object]]
Run = Callable[..., tuple[int, Lines]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest on a file of tests; returns its exit status and what the plugin told."""

    def run(text: str, *options: str, report: str | None = None) -> tuple[int, Lines]:
        project, folder = tmp_path / "project", tmp_path / "report"
        project.mkdir()
        folder.mkdir()
        (project / "pytest.ini").write_text("[pytest]\n")
        (project / "test_a.py").write_text("import os, pytest, unittest\n" + text)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FOLDER),
            "PYTEST_ADDOPTS": "-p ci_reporter",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CI_REPORT": str(folder) if report is None else report,
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
            cwd=project, env=environment, capture_output=True,
            text=True, errors="replace", timeout=300,
        )  # fmt: skip
        assert "INTERNALERROR" not in done.stdout + done.stderr
        path = folder / "tests.jsonl"
        text = path.read_text("ascii") if path.exists() else ""
        return done.returncode, [json.loads(line) for line in text.splitlines()]

    return run


def outcomes(lines: Lines) -> dict[str, object]:
    """Each finished test's outcome by its name; every test is told of once."""
    ended = [line for line in lines if line["event"] == "test"]
    found = {str(line["nodeid"]).rpartition("::")[2]: line["outcome"] for line in ended}
    assert len(found) == len(ended)
    return found


def only(lines: Lines) -> dict[str, object]:
    (found,) = [line for line in lines if line["event"] == "test"]
    return found


EVERY_KIND = """
@pytest.fixture
def bad_setup():
    raise OSError("in setup")

@pytest.fixture
def bad_teardown():
    yield
    raise OSError("in teardown")

def test_passes(): pass
def test_fails(): assert 1 == 2, "one is not two"
def test_setup(bad_setup): pass
def test_teardown(bad_teardown): pass
def test_both(bad_teardown): assert 1 == 2
def test_skipped(): pytest.skip("not here")
@pytest.mark.xfail(reason="known")
def test_xfail(): assert 0
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
class TestOld(unittest.TestCase):
    def test_method(self): self.fail()
"""
THEIR_OUTCOMES = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_setup": "error",
    "test_teardown": "error",
    "test_both": "error",
    "test_skipped": "skipped",
    "test_xfail": "skipped",
    "test_xpass": "passed",
    "test_strict": "failed",
    "test_method": "failed",
}


@pytest.mark.parametrize("options", [[], ["-n2"], ["--color=yes"]], ids=str)
def test_every_kind_of_end_is_told(options: list[str], run: Run) -> None:
    code, lines = run(EVERY_KIND, *options)

    assert code == 1
    assert outcomes(lines) == THEIR_OUTCOMES
    assert lines[0] == {"event": "session_start"}
    assert lines[-1] == {"event": "session_end", "exit_status": 1}
    assert sum(line["event"] == "start" for line in lines) == len(THEIR_OUTCOMES)
    assert "\x1b" not in json.dumps(lines)


def test_messages_say_why(run: Run) -> None:
    _, lines = run(EVERY_KIND)

    said = {str(line["nodeid"]): str(line["message"]) for line in lines if line["event"] == "test"}
    assert "one is not two" in said["test_a.py::test_fails"]
    assert "in setup" in said["test_a.py::test_setup"]
    assert "in teardown" in said["test_a.py::test_both"]
    assert "1 == 2" in said["test_a.py::test_both"]
    assert said["test_a.py::test_skipped"] == "Skipped: not here"
    assert said["test_a.py::test_xfail"] == "known"
    assert said["test_a.py::test_passes"] == "None"
    assert "test_a.py::TestOld::test_method" in said


def test_the_worst_subtest_counts(run: Run) -> None:
    text = """
class TestOld(unittest.TestCase):
    def test_fails(self):
        for i in range(3):
            with self.subTest(i=i):
                assert i != 1
    def test_skips(self):
        for i in range(3):
            with self.subTest(i=i):
                if i == 1: self.skipTest("one")
"""
    if hasattr(pytest, "Subtests"):
        text += """
def test_new(subtests):
    for i in range(3):
        with subtests.test(i=i):
            assert i != 1
"""
    _, lines = run(text)

    wanted = {"test_fails": "failed", "test_skips": "passed", "test_new": "failed"}
    found = outcomes(lines)
    assert found == {name: wanted[name] for name in found}
    assert len(found) >= 2


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=str)
def test_a_test_that_passes_when_run_again_is_flaky(options: list[str], run: Run) -> None:
    pytest.importorskip("pytest_rerunfailures")
    code, lines = run(
        """
tries = []
def test_flaky():
    tries.append(1)
    assert len(tries) > 2
def test_never(): assert 0
def test_good(): pass
""",
        "--reruns=2",
        *options,
    )

    told = {
        str(line["nodeid"]).rpartition("::")[2]: (line["outcome"], line["is_flaky"])
        for line in lines
        if line["event"] == "test"
    }
    assert code == 1
    assert told == {
        "test_flaky": ("passed", True),
        "test_never": ("failed", False),
        "test_good": ("passed", False),
    }
    assert sum(line["event"] == "test" for line in lines) == 3


def test_a_worker_that_crashes_is_an_error_of_its_test(run: Run) -> None:
    code, lines = run("def test_dies(): os._exit(0)\ndef test_lives(): pass\n", "-n1")

    assert code == 1
    assert outcomes(lines) == {"test_dies": "error", "test_lives": "passed"}
    assert lines[-1] == {"event": "session_end", "exit_status": 1}


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=str)
def test_a_module_that_cannot_be_imported_is_an_error(options: list[str], run: Run) -> None:
    _, lines = run("import nothing_of_this_name\n", *options)

    assert only(lines)["outcome"] == "error"
    assert only(lines)["nodeid"] == "test_a.py"
    assert "nothing_of_this_name" in str(only(lines)["message"])


def test_a_module_that_is_skipped_is_told(run: Run) -> None:
    code, lines = run("pytest.skip('no module', allow_module_level=True)\n")

    assert code == 5
    assert (only(lines)["nodeid"], only(lines)["outcome"]) == ("test_a.py", "skipped")
    assert lines[-1] == {"event": "session_end", "exit_status": 5}


def test_a_process_that_ends_by_itself_leaves_no_whole_file(run: Run) -> None:
    code, lines = run("def test_good(): pass\ndef test_ends(): os._exit(0)\ndef test_b(): pass\n")

    assert code == 0
    assert outcomes(lines) == {"test_good": "passed"}
    assert lines[-1] == {"event": "start", "nodeid": "test_a.py::test_ends"}


def test_an_interrupted_session_names_its_test(run: Run) -> None:
    _, lines = run("def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\n")

    assert outcomes(lines) == {"test_a": "passed"}
    assert [line["nodeid"] for line in lines if line["event"] == "start"][-1] == "test_a.py::test_b"
    assert lines[-1] == {"event": "session_end", "exit_status": 2}


def test_a_pytest_within_a_test_is_not_told(run: Run) -> None:
    code, lines = run(
        """
import subprocess, sys
@pytest.mark.parametrize("path", ["", os.environ["PYTHONPATH"]])
def test_outer(tmp_path, path):
    (tmp_path / "test_inner.py").write_text("def test_inner(): assert 0")
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "pytest", tmp_path]
    assert subprocess.run(command, env=environment).returncode == 1
"""
    )

    assert code == 0
    assert set(outcomes(lines).values()) == {"passed"}
    assert len(outcomes(lines)) == 2


def test_two_sessions_of_one_process_are_both_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text("def test_inner(): pass\n")
    path = str(tmp_path / "twice.py")
    code, lines = run(f"def test_a(): pass\ndef test_b(): pytest.main([{path!r}])\n")

    assert code == 0
    assert outcomes(lines) == {"test_a": "passed", "test_b": "passed"}


def test_a_child_that_comes_back_tells_nothing(run: Run) -> None:
    _, lines = run("def test_forks():\n    if os.fork():\n        os.wait()\n")

    assert [line["event"] for line in lines] == ["session_start", "start", "test", "session_end"]


def test_tests_that_close_or_replace_what_they_find_change_nothing(run: Run) -> None:
    code, lines = run(
        """
from unittest import mock
def test_closes():
    os.closerange(20, 200)
def test_replaces():
    patch = mock.patch.multiple(os, write=None, open=None, getpid=None)
    patch.start()
    os.environ.clear()
"""
    )

    assert outcomes(lines) == {"test_closes": "passed", "test_replaces": "passed"}
    assert lines[-1]["event"] == "session_end"
    assert code == lines[-1]["exit_status"]


@pytest.mark.parametrize("report", ["", "/nowhere/at/all", "/dev/null", "/dev/full"])
def test_a_folder_that_cannot_be_written_changes_nothing(report: str, run: Run) -> None:
    code, lines = run("def test_a(): pass\n", report=report)

    assert (code, lines) == (0, [])


def test_a_full_disk_changes_nothing(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "tests.jsonl").symlink_to("/dev/full")

    code, lines = run("def test_a(): pass\n", report=str(folder))

    assert (code, lines) == (0, [])


def test_long_messages_keep_their_begin_and_end(run: Run) -> None:
    _, lines = run(
        "def test_a():\n    raise OSError('begins' + 'é' * 100_000 + '\\udc80' + 'ends here')\n",
        "--tb=native",
    )

    message = str(only(lines)["message"])
    assert only(lines)["cut"] is True
    assert len(message.encode()) <= 64 * 1024
    assert "begins" in message
    assert "ends here" in message


def test_it_is_written_for_python_3_8() -> None:
    ast.parse(Path(ci_reporter.__file__).read_text("utf-8"), feature_version=(3, 8))
