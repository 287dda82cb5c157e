"""The first two stages: the run's commit in a folder, merged where it is a pull request.

All repositories of one project (the main one and its forks) share one mirror, a bare
repository that stays between runs. `refs/runs/COMMIT` says that a commit is there with
everything it needs, since git only writes a reference when that is so.
"""

import hashlib
import re
from pathlib import Path

from mod_ci.runner.claim import Run
from mod_ci.runner.folders import remove
from mod_ci.runner.git import TIME_LIMIT_S, Git
from mod_ci.runner.lease import Lease
from mod_ci.runner.protocol import Finish
from mod_ci.runner.text import CREDENTIALS
from mod_ci.runner.tools import Done

# What git says when the other side is there and does not have what was asked for.
UNKNOWN = re.compile(
    r"not our ref|couldn't find remote ref|no such remote ref|unadvertised object", re.IGNORECASE
)


class StageFailed(Exception):
    """A stage failed; `how` is what the attempt's finish says."""

    def __init__(self, how: Finish) -> None:
        super().__init__(how.message)
        self.how = how


def unreachable(message: str, done: Done) -> StageFailed:
    """The failure when the remote, the network or this host is to blame."""
    return StageFailed(Finish("resource_unavailable", "checkout", message, done.lines))


def mirror_of(run: Run, caches: Path) -> Path:
    """The folder of the project's mirror; credentials in the URL make no difference."""
    url = CREDENTIALS.sub(r"\1", run.main_clone_url)
    return caches / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.git"


def check_out(run: Run, git: Git, mirror: Path, folder: Path, lease: Lease) -> None:
    """Put the run's commit into `folder`, a clone that borrows the mirror's objects.

    Raises StageFailed: `build_failed` when the repository has no such commit,
    `resource_unavailable` when it could not be fetched.
    """
    if not re.fullmatch(r"[0-9a-f]{40}", run.commit_sha):
        raise StageFailed(Finish("build_failed", "checkout", "The commit is no commit id"))
    fetch(git, mirror, lease, run.clone_url, commit=run.commit_sha)
    made = git("init", "--quiet", str(folder))
    lease.check()
    if not made.ok:
        raise unreachable("The commit could not be checked out", made)
    alternates = folder / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{mirror / 'objects'}\n", encoding="utf-8")
    switch(git.at(folder), run.commit_sha, "The commit", lease)


def switch(git: Git, commit: str, what: str, lease: Lease) -> None:
    """Check out a commit that is there; a failure is this host's."""
    done = git("checkout", "--quiet", "--detach", commit)
    lease.check()
    if not done.ok:
        raise unreachable(f"{what} could not be checked out", done)


def merge(run: Run, git: Git, mirror: Path, folder: Path, lease: Lease) -> None:
    """Merge the commit in `folder` into its target branch's newest commit.

    The target is the run's branch where the main repository has it, else the main
    repository's own default branch: a pull request may be known by its source's branch.
    Raises StageFailed, `build_failed` of type `merge` when there is a conflict.
    """
    target = "refs/targets/branch"
    if not fetch_branch(git, mirror, lease, run, target):
        try:
            fetch(git, mirror, lease, run.main_clone_url, refspec=f"+HEAD:{target}")
        except UnknownReference as error:
            what = "The main repository has no branch to merge into"
            raise StageFailed(Finish("build_failed", "merge", what)) from error
    newest = git.at(mirror)("rev-parse", "--verify", f"{target}^{{commit}}")
    lease.check()
    if not newest.ok:
        raise unreachable("The target branch could not be read", newest)
    here = git.at(folder)
    switch(here, newest.lines[-1], "The target branch", lease)
    message = f"Merge {run.commit_sha} for a test"
    done = here("merge", "--no-edit", "--no-ff", "-m", message, run.commit_sha)
    lease.check()
    if not done.ok:
        what = f"The commit does not merge: {done.describe('git merge', TIME_LIMIT_S)}"
        raise StageFailed(Finish("build_failed", "merge", what, done.lines))


def tree_of(git: Git, folder: Path, lease: Lease) -> str:
    """The id of the tree that is checked out; raises StageFailed when git does not say."""
    done = git.at(folder)("rev-parse", "--verify", "HEAD^{tree}")
    lease.check()
    if not done.ok or not done.lines:
        raise unreachable("The merged tree could not be read", done)
    return done.lines[-1]


def fetch_branch(git: Git, mirror: Path, lease: Lease, run: Run, target: str) -> bool:
    """Fetch the run's branch from the main repository; False when it has none of that name."""
    if not run.branch:
        return False
    done = git("check-ref-format", f"refs/heads/{run.branch}")
    if not done.ok:
        return False
    try:
        refspec = f"+refs/heads/{run.branch}:{target}"
        fetch(git, mirror, lease, run.main_clone_url, refspec=refspec)
    except UnknownReference:
        return False
    return True


class UnknownReference(Exception):
    """The remote is there and does not have the reference."""


def fetch(
    git: Git, mirror: Path, lease: Lease, url: str, *, commit: str = "", refspec: str = ""
) -> None:
    """Bring a commit, or what a refspec names, into the mirror.

    A mirror that git finds unfit for work is made anew once: a runner that was killed may
    have left it so. Raises StageFailed; UnknownReference for a refspec.
    """
    fresh = False
    while True:
        done = try_fetch(git, mirror, url, commit, refspec)
        lease.check()
        if done is None:
            return
        if any(UNKNOWN.search(line) for line in done.lines):
            if refspec:
                raise UnknownReference
            message = f"The repository has no commit {commit}"
            raise StageFailed(Finish("build_failed", "checkout", message, done.lines))
        reachable = git("ls-remote", "--quiet", "--", url, "HEAD")
        lease.check()
        if not reachable.ok:
            raise unreachable("The repository could not be reached", reachable)
        if fresh:
            raise unreachable("The repository could not be fetched", done)
        remove(mirror)
        fresh = True


def try_fetch(git: Git, mirror: Path, url: str, commit: str, refspec: str) -> Done | None:
    """One try to fetch; None when what was asked for is in the mirror now."""
    if not (mirror / "HEAD").is_file():
        made = git("init", "--quiet", "--bare", str(mirror))
        if not made.ok:
            return made
    inside = git.at(mirror)
    fetching = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--force", "--", url)
    if refspec:
        done = inside(*fetching, refspec)
        return None if done.ok else done
    known = f"refs/runs/{commit}"
    if inside("show-ref", "--quiet", "--verify", known).ok:
        return None
    done = inside(*fetching, f"+{commit}:{known}")
    if done.ok:
        return None
    # A server may refuse ids that are not the tip of a branch, or not know this one.
    tips = inside(*fetching, "+refs/heads/*:refs/tips/*", "+refs/pull/*/head:refs/pulls/*")
    if not tips.ok:
        return tips
    reached = inside("for-each-ref", "--count=1", "--contains", commit)
    if reached.ok and reached.lines:
        stored = inside("update-ref", known, commit)
        return None if stored.ok else stored
    return done
