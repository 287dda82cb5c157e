"""The demo's git repository, whose commits have the same ids wherever it is made."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from . import changes

NAME = Path("CCExtractor") / "ccextractor.git"
MASTER = "refs/heads/master"
MERGING_PULL, CONFLICTING_PULL = 1, 2

AUTHOR = ("Demo Author", "author@demo.invalid")
FIRST_DAY = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Commits:
    """The ids that a run can ask for, as 40 hex digits."""

    good: str
    regressed: str
    conflicting: str
    merging: str


def make(path: Path) -> Commits:
    """Make the bare repository at `path`, which must not exist, and say what it holds.

    A pull request's commit is also at `refs/pull/N/head`, as on GitHub. Raises pygit2.GitError.
    """
    repository = pygit2.init_repository(str(path), bare=True, initial_head="master")
    # A runner fetches the commit that it was told, whether a branch still ends there or not.
    repository.config["uploadpack.allowAnySHA1InWant"] = True
    first = _commit(repository, [], 0, "Say how it is built and used", changes.first())
    good = _commit(repository, [first], 1, "Extract captions with ffmpeg", changes.good())
    regressed = _commit(repository, [good], 2, "Tidy up", changes.regressed())
    merging = _commit(repository, [good], 3, "Document the exit codes", changes.merging())
    conflicting = _commit(repository, [good], 4, "Trim tabs, too", changes.conflicting())
    for reference, commit in (
        (MASTER, regressed),
        ("refs/heads/exit-codes", merging),
        ("refs/heads/trim-tabs", conflicting),
        (f"refs/pull/{MERGING_PULL}/head", merging),
        (f"refs/pull/{CONFLICTING_PULL}/head", conflicting),
    ):
        repository.references.create(reference, commit)
    return Commits(str(good), str(regressed), str(conflicting), str(merging))


def holds(path: Path, commits: Commits) -> bool:
    """Return whether the repository has these commits with all of their files."""
    try:
        repository = pygit2.Repository(str(path))
        for commit in (commits.good, commits.regressed, commits.conflicting, commits.merging):
            _read_all(repository, repository[commit].peel(pygit2.Tree))
        repository.references[MASTER].resolve()
    except (pygit2.GitError, KeyError, ValueError):
        return False
    return True


def _read_all(repository: pygit2.Repository, tree: pygit2.Tree) -> None:
    for entry in tree:
        found = repository[entry.id]
        if isinstance(found, pygit2.Tree):
            _read_all(repository, found)


def _commit(
    repository: pygit2.Repository,
    parents: list[pygit2.Oid],
    day: int,
    message: str,
    tree: changes.Tree,
) -> pygit2.Oid:
    moment = FIRST_DAY + datetime.timedelta(days=day)
    signature = pygit2.Signature(*AUTHOR, int(moment.timestamp()), 0)
    index = pygit2.Index()
    for path, text in tree.items():
        mode = FileMode.BLOB_EXECUTABLE if path in changes.EXECUTABLE else FileMode.BLOB
        index.add(pygit2.IndexEntry(path, repository.create_blob(text.encode()), mode))
    root = index.write_tree(repository)
    return repository.create_commit(None, signature, signature, f"{message}\n", root, parents)
