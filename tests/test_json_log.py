"""What libraries, warnings and threads say, in the form of our own log."""

import json
import subprocess
import sys

from config import ROOT

SAYING = """
import logging, threading, warnings
import structlog
import json_log
json_log.install()
json_log.install()
structlog.contextvars.bind_contextvars(request_id="abc")
structlog.get_logger("ours").info("said", number=1)
logging.getLogger("library").info("too quiet")
logging.getLogger("library").warning("of %s", "a library")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("library").exception("failed")
warnings.warn("old", stacklevel=1)
thread = threading.Thread(target=lambda: 1 / 0, name="ours")
thread.start()
thread.join()
"""


def test_all_that_is_said_is_one_json_object_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAYING], cwd=ROOT, capture_output=True, text=True, check=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [line["event"] for line in lines[:3]] == ["said", "of a library", "failed"]
    assert lines[0]["number"] == 1
    assert [line["level"] for line in lines] == ["info", "warning", "error", "warning", "error"]
    assert lines[1]["logger"] == "library"
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert "old" in lines[3]["event"]
    assert (lines[4]["thread"], "ZeroDivisionError" in lines[4]["exception"]) == ("ours", True)
    assert all(line["request_id"] == "abc" for line in lines[:4])
    assert all(line["timestamp"].endswith("Z") for line in lines)


REDIRECTED = """
import contextlib, io, logging
import structlog
import json_log
json_log.install()
elsewhere = io.StringIO()
with contextlib.redirect_stderr(elsewhere):
    structlog.get_logger("ours").info("ours")
    logging.getLogger("library").warning("a library's")
print(elsewhere.getvalue(), end="")
"""


def test_all_lines_follow_standard_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REDIRECTED], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == [
        "ours",
        "a library's",
    ]
    assert done.stderr == ""


ENDING_ITSELF = """
import sys, threading
import json_log
json_log.install()
thread = threading.Thread(target=sys.exit)
thread.start()
thread.join()
"""


def test_a_thread_that_ends_itself_has_not_failed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING_ITSELF], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stderr == ""
