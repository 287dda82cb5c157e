"""What each command prints, and how it ends."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ccextractor_ci.cli.completion import commands_of
from ccextractor_ci.cli.parser import make_parser
from tests import factories
from tests.client.conftest import Runs, Said
from tests.raw import Raw

Ci = Callable[..., Said]
SHA = "a" * 40


def test_ls_has_a_line_for_each_run(ci: Ci, runs: Runs) -> None:
    said = ci("ls")

    first, second = said.out.splitlines()[1:]
    assert said.status == 0
    assert first.split()[:2] == [str(runs.failed), "fail"]
    assert second.split()[:2] == [str(runs.passed), "pass"]


def test_output_is_json_wherever_it_is_asked_for(ci: Ci, runs: Runs) -> None:
    before, behind = ci("-o", "json", "ls", "-n", 1), ci("ls", "-n", 1, "--output=json")

    assert json.loads(before.out)[0]["run_id"] == runs.failed
    assert before.out == behind.out


def test_why_ends_with_0_and_names_the_test(ci: Ci, runs: Runs) -> None:
    for form in ([], ["--md"]):
        said = ci("why", runs.failed, *form)
        assert (said.status, runs.command in said.out) == (0, True)
    assert json.loads(ci("why", runs.failed, "--json").out)["run_id"] == runs.failed


def test_watch_ends_as_the_run_did(ci: Ci, runs: Runs) -> None:
    assert ci("watch", runs.passed).status == 0
    assert ci("watch", runs.failed).status == 1


def test_a_run_without_a_verdict_is_10(ci: Ci) -> None:
    canceled = factories.run(progress=["preparation", ("canceled", "Canceled by user")])

    assert ci("watch", canceled.id).status == 10


def test_watching_ends_with_9_when_time_is_up(ci: Ci) -> None:
    waiting = factories.run()

    said = ci("watch", waiting.id, "--timeout", "0.2")

    assert said.status == 9
    assert "still queued" in said.err


def test_diff_shows_each_cue_of_both_sides(ci: Ci, runs: Runs) -> None:
    said = ci("diff", runs.failed, runs.late)

    assert said.status == 1
    assert "- 00:00:01,000 --> 00:00:02,000" in said.out
    assert "+ 00:00:01,500 --> 00:00:02,500" in said.out
    assert ci("diff", runs.passed, runs.late).status == 0


def test_diff_line_by_line(ci: Ci, runs: Runs) -> None:
    said = ci("diff", runs.failed, runs.late, "--lines")

    assert "-00:00:01,000 --> 00:00:02,000" in said.out.splitlines()
    assert "+00:00:01,500 --> 00:00:02,500" in said.out.splitlines()


def test_colours_only_where_they_are_wanted(
    ci: Ci, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ci("diff", runs.failed, runs.late).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = ci("diff", runs.failed, runs.late).out
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b" not in plain
    assert "\x1b[31m" in coloured
    assert ci("diff", runs.failed, runs.late).out == plain


def test_compare_is_1_when_something_new_fails(ci: Ci, runs: Runs) -> None:
    worse, better = ci("compare", runs.passed, runs.failed), ci("compare", runs.failed, runs.passed)

    assert (worse.status, better.status) == (1, 0)
    assert f"test {runs.late}, {runs.command}" in worse.out
    assert "1 fixed" in better.out


def test_approve_decide_and_undo(ci: Ci, runs: Runs) -> None:
    approved = ci("approve", runs.failed, runs.late, "--reason", "It is right now.", "--decide")
    approval = approved.out.split()[1].rstrip(":")

    assert (approved.status, "approved" in approved.out) == (0, True)
    assert ci("watch", runs.failed).status == 0
    assert ci("undo", approval, "--reason", "It was wrong after all.").status == 0
    assert ci("watch", runs.failed).status == 1


def test_what_does_not_differ_cannot_be_approved(ci: Ci, runs: Runs) -> None:
    said = ci("approve", runs.passed, runs.late, "--reason", "It is right now.")

    assert said.status == 5
    assert "no output that differs" in said.err


def test_run_asks_for_each_platform_once(ci: Ci, raw: Raw) -> None:
    factories.regression_test()

    said = ci("run", SHA, "--repository", factories.MAIN_REPOSITORY, "--platform", "both")

    assert said.status == 0
    assert raw.execute("SELECT count(*) FROM test") == [(2,)]
    assert [line.split()[-2] for line in said.out.splitlines()] == ["linux:", "windows:"]


def test_a_name_is_what_git_in_the_folder_calls_a_commit(
    ci: Ci, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.regression_test()
    monkeypatch.chdir(tmp_path)
    address = f"git@github.com:{factories.MAIN_REPOSITORY}.git"
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "-q"],
        ["remote", "add", "origin", address],
        [*identity, "commit", "-q", "--allow-empty", "-m", "Begin"],
    ):
        subprocess.run(["git", *arguments], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()

    said = ci("run", "HEAD", "-o", "json")

    assert json.loads(said.out)["commit_sha"] == head
    assert json.loads(said.out)["repository"] == factories.MAIN_REPOSITORY
    assert ci("run", "no-such-branch").status == 5


def test_retry_and_cancel(ci: Ci, runs: Runs) -> None:
    retried = ci("retry", runs.failed, "--failed", "-o", "json")
    new_run = json.loads(retried.out)["new_run_id"]

    assert ci("cancel", new_run, "--reason", "It was only a try.").status == 0
    assert json.loads(ci("ls", "-n", 1, "-o", "json").out)[0]["status"] == "canceled"


def test_queue(ci: Ci) -> None:
    assert ci("queue").out == "Nothing waits, nothing runs.\n"
    run = factories.run()
    assert ci("queue").out.splitlines()[1].split()[:3] == ["1", str(run.id), "queued"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["why", 999_999_999], 4),
        (["ls", "--branch", "x" * 300], 5),
        (["ls", "--limit", "many"], 2),
        (["no-such-command"], 2),
    ],
)
def test_exit_statuses(ci: Ci, arguments: list[object], status: int) -> None:
    said = ci(*arguments)

    assert (said.status, said.out) == (status, "")
    assert said.err


def test_a_token_that_does_not_hold_is_6(ci: Ci, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_PLATFORM_TOKEN", "spci_nobody")

    assert ci("ls").status == 6


def test_a_server_that_is_away_is_3(ci: Ci, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_PLATFORM_URL", "http://127.0.0.1:9")

    said = ci("ls", "-o", "json")

    assert said.status == 3
    assert json.loads(said.err)["code"] == "unreachable"


def test_what_a_terminal_would_obey_is_not_printed(ci: Ci, sample_repository: Path) -> None:
    good = factories.stored_output(sample_repository, b"1\n00:00:01,000 --> 00:00:02,000\na\n")
    bad = factories.stored_output(
        sample_repository, b"1\n00:00:01,000 --> 00:00:02,000\n\x1b]0;owned\x07b\x1b[2J\n"
    )
    test = factories.regression_test(outputs=[factories.Expected(good)])
    run = factories.run(progress=("preparation", "testing", "completed"))
    factories.result(run, test, outputs={test.output: bad})

    for arguments in (
        ["diff", run.id, test.id],
        ["diff", run.id, test.id, "--lines"],
        ["why", run.id],
    ):
        assert "\x1b" not in ci(*arguments).out


def test_the_summary_of_a_step_is_written_where_github_shows_it(
    ci: Ci, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.txt"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    ci("watch", runs.failed)

    assert runs.command in summary.read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_each_command(ci: Ci, shell: str) -> None:
    said = ci("completion", shell)

    assert said.status == 0
    assert all(name in said.out for name in commands_of(make_parser()))


def test_bash_completes_commands_and_options(ci: Ci, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(ci("completion", "bash").out)
    asking = (
        f"source {script}; COMP_WORDS=(ci re); COMP_CWORD=1; _ci; echo ${{COMPREPLY[*]}};"
        "COMP_WORDS=(ci retry --f); COMP_CWORD=2; _ci; echo ${COMPREPLY[*]}"
    )

    said = subprocess.run(["bash", "-c", asking], capture_output=True, text=True)

    assert said.stdout.splitlines() == ["review retry", "--failed"] or said.stdout.splitlines() == [
        "retry review",
        "--failed",
    ]
