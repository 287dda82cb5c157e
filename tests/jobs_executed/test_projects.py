"""Projects and how their jobs end."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import COUNTED
from tests.jobs_executed.conftest import Jobs, why_not

PASSING = {"test_it.py": "import pathlib\n\ndef test_it():\n    assert pathlib.Path('a').name\n"}


def outcomes(jobs: Jobs, job_id: str) -> dict[str, str]:
    found = jobs.get(job_id, "/tests", limit=100)["data"]
    return {test["nodeid"]: test["outcome"] for test in found}


def test_a_project_whose_tests_pass(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()

    job = jobs.run(
        {**PASSING, "test_own.py": "import pytest\n\ndef test_own():\n"
         "    for name in ('requests', 'flask', 'pip'):\n"
         "        with pytest.raises(ImportError):\n            __import__(name)\n"}
    )  # fmt: skip

    assert (job["conclusion"], job["exit_code"], job["is_report_whole"]) == ("success", 0, True)
    assert outcomes(jobs, job["job_id"]) == {
        "test_it.py::test_it": "passed",
        "test_own.py::test_own": "passed",
    }
    assert "test_it.py::test_it PASSED" in " ".join(jobs.log(job["job_id"]))
    stages = [event["message"] for event in jobs.get(job["job_id"], "/events")["data"]]
    assert stages[2:-1] == [
        "Unpacking the project",
        "Installing what it needs",
        "Running its command",
        "Collecting what it left behind",
        "Handing in",
    ]


def test_every_kind_of_outcome(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()
    tests = """
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2, "so it is"
@pytest.fixture
def broken(): raise RuntimeError("no fixture")
def test_cannot_begin(broken): pass
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert False
"""

    job = jobs.run({"test_all.py": tests, "test_broken.py": "import nothing_of_the_kind\n"})

    assert (job["conclusion"], job["exit_code"]) == ("failure", 2)
    again = jobs.run({"test_all.py": tests})
    assert (again["conclusion"], again["exit_code"]) == ("failure", 1)
    assert outcomes(jobs, job["job_id"]) == {"test_broken.py": "error"}
    assert outcomes(jobs, again["job_id"]) == {
        "test_all.py::test_passes": "passed",
        "test_all.py::test_fails": "failed",
        "test_all.py::test_cannot_begin": "error",
        "test_all.py::test_skipped": "skipped",
        "test_all.py::test_expected": "skipped",
    }
    (failed,) = jobs.get(again["job_id"], "/tests", outcome="failed")["data"]
    assert "so it is" in failed["message"]


def test_a_test_that_ends_the_process_is_no_success(
    jobs: Jobs, start_runner: Callable[..., Any]
) -> None:
    start_runner()

    job = jobs.run({"test_it.py": "import os\n\ndef test_it():\n    os._exit(0)\n"})

    assert (job["conclusion"], job["exit_code"], job["is_report_whole"]) == ("failure", 0, False)
    assert outcomes(jobs, job["job_id"]) == {"test_it.py::test_it": "running"}


def test_a_project_with_its_own_command_and_files(
    jobs: Jobs, start_runner: Callable[..., Any]
) -> None:
    start_runner()
    settings = """
command = ["sh", "-c", "echo $WORD; mkdir -p out; echo kept > out/a.txt; ln -s /etc/passwd out/b"]
artifacts = ["out/*"]
environment = { WORD = "hello" }
"""

    job = jobs.run({"ci.toml": settings})

    assert (job["conclusion"], job["is_report_whole"]) == ("success", None)
    log = jobs.log(job["job_id"])
    assert "hello" in log
    assert any("'out/b' is not kept: it is a link" in line for line in log)
    (kept,) = jobs.get(job["job_id"], "/artifacts")["data"]
    url = f"{jobs.address}{kept['url']}"
    assert requests.get(url, headers=jobs.headers, timeout=60).text == "kept\n"


def test_the_submission_wins_over_the_project(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()

    job = jobs.run({"ci.toml": 'command = ["false"]\n'}, command=["echo", "mine"])

    assert job["conclusion"] == "success"
    assert "mine" in jobs.log(job["job_id"])


def test_projects_that_cannot_be_run_say_why(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()

    without = jobs.run({"README": "nothing here"})
    unreadable = jobs.run({"ci.toml": "command = 3\n"})
    missing = jobs.run({"a": ""}, command=["no-such-program"])
    unknown = jobs.run({"requirements.txt": "-r ../x.txt\n", "test_it.py": ""})

    assert (without["outcome"], without["conclusion"]) == ("no_tests", "failure")
    assert "command cannot be 3" in unreadable["why"]
    assert (missing["exit_code"], missing["conclusion"]) == (127, "failure")
    assert (unknown["outcome"], "../x.txt" in unknown["why"]) == ("install_failed", True)


def test_limits_end_a_job_by_name(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()

    slow = jobs.run({"a": ""}, command=["sleep", "1000"], timeout_s=1)
    large = jobs.run({"a": ""}, command=["python", "-c", "x = bytearray(1 << 30)"], memory_mib=64)
    many = jobs.run({"a": ""}, command=["sh", "-c", "f() { f | f & }; f; sleep 100"])
    loud = jobs.run({"a": ""}, command=["sh", "-c", "yes | head -c 400000000"])

    found = [(job["conclusion"], job["outcome"]) for job in (slow, large, many, loud)]
    assert found == [
        ("timed_out", "time_limit"),
        ("out_of_memory", "memory_limit"),
        ("failure", "process_limit"),
        ("failure", "output_limit"),
    ]


def test_a_job_sees_nothing_of_this_host(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()
    look = """
import os, pathlib, socket
def hidden(path):
    try:
        return not os.listdir(path) if os.path.isdir(path) else not os.path.exists(path)
    except OSError:
        return True
found = [p for p in ("/home", "/run", "/srv", "/opt", "/root/.ssh", "/etc/shadow",
                     "/var/lib", "/proc/1/root/home") if not hidden(p)]
print("seen:", found)
print("others:", [p for p in os.listdir("/proc") if p.isdigit() and int(p) > 50])
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=1)
    print("network")
except OSError:
    print("no network")
for path in ("/usr/x", "/x", "/project/../x", "/box/x", "/reporter/x", "/dev/x"):
    try:
        pathlib.Path(path).write_text("x"); print("wrote", path)
    except OSError:
        pass
print("env:", sorted(name for name in os.environ if "TOKEN" in name or "SECRET" in name))
""".replace("PORT", str(jobs.server.port))

    job = jobs.run({"look.py": look}, command=["python", "look.py"])

    log = jobs.log(job["job_id"])
    assert job["conclusion"] == "success", log
    assert "seen: []" in log
    assert "others: []" in log
    assert "no network" in log
    assert "env: []" in log
    assert not [line for line in log if line.startswith("wrote")]


def test_a_canceled_job_is_stopped(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()
    job_id = jobs.submit({"a": ""}, command=["sh", "-c", "echo began; sleep 1000"])
    jobs.until(job_id, "began")

    jobs.post(job_id, "cancel")

    assert jobs.ended(job_id)["conclusion"] == "canceled"
    assert jobs.run(PASSING)["conclusion"] == "success"  # the runner goes on with the next


def test_requirements_are_installed_and_kept(
    jobs: Jobs, start_runner: Callable[..., Any], tmp_path: Any, monkeypatch: Any
) -> None:
    package = tmp_path / "wheels" / "greeting-1.0-py3-none-any.whl"
    package.parent.mkdir()
    from tests.jobs import zipped

    package.write_bytes(
        zipped(
            {
                "greeting.py": "WORD = 'hello'\n",
                "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\n"
                "Version: 1.0\n",
                "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
                "Root-Is-Purelib: true\nTag: py3-none-any\n",
                "greeting-1.0.dist-info/RECORD": "greeting.py,,\n"
                "greeting-1.0.dist-info/METADATA,,\ngreeting-1.0.dist-info/WHEEL,,\n"
                "greeting-1.0.dist-info/RECORD,,\n",
            }
        )
    )
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(package.parent))
    start_runner()
    project = {
        "requirements.txt": "-r more.txt\n",
        "more.txt": "greeting==1.0\n",
        "test_it.py": "import greeting\n\ndef test_it():\n    assert greeting.WORD == 'hello'\n",
    }

    first = jobs.run(project)
    package.unlink()
    second = jobs.run(project)  # the tree is kept: nothing is installed

    assert (first["conclusion"], second["conclusion"]) == ("success", "success")
    lacking = jobs.run({**project, "more.txt": "no-such-package==1\n"})
    assert (lacking["outcome"], lacking["conclusion"]) == ("install_failed", "failure")


def test_reports_of_other_tools_are_read(jobs: Jobs, start_runner: Callable[..., Any]) -> None:
    start_runner()
    junit = (
        "<testsuites><testsuite name='s' tests='2'><testcase classname='pkg.Case' name='good'/>"
        "<testcase classname='pkg.Case' name='bad'><failure message='no'>why</failure></testcase>"
        "</testsuite></testsuites>"
    )
    lcov = "SF:src/a.c\nDA:1,1\nDA:2,0\nend_of_record\n"

    job = jobs.run(
        {"junit.xml": junit, "build/lcov.info": lcov, "TEST-broken.xml": "<testsuite"},
        command=["true"],
    )

    assert job["conclusion"] == "success"
    assert outcomes(jobs, job["job_id"]) == {"pkg.Case::good": "passed", "pkg.Case::bad": "failed"}
    assert jobs.get(job["job_id"], "/coverage")["totals"] == {"lines": 2, "covered_lines": 1}
    kept = {one["name"]: one for one in jobs.get(job["job_id"], "/artifacts")["data"]}
    assert {name: one["kind"] for name, one in kept.items()} == {
        "junit.xml": "junit",
        "build/lcov.info": "lcov",
        "TEST-broken.xml": "junit",
    }
    assert kept["TEST-broken.xml"]["error"]


@pytest.mark.slow
def test_boxes_of_podman_end_in_the_same_words(
    jobs: Jobs, start_runner: Callable[..., Any]
) -> None:
    if problem := why_not("podman"):
        pytest.skip(COUNTED + problem)
    start_runner(engine="podman")

    passing = jobs.run(PASSING)
    failing = jobs.run({"test_it.py": "def test_it(): assert 1 == 2\n"})
    slow = jobs.run({"a": ""}, command=["sleep", "1000"], timeout_s=2)
    large = jobs.run({"a": ""}, command=["python", "-c", "x = bytearray(1 << 30)"], memory_mib=64)
    sneaky = jobs.run({"test_it.py": "import os\n\ndef test_it():\n    os._exit(0)\n"})

    found = [(one["conclusion"], one["outcome"]) for one in (passing, failing, slow, large, sneaky)]
    assert found == [
        ("success", "exited"),
        ("failure", "exited"),
        ("timed_out", "time_limit"),
        ("out_of_memory", "memory_limit"),
        ("failure", "exited"),
    ]
    assert outcomes(jobs, passing["job_id"]) == {"test_it.py::test_it": "passed"}
