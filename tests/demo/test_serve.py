"""The demonstration from its first start on: a real server, a real runner, two real runs."""

import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests

from demo import ports
from demo.place import find_place
from mod_auth.scopes import Scope
from tests.demo.demonstration import READY, Demonstration, copy_of_the_checkout, started
from tests.servers import free_port

pytestmark = pytest.mark.slow


class Site:
    """A folder with a demonstration, running or at rest as a test needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = ExitStack()
        self.current: Demonstration | None = None
        self.was_set_up = False

    def running(self) -> Demonstration:
        if self.current is None:
            self.current = self.context.enter_context(started(self.folder))
            self.current.wait_until_said(READY)
            self.was_set_up = True
        return self.current

    def at_rest(self) -> Path:
        if not self.was_set_up:
            self.running()
        if self.current is not None:
            assert self.current.stop() == 0
            self.context.close()
            self.current = None
        return self.folder


@pytest.fixture(scope="module")
def only_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(copy_of_the_checkout(tmp_path_factory.mktemp("demonstration") / "site"))
    with site.context:
        yield site


@pytest.fixture
def site(only_site: Site) -> Demonstration:
    """The demonstration, running, both of its runs ended."""
    return only_site.running()


@pytest.fixture
def folder(only_site: Site) -> Path:
    """The folder of a demonstration that was set up and has been stopped."""
    return only_site.at_rest()


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


def regressed_run(site: Demonstration) -> int:
    runs = site.get("/runs", status="fail")["data"]
    assert len(runs) == 1
    return int(runs[0]["run_id"])


def test_the_good_commit_passes_and_the_regressed_one_fails(site: Demonstration) -> None:
    runs = site.get("/runs", sort="run_id")["data"]

    assert [run["status"] for run in runs] == ["pass", "fail"]
    assert [run["run_errors"] for run in runs] == ["no", "yes"]
    assert [run["attempts"] for run in runs] == [1, 1]


def test_what_it_prints_are_the_failing_tests(site: Demonstration) -> None:
    errors = site.get(f"/runs/{regressed_run(site)}/errors", limit=100)["data"]

    assert len(errors) == 6
    for error in errors:
        assert f"  Test {error['regression_id']}: " in site.said
        assert error["message"] in site.said


def test_the_regressed_run_shows_every_outcome(site: Demonstration) -> None:
    run_id = regressed_run(site)
    rows = site.get(f"/runs/{run_id}/samples", limit=100)["data"]
    errors = site.get(f"/runs/{run_id}/errors", limit=100)["data"]

    outputs = [output for row in rows if row["status"] == "pass" for output in row["outputs"]]
    accepted = [output for output in outputs if output["actual_hash"] is not None]
    assert accepted, "no output passed by an accepted variant"
    assert len(outputs) > len(accepted), "no output passed as it is"
    assert [row for row in rows if row["ignored_outputs"]], "no output was ignored"
    kinds = {error["type"] for error in errors}
    assert kinds == {"diff_mismatch", "exit_code_mismatch", "missing_output"}
    changes = {
        site.get(
            f"/runs/{run_id}/samples/{error['sample_id']}/diff",
            regression_id=error["regression_id"],
            output_id=error["location"]["output_id"],
        )["captions"]["kind"]
        for error in errors
        if error["type"] == "diff_mismatch"
    }
    assert {"timing_shift", "text"} <= changes


def test_summary_results_and_filters_agree(site: Demonstration) -> None:
    run_id = regressed_run(site)
    summary = site.get(f"/runs/{run_id}/summary")
    rows = site.get(f"/runs/{run_id}/samples", limit=100)["data"]

    for status, count in {
        "pass": summary["pass_count"],
        "fail": summary["fail_count"],
        "missing_output": summary["missing_output_count"],
        "skipped": summary["skipped_count"],
    }.items():
        filtered = site.get(f"/runs/{run_id}/samples", status=status, limit=100)
        wanted = [row["regression_id"] for row in rows if row["status"] == status]
        assert [row["regression_id"] for row in filtered["data"]] == wanted
        assert filtered["pagination"]["total"] == len(wanted) == count
    assert summary["total_samples"] == len(rows) == 21
    assert summary["error_count"] == site.get(f"/runs/{run_id}/errors")["pagination"]["total"]
    assert summary["status"] == site.get(f"/runs/{run_id}")["status"] == "fail"


def test_the_accounts_that_it_prints_can_sign_in(site: Demonstration) -> None:
    accounts = [line.split() for line in site.said.splitlines() if "@demo.invalid" in line]

    assert {role for role, _, _ in accounts} == {"admin", "tester", "contributor", "user"}
    role, email, password = accounts[0]
    answer = requests.post(
        f"http://127.0.0.1:{site.port}/api/v1/auth/tokens",
        json={"email": email, "password": password, "token_name": f"of-{role}"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text


def test_secrets_are_readable_by_their_owner_only(site: Demonstration) -> None:
    for name in ("runner-token", "demo-token", "secret_key", "platform.sqlite"):
        assert (site.folder / "instance" / name).stat().st_mode & 0o077 == 0


def test_every_link_is_a_uri(site: Demonstration) -> None:
    run_id = regressed_run(site)
    run = site.get(f"/runs/{run_id}")
    artifacts = site.get(f"/runs/{run_id}/artifacts", limit=100)["data"]
    links = [*run["links"].values(), *(a["download_url"] for a in artifacts if a["download_url"])]

    assert len(links) > 10
    for link in links:
        assert link.startswith(f"http://127.0.0.1:{site.port}/api/v1/")
    assert requests.get(links[-1], timeout=30).status_code == 200


def test_the_addresses_that_it_prints_answer(site: Demonstration) -> None:
    for label in ("The site is at ", "Its API is at "):
        address = site.said.split(label)[1].split()[0]
        answer = requests.get(address, timeout=30)
        assert (answer.status_code, answer.json()["version"]) == (200, "1.2.0")


def test_the_token_opens_all_but_a_runners_work(site: Demonstration) -> None:
    run_id = regressed_run(site)

    assert site.get(f"/runs/{run_id}/logs")["data"]
    claim = requests.post(
        f"http://127.0.0.1:{site.port}/api/v1/attempts",
        json={"platform": "linux", "runner_name": "x"},
        headers={"Authorization": f"Bearer {site.token}"},
        timeout=30,
    )
    assert claim.status_code == 403
    assert sorted(claim.json()["details"]["token_scopes"]) == sorted(
        scope.value for scope in Scope if scope is not Scope.RUNS_EXECUTE
    )


def test_the_page_of_the_documentation_is_where_it_says(site: Demonstration) -> None:
    address = site.said.split("Its documentation at ")[1].split()[0]

    assert requests.get(address, timeout=30).headers["Content-Type"].startswith("text/html")


def test_a_second_start_meanwhile_is_refused(site: Demonstration) -> None:
    with started(site.folder) as second:
        assert second.process.wait(60) == 1
    assert second.said == "scripts/serve: it is running already, from this folder.\n"


def test_the_commands_that_it_prints_can_be_followed(site: Demonstration) -> None:
    printed = site.said.replace("\\\n", " ").replace("$TOKEN", site.token)
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  curl -s ")]
    assert len(commands) == 3
    assert all(command.endswith("| python3 -m json.tool") for command in commands)

    look, ask, approve = (done_as_curl_would(command) for command in commands)

    assert look["captions"]["kind"] == "timing_shift"
    assert (ask["status"], ask["approval_id"]) == ("pending_review", "1")
    assert approve["status"] == "approved"
    run_id = regressed_run(site)
    assert site.get(f"/runs/{run_id}/summary")["fail_count"] == 4


def done_as_curl_would(command: str) -> dict[str, object]:
    words = iter(shlex.split(command)[2:])
    method, url, body, headers = "GET", "", None, {}
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                method, body = "POST", next(words)
            case "-X":
                method = next(words)
            case "|":
                break
            case _:
                url = word
    answer = requests.request(method, url, data=body, headers=headers, timeout=30)
    assert answer.ok, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_start_after_a_stop_keeps_what_there_is(folder: Path) -> None:
    port = free_port()
    with started(folder, port) as first:
        first.wait_until_said(READY)
        before, token, family = first.get("/runs")["data"], first.token, first.family()
        assert first.stop() == 0
    assert gone(family)

    with started(folder, port) as again:
        again.wait_until_said(READY)
        assert again.token == token
        assert again.get("/runs")["data"] == before
        family = again.family()
        assert again.stop(signal.SIGTERM) == 0
    assert gone(family)


def test_on_a_terminal_there_is_a_bar(folder: Path) -> None:
    ours, theirs = pty.openpty()
    with started(folder, terminal=theirs) as demonstration:
        os.close(theirs)
        seen = b""
        while READY.encode() not in seen:
            seen += os.read(ours, 65536)
        os.write(ours, b"\x03")  # reaches nobody: it is not the terminal of this session
        assert demonstration.stop() == 0
    os.close(ours)
    assert b"#] 21/21" in seen
    drawn = re.findall(rb"\x1b\[K([^\r\n]*)", seen)
    assert drawn
    assert max(len(line.decode()) for line in drawn) < 80
    # In a terminal of 80 columns the last words are there.
    assert any(re.search(rb"fail, \d+ passed$", line) for line in drawn)


def scripts_serve(
    folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, **variables}
    return subprocess.run(
        ["sh", str(folder / "scripts" / "serve"), *arguments],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_taken_port_is_told_before_anything_is_set_up(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "site")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = scripts_serve(folder, PORT=str(port))

    assert refused.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be had" in refused.stderr
    assert not (folder / ".venv").exists()
    assert not (folder / "instance").exists()


def test_help_starts_nothing(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "site")

    told, refused = scripts_serve(folder, "--help"), scripts_serve(folder, "--port", "1")

    assert (told.returncode, told.stderr) == (0, "")
    assert "PORT" in told.stdout
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--port" in refused.stderr
    assert not (folder / "instance").exists()


def test_without_a_port_the_first_free_one_is_taken() -> None:
    free = ports.first_free("127.0.0.1")
    with socket.create_server(("127.0.0.1", free)):
        place = find_place({"PATH": os.environ["PATH"]})

    assert place.settings.port > free
    assert place.settings.public_url == place.url == f"http://127.0.0.1:{place.settings.port}"
    assert not place.port_was_given


def test_a_given_public_url_is_kept() -> None:
    place = find_place({"PORT": "8123", "PUBLIC_URL": "https://ci.example.org"})

    assert place.settings.public_url == "https://ci.example.org"
    assert place.url == "http://127.0.0.1:8123"


def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started(folder, port) as refused:
            assert refused.process.wait(60) == 1
    assert f"port {port} of 127.0.0.1 cannot be had" in refused.said
    assert "PORT=" in refused.said


def test_a_wrong_port_is_named(folder: Path) -> None:
    with started(folder, PORT="eighty") as refused:
        assert refused.process.wait(60) == 1
    assert "PORT is 'eighty'" in refused.said


def test_when_a_process_of_it_dies_it_says_so_and_stops(folder: Path) -> None:
    with started(folder) as demonstration:
        demonstration.wait_until_said(READY)
        family = demonstration.family()
        demonstration.child("gunicorn").kill()
        assert demonstration.process.wait(60) == 1
    assert "The web server ended by itself" in demonstration.said
    assert gone(family)


def test_nothing_is_left_when_it_is_killed(folder: Path) -> None:
    with started(folder) as demonstration:
        demonstration.wait_until_said(READY)
        family = demonstration.family()
        assert demonstration.stop(signal.SIGKILL) == -signal.SIGKILL
        assert gone(family)
