"""Branches that runs were started of: the newest commit of each, and whether it is still used.

A branch is told apart byte by byte, a repository without case, with and without `.git`.
"""

import functools
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import aliased

from database import ASCII_LOWER, UtcDateTime, db, exact, in_this_order, now
from mod_api.services.paging import Page, page
from mod_test import repositories
from mod_test.models import Fork, Run, RunRecord
from mod_test.rollup import kept
from mod_test.rollup.facts import CUT
from mod_test.rollup.tables import RunRollup
from mod_test.validity import IS_VALID

ACTIVE_FOR = timedelta(days=90)
IDS: Any = bindparam("ids", expanding=True)
SINCE: Any = bindparam("since", type_=UtcDateTime(fraction=True))


@dataclass(frozen=True)
class Branch:
    """A branch of a repository; `head_sha` is the commit of its newest run."""

    repository: str
    name: str
    head_sha: str
    active: bool


@dataclass
class Found:
    """A branch of a repository, with the newest run of each fork's address, which may be two."""

    repository: str
    name: str
    newest_id: int
    ids: list[int]
    active: bool


def list_branches(
    *, repository: str | None, name: str | None, active: bool | None, limit: int, offset: int
) -> Page[Branch]:
    """One page of branches by repository and name; `name` is a part of one, without case."""
    since = now() - ACTIVE_FOR
    found = [
        branch
        for branch in _branches(_forks(repository), since, with_active=active is not None)
        if (name is None or name.translate(ASCII_LOWER) in branch.name.translate(ASCII_LOWER))
        and active in (None, branch.active)
    ]
    found.sort(key=lambda branch: (branch.repository.lower(), branch.name))
    shown = found[offset : offset + limit]
    commits, used = _heads(shown, since)
    branches = [
        Branch(
            repository=branch.repository,
            name=branch.name,
            head_sha=commits[branch.newest_id].lower(),
            active=branch.active or any(run_id in used for run_id in branch.ids),
        )
        for branch in shown
    ]
    return page(branches, total=len(found), limit=limit, offset=offset)


def _forks(repository: str | None) -> dict[int, str]:
    """The repositories that are meant, OWNER/NAME by the ids of their forks."""
    wanted = None if repository is None else repository.lower()
    rows = db.session.execute(select(Fork.id, Fork.github)).tuples()
    names = {fork_id: repositories.name_of(github) for fork_id, github in rows}
    return {
        fork_id: name
        for fork_id, name in names.items()
        if name is not None and wanted in (None, name.lower())
    }


def _branches(forks: dict[int, str], since: Any, *, with_active: bool) -> Collection[Found]:
    """The branches of these forks; `active` is only known of all of them where it is asked for."""
    statement = _kept(with_active, quiet=kept.concerned() == kept.NONE)
    found: dict[tuple[str, str], Found] = {}
    for rows in (
        db.session.execute(statement, {"since": since}).all(),
        db.session.execute(_PENDING, {"since": since}).all(),
    ):
        _collect(found, rows, forks)
    return found.values()


def _collect(
    found: dict[tuple[str, str], Found], rows: Iterable[Any], forks: dict[int, str]
) -> None:
    for fork_id, name, newest_id, active in rows:
        repository = forks.get(fork_id)
        if repository is None or not name:
            continue
        place = repository.lower(), name
        known = found.get(place)
        if known is None:
            found[place] = Found(repository, name, newest_id, [newest_id], bool(active))
            continue
        known.ids.append(newest_id)
        known.active = known.active or bool(active)
        if newest_id > known.newest_id:
            known.repository, known.newest_id = repository, newest_id


def _heads(branches: Iterable[Found], since: Any) -> tuple[dict[int, str], set[int]]:
    """The commits of the newest runs of branches, and those of these runs that are kept and whose
    branch has been used since."""
    ids = [run_id for branch in branches for run_id in branch.ids]
    if not ids:
        return {}, set()
    rows = db.session.execute(_HEADS, {"ids": ids, "since": since}).all()
    return {row.id: row.commit for row in rows}, {row.id for row in rows if row.active}


def _is_used(rollup: Any) -> ColumnElement[bool]:
    """Whether the branch of a fork, which are `rollup`'s, has a kept run of after `since`."""
    other = aliased(RunRollup)
    return exists().where(
        other.fork_id == rollup.fork_id,
        other.branch == rollup.branch,
        other.created_at > SINCE,
        other.test_id.not_in(kept.CONCERNED),
    )


# Composed once: composing them costs more than the database needs for them.
@functools.cache
def _kept(with_active: bool, *, quiet: bool) -> Select[Any]:
    """`fork_id`, name, newest run and whether it is active of every branch that has kept runs.

    While no mark waits (`quiet`) MariaDB goes from branch to branch along the index, and does not
    look at every run.
    """
    rollup = aliased(RunRollup)
    groups = select(
        rollup.fork_id, rollup.branch, func.max(rollup.test_id).label("newest_id")
    ).group_by(rollup.fork_id, rollup.branch)
    if not quiet:
        groups = groups.where(rollup.test_id.not_in(kept.CONCERNED))
    found = groups.subquery("branches")
    whole = select(exact(Run.branch)).where(Run.id == found.c.newest_id).scalar_subquery()
    name = case((func.instr(found.c.branch, CUT) > 0, whole), else_=found.c.branch)
    return select(
        found.c.fork_id,
        type_coerce(name, RunRollup.branch.type),
        found.c.newest_id,
        (_is_used(found.c) if with_active else false()).label("active"),
    )


# The same of the branches that the other runs have.
_PENDING = in_this_order(
    select(
        Run.fork_id,
        type_coerce(exact(Run.branch), RunRollup.branch.type),
        func.max(Run.id),
        func.max(case((RunRecord.created_at > SINCE, 1), else_=0)),
    )
    .select_from(kept.PENDING)
    .join(Run, Run.id == kept.PENDING.c.test_id)
    .join(Fork, Fork.id == Run.fork_id)
    .join(RunRecord, RunRecord.test_id == Run.id)
    .where(*IS_VALID)
    .group_by(Run.fork_id, exact(Run.branch))
)
_HEADS = (
    select(
        Run.id,
        Run.commit,
        case((RunRollup.test_id.is_not(None), _is_used(RunRollup)), else_=false()).label("active"),
    )
    .outerjoin(RunRollup, and_(RunRollup.test_id == Run.id, kept.IS_KEPT))
    .where(Run.id.in_(IDS))
)
