"""Runs that no answer shows, because something in them cannot be right."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select

from database import db, is_commit, is_repository
from mod_api.checks.finding import Finding, ok, warn
from mod_test.models import Fork, Platform, Run, RunRecord

PLATFORMS = [platform.value for platform in Platform]


def findings() -> Iterator[Finding]:
    """One finding for each reason for which runs are left out."""
    reasons: list[tuple[str, ColumnElement[bool]]] = [
        ("have an id below 1", Run.id < 1),
        ("have no valid commit", ~is_commit(Run.commit)),
        (
            "have no repository on GitHub",
            or_(Fork.id.is_(None), func.coalesce(~is_repository(Fork.github), True)),
        ),
        ("have an unknown platform", Run.platform.not_in(PLATFORMS)),
        ("have not been seen yet", RunRecord.test_id.is_(None)),
    ]
    row = _counted(reasons)
    shown = row[0]
    for place, (what, _) in enumerate(reasons):
        count, example = row[1 + 2 * place], row[2 + 2 * place]
        if count:
            yield warn(
                "runs", f"{count} {what} and are left out of every answer, such as {example}."
            )
    yield ok("runs", f"{shown} are shown.")


def _counted(reasons: list[tuple[str, ColumnElement[bool]]]) -> Any:
    """How many runs are shown, then for each reason how many it leaves out, and the newest."""
    left_out = or_(*(reason for _, reason in reasons))
    columns: list[Any] = [func.count(case((~left_out, Run.id)))]
    for _, reason in reasons:
        columns += [func.count(case((reason, Run.id))), func.max(case((reason, Run.id)))]
    return db.session.execute(
        select(*columns)
        .select_from(Run)
        .outerjoin(Fork, Fork.id == Run.fork_id)
        .outerjoin(RunRecord, RunRecord.test_id == Run.id)
    ).one()
