"""Branches that runs were started of: the newest commit of each, and whether it is still used.

A branch is told apart byte by byte, a repository without case, with and without `.git`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, case, func, null, select, type_coerce, union_all
from sqlalchemy.orm import aliased

from database import ASCII_LOWER, by_index, exact, fetch, in_this_order, now
from mod_api.services.paging import Page, page
from mod_test import repositories
from mod_test.models import Fork, Run, RunRecord
from mod_test.rollup import kept
from mod_test.rollup.facts import CUT
from mod_test.rollup.memory import remembered
from mod_test.rollup.tables import RunRollup
from mod_test.validity import IS_VALID

ACTIVE_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Branch:
    """A branch of a repository; `head_sha` is the commit of its newest run."""

    repository: str
    name: str
    head_sha: str
    active: bool


@dataclass(slots=True)
class Found:
    """A branch of a repository: its newest run, and when its last one was created. Its `key` is
    what it is sorted by."""

    key: tuple[str, str]
    repository: str
    name: str
    newest_id: int
    last_used_at: datetime


def list_branches(
    *, repository: str | None, name: str | None, active: bool | None, limit: int, offset: int
) -> Page[Branch]:
    """One page of branches by repository and name; `name` is a part of one, without case."""
    since = now() - ACTIVE_FOR
    part = None if name is None else name.translate(ASCII_LOWER)
    wanted = None if repository is None else repository.lower()
    found = [
        branch
        for branch in _branches()
        if wanted in (None, branch.key[0])
        and (part is None or part in branch.name.translate(ASCII_LOWER))
        and active in (None, branch.last_used_at > since)
    ]
    shown = found[offset : offset + limit]
    commits = dict(fetch(_HEADS, {"ids": [branch.newest_id for branch in shown]}))
    branches = [
        Branch(
            repository=branch.repository,
            name=branch.name,
            head_sha=commits[branch.newest_id].lower(),
            active=branch.last_used_at > since,
        )
        for branch in shown
    ]
    return page(branches, total=len(found), limit=limit, offset=offset)


def _branches() -> Sequence[Found]:
    """All branches in their order."""
    known = kept.known()
    names = _names()
    rows = remembered(known, "rows of branches", lambda: fetch(_ROLLED_UP), also_marked=True)
    if known.is_quiet:
        of_forks = tuple(sorted(names.items()))
        return remembered(known, ("branches", of_forks), lambda: _collected(rows, names))
    others = fetch(_OTHERS)
    again = {(row.fork_id, row.branch) for row in others}
    left = [row for row in rows if (row.fork_id, row.branch) not in again]
    return _collected([*left, *(row for row in others if row.newest_id is not None)], names)


def _names() -> dict[int, str]:
    """The repositories, OWNER/NAME by the ids of their forks."""
    named = {fork_id: repositories.name_of(github) for fork_id, github in fetch(_FORKS)}
    return {fork_id: name for fork_id, name in named.items() if name is not None}


def _collected(rows: Iterable[Any], names: Mapping[int, str]) -> list[Found]:
    """The branches of these repositories; the rows of forks that are one repository are one."""
    found: dict[tuple[str, str], Found] = {}
    for fork_id, _, name, newest_id, last_used_at in rows:
        repository = names.get(fork_id)
        if repository is None or not name:
            continue
        key = repository.lower(), name
        known = found.get(key)
        if known is None:
            found[key] = Found(key, repository, name, newest_id, last_used_at)
            continue
        known.last_used_at = max(known.last_used_at, last_used_at)
        if newest_id > known.newest_id:
            known.repository, known.newest_id = repository, newest_id
    return sorted(found.values(), key=lambda branch: branch.key)


def _rolled_up() -> Select[Any]:
    """The row of every branch that has runs which are rolled up, whether marks concern them or
    not."""
    groups = select(
        RunRollup.fork_id,
        RunRollup.branch,
        func.max(RunRollup.test_id).label("newest_id"),
        func.max(RunRollup.created_at).label("last_used_at"),
    ).group_by(RunRollup.fork_id, RunRollup.branch)
    return _named(by_index(groups, RunRollup, "ix_run_rollup_branches"))


def _again() -> Select[Any]:
    """The rows of the branches of runs that marks concern, without these runs; of a branch that has
    no others without a newest run."""
    of_concerned = (
        select(RunRollup.fork_id, RunRollup.branch)
        .where(RunRollup.test_id.in_(kept.CONCERNED))
        .distinct()
        .subquery("of_concerned")
    )

    def first_of(column: str, index: str) -> Any:
        other = aliased(RunRollup)
        wanted = getattr(other, column)
        found = select(wanted).where(
            other.fork_id == of_concerned.c.fork_id,
            other.branch == of_concerned.c.branch,
            other.test_id.not_in(kept.CONCERNED),
        )
        return by_index(found.order_by(wanted.desc()).limit(1), other, index).scalar_subquery()

    return _named(
        select(
            of_concerned.c.fork_id,
            of_concerned.c.branch,
            first_of("test_id", "ix_run_rollup_branches").label("newest_id"),
            first_of("created_at", "ix_run_rollup_branch").label("last_used_at"),
        )
    )


def _named(groups: Select[Any]) -> Select[Any]:
    """Fork, branch as it is kept, its name, newest run and last use."""
    found = groups.subquery("branches")
    whole = select(exact(Run.branch)).where(Run.id == found.c.newest_id).scalar_subquery()
    # As a parameter: SQLite takes no such character in a statement.
    is_cut = func.instr(found.c.branch, bindparam("cut", CUT)) > 0
    return select(
        found.c.fork_id,
        found.c.branch,
        type_coerce(case((is_cut, whole), else_=found.c.branch), RunRollup.branch.type),
        found.c.newest_id,
        found.c.last_used_at,
    )


def _pending() -> Select[Any]:
    """The same of the branches of runs that are derived: what they are kept as is NULL."""
    return in_this_order(
        select(
            Run.fork_id,
            null(),
            type_coerce(exact(Run.branch), RunRollup.branch.type),
            func.max(Run.id),
            func.max(RunRecord.created_at),
        )
        .select_from(kept.PENDING)
        .join(Run, Run.id == kept.PENDING.c.test_id)
        .join(Fork, Fork.id == Run.fork_id)
        .join(RunRecord, RunRecord.test_id == Run.id)
        .where(*IS_VALID)
        .group_by(Run.fork_id, exact(Run.branch))
    )


_ROLLED_UP, _OTHERS = _rolled_up(), union_all(_again(), _pending())
_FORKS = select(Fork.id, Fork.github)
_HEADS = select(Run.id, Run.commit).where(Run.id.in_(bindparam("ids", expanding=True)))
