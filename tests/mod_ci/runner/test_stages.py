"""Checkout, merge and build, on real repositories with real commits."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_ci.runner.sandbox import choose
from tests.mod_ci.runner.standin import StandIn, offer, regression

Serve = Callable[..., None]

BUILD = 'cp tool "$OUTPUT/ccextractor" && echo "built in $CHECKOUT" && echo built >> builds'


class Repository:
    """A repository that is written in `path` and cloned from `url`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = path.as_uri()
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "master")

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, prints: str, *, name: str = "tool") -> str:
        """Commit an extractor that prints something; returns the commit's id."""
        (self.path / name).write_text(f"#!/bin/sh\necho {prints}\n", encoding="utf-8")
        (self.path / name).chmod(0o755)
        self.git("add", name)
        self.git("commit", "-q", "-m", prints)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def main(tmp_path: Path) -> Repository:
    """The main repository, with one commit on `master`."""
    found = Repository(tmp_path / "git" / "main")
    found.commit("first")
    return found


@pytest.fixture
def fork(main: Repository, tmp_path: Path) -> Repository:
    """A fork of it, on a branch of its own."""
    found = Repository(tmp_path / "git" / "fork")
    found.git("fetch", "-q", main.url, "master:theirs")
    found.git("checkout", "-q", "-b", "feature", "theirs")
    return found


@pytest.fixture
def try_commit(server: StandIn, main: Repository, serve_all: Serve) -> Callable[..., None]:
    """Has a commit tested by a runner that builds."""

    def run(
        commit: str, *, repository: Repository = main, build: str = BUILD, **more: object
    ) -> None:
        about = {"commit_sha": commit, "clone_url": repository.url, "main_clone_url": main.url}
        about |= {name: more.pop(name) for name in ("test_type", "branch") if name in more}
        if "clone_url" in more:
            about["clone_url"] = more.pop("clone_url")
        server.queue.append(offer([regression(1, "")], {1: b"media\n"}, run=about))
        serve_all(extractor=None, build=build, **more)

    return run


def printed(server: StandIn) -> list[str]:
    """What test 1 printed, in the last run."""
    held = server.attempts[max(server.attempts)]
    return [line.split(" | ")[1] for line in held.lines if "test_runner #1" in line]


def finish(server: StandIn) -> dict:
    """How the last run was finished."""
    (found,) = server.attempts[max(server.attempts)].finishes
    return found


def test_a_run_tests_its_own_commit(
    server: StandIn, main: Repository, try_commit: Callable[..., None]
) -> None:
    wanted = main.commit("wanted")
    main.commit("newer")

    try_commit(wanted)

    assert printed(server) == ["wanted"]
    assert finish(server) == {"reason": "completed"}
    stages = [beat["stage"] for beat in server.only().beats if "stage" in beat]
    assert list(dict.fromkeys(stages)) == ["checkout", "build", "test", "finish"]
    assert any("info build | built in " in line for line in server.only().lines)


def test_a_commit_that_is_on_no_branch_can_be_tested(
    server: StandIn, main: Repository, try_commit: Callable[..., None]
) -> None:
    main.commit("second")
    gone = main.commit("gone")
    main.git("update-ref", "refs/pull/7/head", gone)
    main.git("reset", "-q", "--hard", "HEAD~1")

    try_commit(gone)

    assert printed(server) == ["gone"]


def test_a_commit_is_built_once(
    server: StandIn, main: Repository, try_commit: Callable[..., None], tmp_path: Path
) -> None:
    commit = main.commit("once")
    build = f"{BUILD}; echo x >> {tmp_path}/count"

    try_commit(commit, build=build)
    try_commit(commit, build=build)

    assert printed(server) == ["once"]
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_kept_build_that_was_changed_is_built_anew(
    server: StandIn, main: Repository, try_commit: Callable[..., None], tmp_path: Path
) -> None:
    commit = main.commit("right")
    try_commit(commit)
    (kept,) = (tmp_path / "work" / "builds").glob("*/output/ccextractor")
    kept.write_text("#!/bin/sh\necho wrong\n")

    try_commit(commit)

    assert printed(server) == ["right"]


def test_a_pull_request_is_tested_as_merged_into_its_target(
    server: StandIn, main: Repository, fork: Repository, try_commit: Callable[..., None]
) -> None:
    theirs = fork.commit("theirs", name="theirs")
    main.commit("main has moved")

    try_commit(
        theirs,
        repository=fork,
        test_type="pr",
        branch="master",
        build='cat tool theirs > "$OUTPUT/ccextractor"; chmod +x "$OUTPUT/ccextractor"',
    )

    assert printed(server) == ["main has moved", "theirs"]
    stages = [beat["stage"] for beat in server.only().beats if "stage" in beat]
    assert list(dict.fromkeys(stages)) == ["checkout", "merge", "build", "test", "finish"]


@pytest.mark.parametrize("branch", ["feature", "", "a..b", "-x"])
def test_a_branch_that_the_main_repository_has_not_means_its_default(
    server: StandIn,
    main: Repository,
    fork: Repository,
    try_commit: Callable[..., None],
    branch: str,
) -> None:
    theirs = fork.commit("theirs", name="theirs")
    main.commit("moved")

    try_commit(theirs, repository=fork, test_type="pr", branch=branch)

    assert printed(server) == ["moved"]


def test_a_conflict_ends_the_run_with_what_git_says(
    server: StandIn, main: Repository, fork: Repository, try_commit: Callable[..., None]
) -> None:
    theirs = fork.commit("theirs")
    main.commit("ours")

    try_commit(theirs, repository=fork, test_type="pr", branch="master")

    ended = finish(server)
    assert (ended["reason"], ended["type"]) == ("build_failed", "merge")
    assert any("CONFLICT" in line and "tool" in line for line in ended["stack"])
    assert server.only().results == {}


def test_an_unknown_commit_is_the_run_s_fault(
    server: StandIn, try_commit: Callable[..., None]
) -> None:
    try_commit("0123456789" * 4)

    ended = finish(server)
    assert (ended["reason"], ended["type"]) == ("build_failed", "checkout")
    assert "no commit 0123456789" in ended["message"]
    assert ended["stack"]


def test_a_repository_that_cannot_be_reached_is_not_the_commit_s_fault(
    server: StandIn, main: Repository, try_commit: Callable[..., None]
) -> None:
    commit = main.commit("x")

    try_commit(commit, clone_url="http://user:secret@127.0.0.1:9/x.git")

    ended = finish(server)
    assert (ended["reason"], ended["type"]) == ("resource_unavailable", "checkout")
    assert any("127.0.0.1" in line for line in ended["stack"])
    assert "secret" not in str(ended)
    assert b"secret" not in server.only().log


def test_a_mirror_that_was_broken_off_is_made_anew(
    server: StandIn, main: Repository, try_commit: Callable[..., None], tmp_path: Path
) -> None:
    try_commit(main.commit("before"))
    (mirror,) = (tmp_path / "work" / "git").iterdir()
    for pack in [*mirror.glob("objects/pack/*"), *mirror.glob("objects/??/*")]:
        pack.chmod(0o600)
        os.truncate(pack, 10)

    try_commit(main.commit("after"))

    assert printed(server) == ["after"]


def test_a_build_that_fails_ends_the_run_with_what_it_printed(
    server: StandIn, main: Repository, try_commit: Callable[..., None]
) -> None:
    try_commit(main.commit("x"), build="echo compiling; echo 'no such header' >&2; exit 2")

    ended = finish(server)
    assert (ended["reason"], ended["type"]) == ("build_failed", "build")
    assert ended["message"] == "The build command exited with 2"
    assert "no such header" in ended["stack"]


def test_a_build_that_takes_too_long_is_stopped(
    server: StandIn, main: Repository, try_commit: Callable[..., None]
) -> None:
    try_commit(main.commit("x"), build="sleep 60", build_time_s=1)

    assert finish(server)["message"] == "The build command took longer than 1 s"


@pytest.mark.parametrize(
    "build",
    ["true", 'touch "$OUTPUT/ccextractor"', 'ln -s /bin/sh "$OUTPUT/ccextractor"'],
)
def test_a_build_without_an_executable_has_failed(
    server: StandIn, main: Repository, try_commit: Callable[..., None], build: str
) -> None:
    try_commit(main.commit("x"), build=build)

    assert finish(server)["reason"] == "build_failed"
    assert "no executable file" in finish(server)["message"]


def test_a_sandboxed_build_writes_to_its_own_folders_only(
    server: StandIn,
    main: Repository,
    try_commit: Callable[..., None],
    tmp_path: Path,
) -> None:
    sandbox = choose("auto", hidden=[tmp_path / "work", tmp_path / "token"], shown=[tmp_path])
    if sandbox is None:
        pytest.skip("bwrap does not work on this host")
    steps = [
        f"cat {tmp_path}/token | grep spci && echo LEAK",
        f"touch {tmp_path}/x /usr/x {tmp_path}/work/x && echo LEAK",
        "touch $HOME/fine /tmp/fine $CHECKOUT/fine || echo LEAK",
        "git log -1 --format=subject:%s",
        'cp tool "$OUTPUT/ccextractor"',
    ]

    try_commit(main.commit("contained"), build="; ".join(steps), sandbox=sandbox)

    assert printed(server) == ["contained"]
    assert b"LEAK" not in server.only().log
    assert b"subject:contained" in server.only().log
