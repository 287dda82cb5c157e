"""The audit log as administrators read it: who did what, the newest first."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from database import db, exact
from mod_api.services.paging import Page, page
from mod_auth.models import AuditEvent


@dataclass(frozen=True)
class EventFilter:
    """Which events are meant; None filters nothing. Texts are compared exactly."""

    action: str | None = None
    account: str | None = None
    account_id: int | None = None
    subject_type: str | None = None
    subject_id: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        texts = (
            (AuditEvent.action, self.action),
            (AuditEvent.account_name, self.account),
            (AuditEvent.subject_type, self.subject_type),
        )
        numbers = (
            (AuditEvent.account_id, self.account_id),
            (AuditEvent.subject_id, self.subject_id),
        )
        found: list[ColumnElement[bool]] = []
        for column, value in texts:
            if value is not None:
                # The plain comparison is what an index can be used for.
                found += [column == value, exact(column) == exact(value)]
        found += [column == number for column, number in numbers if number is not None]
        return found


@dataclass(frozen=True)
class Event:
    """One thing that somebody did; without an account it was done on the command line."""

    event_id: int
    at: datetime
    action: str
    account_id: int | None
    account: str | None
    subject_type: str
    subject_id: int | None
    details: dict[str, Any]


def list_events(wanted: EventFilter, *, limit: int, offset: int) -> Page[Event]:
    """One page of events with the exact number of all that match."""
    conditions = wanted.conditions()
    total: int = db.session.execute(
        select(func.count()).select_from(AuditEvent).where(*conditions)
    ).scalar_one()
    rows = db.session.scalars(
        select(AuditEvent)
        .where(*conditions)
        .order_by(AuditEvent.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return page([_event(row) for row in rows], total=total, limit=limit, offset=offset)


def _event(row: AuditEvent) -> Event:
    return Event(
        event_id=row.id,
        at=row.at,
        action=row.action,
        account_id=row.account_id,
        account=row.account_name,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        details=json.loads(row.details),
    )
