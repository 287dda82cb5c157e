"""Branches that runs were started of: the newest commit of each, and whether it is still used."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Subquery, case, func, select

from database import contains, db, exact, is_commit, is_repository, now
from mod_api.services.paging import Page, page
from mod_test import repositories
from mod_test.models import Fork, Platform, Run, RunRecord

ACTIVE_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Branch:
    """A branch of a repository; `head_sha` is the commit of its newest run."""

    repository: str
    name: str
    head_sha: str
    active: bool


def list_branches(
    *, repository: str | None, name: str | None, active: bool | None, limit: int, offset: int
) -> Page[Branch]:
    """One page of branches by repository and name; `name` is a part of one, without case."""
    since = now() - ACTIVE_FOR
    found = _branches(repository, name)
    is_active = found.c.used_at > since
    wanted = [] if active is None else [is_active if active else ~is_active]
    total = db.session.execute(select(func.count()).select_from(found).where(*wanted)).scalar_one()
    rows = db.session.execute(
        select(Fork.github, Run.branch, Run.commit, is_active.label("active"))
        .select_from(found)
        .join(Run, Run.id == found.c.newest_id)
        .join(Fork, Fork.id == Run.fork_id)
        .where(*wanted)
        .order_by(func.lower(found.c.path), exact(Run.branch))
        .limit(limit)
        .offset(offset)
    )
    shown = [
        Branch(
            repository=repositories.name_of(row.github) or "",
            name=row.branch,
            head_sha=row.commit.lower(),
            active=bool(row.active),
        )
        for row in rows
    ]
    return page(shown, total=total, limit=limit, offset=offset)


def _branches(repository: str | None, name: str | None) -> Subquery:
    """One row per branch: `path` (OWNER/NAME), `newest_id` of its runs and when one was `used_at`.

    A branch is told apart byte by byte, a repository without case, with and without `.git`.
    """
    path = _path()
    conditions: list[Any] = [
        is_commit(Run.commit),
        is_repository(Fork.github),
        Run.platform.in_(list(Platform)),
        Run.branch != "",
    ]
    if repository is not None:
        conditions.append(repositories.is_named(repository))
    if name is not None:
        conditions.append(contains(Run.branch, name))
    return (
        select(
            func.min(path).label("path"),
            func.max(Run.id).label("newest_id"),
            func.max(RunRecord.created_at).label("used_at"),
        )
        .select_from(Run)
        .join(Fork, Fork.id == Run.fork_id)
        .join(RunRecord, RunRecord.test_id == Run.id)
        .where(*conditions)
        .group_by(func.lower(path), exact(Run.branch))
        .subquery("branches")
    )


def _path() -> Any:
    """OWNER/NAME of a fork's address, which is ASCII."""
    start = len(repositories.PREFIX) + 1
    whole = func.substr(Fork.github, start)
    shorter = func.substr(Fork.github, start, func.length(Fork.github) - start + 1 - len(".git"))
    return case((Fork.github.endswith(".git", autoescape=True), shorter), else_=whole)
