"""The audit log as administrators read it: who did what, the newest first."""

import functools
import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, bindparam, func, select

from database import exact, fetch, fetch_value
from mod_api.services.paging import LIMIT, OFFSET, Page, page
from mod_auth.models import AuditEvent
from mod_test.tracebacks import without_stack

COLUMNS: dict[str, Any] = {
    "action": AuditEvent.action,
    "account": AuditEvent.account_name,
    "account_id": AuditEvent.account_id,
    "subject_type": AuditEvent.subject_type,
    "subject_id": AuditEvent.subject_id,
}


@dataclass(frozen=True)
class EventFilter:
    """Which events are meant; None filters nothing. Texts are compared exactly."""

    action: str | None = None
    account: str | None = None
    account_id: int | None = None
    subject_type: str | None = None
    subject_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(slots=True)
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
    params = wanted.params
    counting, listing = _statements(frozenset(params))
    total: int = fetch_value(counting, params)
    rows = fetch(listing, {**params, "page_limit": limit, "page_offset": offset})
    return page([_event(row) for row in rows], total=total, limit=limit, offset=offset)


@functools.cache
def _statements(given: frozenset[str]) -> tuple[Select[Any], Select[Any]]:
    """Return the statements that count and list the events with these values."""
    conditions: list[ColumnElement[bool]] = []
    for name in sorted(given):
        column = COLUMNS[name]
        conditions.append(column == bindparam(name))
        if isinstance(column.type, String):
            # The plain comparison is what an index can be used for.
            conditions.append(exact(column) == exact(bindparam(name)))
    counting = select(func.count()).select_from(AuditEvent).where(*conditions)
    listing = (
        select(AuditEvent.__table__)
        .where(*conditions)
        .order_by(AuditEvent.id.desc())
        .limit(LIMIT)
        .offset(OFFSET)
    )
    return counting, listing


def _event(row: Any) -> Event:
    return Event(
        event_id=row.id,
        at=row.at,
        action=row.action,
        account_id=row.account_id,
        account=row.account_name,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        details=_details(row.details),
    )


def _details(stored: str) -> dict[str, Any]:
    """The details of an event, without stacks; none where they are no object."""
    try:
        details = json.loads(stored)
    except ValueError:
        return {}
    if not isinstance(details, dict):
        return {}
    return {
        name: without_stack(value) if isinstance(value, str) else value
        for name, value in details.items()
    }
