"""The original job server's surface, started its way, by its own commands and client."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from config import ROOT
from tests import factories
from tests.jobs import zipped
from tests.jobs_executed.conftest import start_process
from tests.patience import tries
from tests.servers import free_port
from tests.web_server import Server

PROJECT = {
    "test_it.py": "def test_it():\n    print('hello')\n",
    "test_not.py": "def test_not():\n    assert 1 == 2\n",
}
# As the original's README has them, with the port as it is here.
ASYNCHRONOUS = """
cd project
zip -q -r project.zip . -x '.*' -x '__pycache__/*'
JOB_ID=$(curl -s -X POST http://localhost:$PORT/submit-async -F "file=@project.zip" | jq -r .job_id)
echo "Job ID: $JOB_ID"

# Wait for completion
curl -s -N http://localhost:$PORT/jobs/$JOB_ID/stream?from_beginning=true
curl -s http://localhost:$PORT/jobs/$JOB_ID
curl -s http://localhost:$PORT/jobs
"""
SYNCHRONOUS = """
cd project
zip -q -r project.zip . -x '.*' -x '__pycache__/*'
curl -s -N -X POST http://localhost:$PORT/submit -F "file=@project.zip"
"""
ODD = [
    "next\u0085line", "line\u2028separator", "emoji \U0001f600", "\x1b[31mred\x1b[0m",
    "tab\there", "carriage\rreturn", "\u202ereversed", "x" * 60_000, "",
]  # fmt: skip

Start = Callable[..., "Started"]


class Started:
    """A server as `uvicorn ci_server.app:app` starts it."""

    def __init__(self, folder: Path, name: str, *options: str, **variables: str) -> None:
        self.port = free_port()
        self.log = folder / f"{name}.log"
        given = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "FLASK_SKIP_DOTENV": "1",
            "PASSWORD_ROUNDS": "1000", "RATE_LIMIT_READ": "off",
            "CI_DB_PATH": str(folder / f"{name}.db"), **variables,
        }  # fmt: skip
        command = [sys.executable, "-m", "uvicorn", "ci_server.app:app", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *options], cwd=ROOT, env=given, stdout=log, stderr=log
            )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> "Started":
        for _ in tries(0.05):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if requests.get(f"{self.address}/jobs", timeout=5).ok:
                    break
            except requests.ConnectionError:
                continue
        return self

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(120)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Started] = []

    def begin(*options: str, name: str = "jobs", **variables: str) -> Started:
        started.append(Started(tmp_path, name, *options, **variables))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.stop()
        sys.stderr.write(server.log.read_text()[-3000:])


def events(response: requests.Response) -> list[dict[str, Any]]:
    """What the original's client makes of a stream."""
    found = []
    for line in response.iter_lines(decode_unicode=True):
        if line and line.startswith("data: "):
            found.append(json.loads(line[6:]))
            if found[-1]["type"] == "complete":
                break
    return found


def submitted(server: Started, path: str, files: dict[str, str | bytes]) -> list[dict[str, Any]]:
    parts = {"file": ("project.zip", zipped(files))}
    with requests.post(f"{server.address}{path}", files=parts, stream=True, timeout=120) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        return events(answer)


@pytest.mark.parametrize("commands", [SYNCHRONOUS, ASYNCHRONOUS], ids=["sync", "async"])
def test_the_commands_of_the_original_work(start: Start, tmp_path: Path, commands: str) -> None:
    missing = [name for name in ("curl", "zip", "jq") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    server = start().up()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "test_it.py").write_text(PROJECT["test_it.py"])

    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=tmp_path, env={**os.environ, "PORT": str(server.port)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert '{"type": "complete", "success": true}' in done.stdout
    assert "test_it.py::test_it PASSED" in done.stdout
    if commands is ASYNCHRONOUS:
        one, all_of_them = (json.loads(line) for line in done.stdout.splitlines()[-2:])
        assert (one["status"], one["success"]) == ("completed", True)
        assert one["end_time"] > one["start_time"]
        assert [job["job_id"] for job in all_of_them] == [one["job_id"]]


def test_each_kind_of_call_reads_the_log_as_it_was_printed(start: Start) -> None:
    server = start().up()
    printing = (
        f"import sys\nfor line in {ODD!r}:\n    sys.stdout.buffer.write(line.encode() + b'\\n')\n"
        "sys.stdout.buffer.write(b'bad \\xff\\xfe byte\\n')\n"
    )
    project = {"ci.toml": 'command = ["python", "say.py"]\n', "say.py": printing}

    said = submitted(server, "/submit-stream", dict(project))

    assert said[0]["type"] == "job_id"
    logged = [event["data"] for event in said if event["type"] == "log"]
    begin = logged.index(ODD[0] + "\n")
    wanted = [*(line + "\n" for line in ODD), "bad \ufffd\ufffd byte\n"]
    assert logged[begin : begin + len(wanted)] == wanted
    assert said[-1] == {"type": "complete", "success": True}

    url = f"{server.address}/jobs/{said[0]['job_id']}"
    with requests.get(
        f"{url}/stream", params={"from_beginning": True}, stream=True, timeout=60
    ) as again:
        assert events(again) == said[1:]
    with requests.get(f"{url}/stream", stream=True, timeout=60) as late:
        assert events(late) == [said[-1]]
    assert requests.get(url, timeout=60).json()["success"] is True
    failed = submitted(server, "/submit", dict(PROJECT))
    assert failed[-1] == {"type": "complete", "success": False}


def test_who_may_do_without_a_token(start: Start) -> None:
    server = start().up()

    def status(**headers: str) -> int:
        return requests.get(f"{server.address}/jobs", headers=headers, timeout=60).status_code

    assert status() == 200
    assert status(Host="localhost:80") == 200
    assert status(Host="evil.example") == 401
    assert status(Origin="https://evil.example") == 401
    assert status(Origin=server.address) == 200
    assert status(**{"Sec-Fetch-Site": "cross-site"}) == 401
    assert status(Authorization="Bearer spci_no_such_token") == 401
    answer = requests.get(f"{server.address}/jobs/none", timeout=60)
    assert answer.status_code == 404
    assert answer.json()["detail"] == answer.json()["message"]


@pytest.mark.parametrize("options", [("--host", "192.0.2.1"), ("--workers", "2")], ids=str)
def test_what_would_need_more_is_refused_in_a_sentence(
    start: Start, options: tuple[str, ...]
) -> None:
    server = start(*options)

    if "--workers" in options:  # uvicorn starts its workers again and again
        for _ in tries(0.1):
            if "REDIS_URL" in server.log.read_text():
                return
    assert server.process.wait(120) != 0
    assert "need REDIS_URL, and clients with tokens" in server.log.read_text()


def test_a_server_that_ends_ends_no_job(start: Start, tmp_path: Path) -> None:
    server = start().up()
    wait = "import os, time\nwhile not os.path.exists('/tmp/never'):\n    time.sleep(0.1)\n"
    command = 'command = ["python", "-c", "print(1); import time; time.sleep(3)"]\n'
    parts = {"file": ("project.zip", zipped({"ci.toml": command, "wait.py": wait}))}
    job_id = requests.post(f"{server.address}/submit-async", files=parts, timeout=60).json()[
        "job_id"
    ]
    url = f"/jobs/{job_id}"
    for _ in tries(0.05):
        if requests.get(server.address + url, timeout=60).json()["status"] == "running":
            break

    server.stop()
    again = start().up()

    for _ in tries(0.1):
        job = requests.get(again.address + url, timeout=60).json()
        if job["status"] not in ("queued", "running"):
            break
    assert (job["status"], job["success"]) == ("completed", True)


def test_two_servers_see_nothing_of_each_other(start: Start, tmp_path: Path) -> None:
    one = start(name="one", CI_CONTAINER_PREFIX="one_").up()
    two = start(name="two", CI_CONTAINER_PREFIX="two_").up()

    job_id = submitted(one, "/submit-stream", dict(PROJECT))[0]["job_id"]

    assert requests.get(f"{two.address}/jobs", timeout=60).json() == []
    assert requests.get(f"{two.address}/jobs/{job_id}", timeout=60).status_code == 404
    logs = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("JobLogs/*.txt")}
    assert logs == {"one.db.files"}


def test_a_job_is_canceled(start: Start) -> None:
    server = start().up()
    parts = {"file": ("project.zip", zipped({"ci.toml": 'command = ["sleep", "1000"]\n'}))}
    job_id = requests.post(f"{server.address}/submit-async", files=parts, timeout=60).json()[
        "job_id"
    ]

    answer = requests.delete(f"{server.address}/jobs/{job_id}", timeout=60)

    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    job = requests.get(f"{server.address}/jobs/{job_id}", timeout=60).json()
    assert (job["status"], job["success"]) == ("cancelled", False)
    listed = requests.get(
        f"{server.address}/jobs", params={"status": "cancelled", "limit": 1}, timeout=60
    )
    assert [one["job_id"] for one in listed.json()] == [job_id]
    assert 'rel="next"' in listed.headers["Link"]


def test_a_waiting_job_keeps_its_stream_alive(
    serve: Callable[..., Server], site: Any, tmp_path: Path
) -> None:
    server = serve(stream_keep_alive=1)
    headers = factories.signed_in("contributor", "jobs:read", "jobs:write")
    token = factories.signed_in("admin", "runs:execute")["Authorization"].split()[1]
    parts = {"file": ("project.zip", zipped({"ci.toml": 'command = ["true"]\n'}))}
    runner = None
    kept_alive = 0
    found = []
    with requests.post(
        f"http://127.0.0.1:{server.port}/submit-stream",
        files=parts, headers=headers, stream=True, timeout=120,
    ) as answer:  # fmt: skip
        for line in answer.iter_lines(decode_unicode=True):
            kept_alive += line.startswith(":")
            if kept_alive == 3 and runner is None:
                runner = start_process(server, token, tmp_path, 0)
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
    assert runner is not None
    runner.kill()
    runner.wait()

    assert found[0]["type"] == "job_id"
    assert found[-1] == {"type": "complete", "success": True}
