"""Requests for new baselines as they are shown: what became of each, and what it changed."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.orm import aliased

from database import exact, fetch, fetch_value, reading
from errors import NotFound, Unavailable
from mod_api.services.outputs import caption_changes, file_pair, output_diff
from mod_api.services.outputs.file_names import hash_of, output_key
from mod_api.services.paging import LIMIT, OFFSET, Page, page
from mod_regression import contents
from mod_regression.classifications import Pair
from mod_regression.contents import Obstacle
from mod_regression.models import (
    ApprovalStatus,
    BaselineApproval,
    BaselineChange,
    BaselineDecision,
    Decision,
    RegressionTestOutput,
)
from mod_sample.storage import NotStored, Repository

CONTEXT_LINES = 0

Undoing = aliased(BaselineApproval, name="undoing")


@dataclass(slots=True)
class Change:
    """An output that was changed; a hash is null where there was or is no baseline."""

    regression_id: int | None
    output_id: int
    replaced_hash: str | None
    new_hash: str | None


@dataclass(slots=True)
class Approval:
    """A request for a new baseline, or the undoing of one (`undoes`), with its decision."""

    approval_id: str
    status: ApprovalStatus
    run_id: int
    sample_id: int
    regression_id: int
    output_id: int
    extension: str
    mode: str
    apply_to_variants: bool
    new_hash: str | None
    replaced_hash: str | None
    reason: str | None
    requested_by: str
    requested_by_name: str
    created_at: datetime
    decided_by: str | None
    decided_by_name: str | None
    decided_at: datetime | None
    decision_reason: str | None
    self_approved: bool
    withdrawn: bool
    approvable: bool
    not_approvable_because: Obstacle | None
    undoes: str | None
    undone_by: str | None
    changed_outputs: tuple[Change, ...]


def get(approval_id: int) -> Approval:
    """One record, in two statements. Raises NotFound."""
    found = fetch(_ONE, {"approval_id": approval_id})
    if not found:
        raise NotFound("baseline_approval", approval_id)
    return _approvals(found)[0]


def get_all(approval_ids: Sequence[int]) -> list[Approval]:
    """Records in this order, in two statements. Raises NotFound for the first that is not there."""
    found = {
        record.approval_id: record for record in _approvals(fetch(_SOME, {"ids": [*approval_ids]}))
    }
    for approval_id in approval_ids:
        if str(approval_id) not in found:
            raise NotFound("baseline_approval", approval_id)
    return [found[str(approval_id)] for approval_id in approval_ids]


def list_approvals(
    *,
    status: ApprovalStatus | None,
    regression_id: int | None,
    requester: str | None,
    run_id: int | None,
    limit: int,
    offset: int,
) -> Page[Approval]:
    """One page of records, the newest first, with the exact number of all that match."""
    params: dict[str, Any] = {}
    if status is ApprovalStatus.pending_review:
        params["is_pending"] = True
    elif status is not None:
        params["decisions"] = [each for each in Decision if each.status is status]
    if regression_id is not None:
        params["regression_id"] = regression_id
    if requester is not None:
        params["requester"] = requester.lower()
    if run_id is not None:
        params["run_id"] = run_id
    counting, listing = _statements(frozenset(params))
    total: int = fetch_value(counting, params)
    rows = fetch(listing, {**params, "page_limit": limit, "page_offset": offset})
    return page(_approvals(rows), total=total, limit=limit, offset=offset)


def with_difference(approval_id: int, repository: Repository) -> dict[str, Any]:
    """One record with the summary of what it changes: `diff` is None where that cannot be said.

    Raises NotFound.
    """
    with reading():
        found = get(approval_id)
        pair = None
        if found.replaced_hash and found.new_hash:
            pair = Pair.of(found.replaced_hash, found.new_hash, found.extension)
        kept = caption_changes.kept(pair) if pair else None
    keys = [output_key(value, found.extension) for value in (found.replaced_hash, found.new_hash)]
    shown: dict[str, Any] = {field.name: getattr(found, field.name) for field in fields(found)}
    shown["diff"] = None
    if pair is None:
        return shown
    try:
        expected, actual = file_pair.find(repository, *keys)
        if expected.is_there and actual.is_there:
            difference = file_pair.difference(
                repository, expected, actual, pair=pair, context_lines=CONTEXT_LINES, kept=kept
            )
            shown["diff"] = _summary(difference)
    except (Unavailable, NotStored):
        pass  # the record can be read without its files, and is then without its difference
    return shown


def _summary(difference: file_pair.Difference) -> dict[str, Any]:
    whole = output_diff.shown(difference, unified=False)
    captions = whole["captions"]
    summary = {name: whole[name] for name in ("status", "binary", "gave_up", "gave_up_because")}
    if "summary" in whole:
        summary["summary"] = whole["summary"]
    summary["captions"] = captions and {
        name: captions[name] for name in ("kind", "kinds", "message", "shift_ms", "rate")
    }
    return summary


_asked, _decided = BaselineApproval, BaselineDecision
_ROWS = (
    select(
        _asked.id,
        _asked.run_id,
        _asked.sample_id,
        _asked.regression_id,
        _asked.output_id,
        _asked.extension,
        _asked.mode,
        _asked.apply_to_variants,
        _asked.file_hash,
        _asked.replaced_hash,
        _asked.reason,
        _asked.requester_email,
        _asked.requester_name,
        _asked.created_at,
        _asked.undoes_id,
        _decided.decision,
        _decided.account_email.label("decider_email"),
        _decided.account_name.label("decider_name"),
        _decided.decided_at,
        _decided.reason.label("decision_reason"),
        _decided.by_requester,
        Undoing.id.label("undone_by"),
        RegressionTestOutput.id.label("current_output"),
        RegressionTestOutput.correct.label("current_hash"),
        contents.is_variant(_asked.output_id, _asked.file_hash).label("is_variant"),
    )
    .select_from(_asked)
    .outerjoin(_decided, _decided.approval_id == _asked.id)
    .outerjoin(Undoing, Undoing.undoes_id == _asked.id)
    .outerjoin(RegressionTestOutput, RegressionTestOutput.id == _asked.output_id)
)
_ONE = _ROWS.where(_asked.id == bindparam("approval_id"))
_SOME = _ROWS.where(_asked.id.in_(bindparam("ids", expanding=True)))
_CHANGES = (
    select(
        BaselineChange.approval_id,
        BaselineChange.regression_id,
        BaselineChange.output_id,
        BaselineChange.replaced_hash,
        BaselineChange.new_hash,
    )
    .where(BaselineChange.approval_id.in_(bindparam("approvals", expanding=True)))
    .order_by(BaselineChange.id)
)


@functools.cache
def _statements(given: frozenset[str]) -> tuple[Select[Any], Select[Any]]:
    """Return the statements that count and list records, filtered by these parameters."""
    address = exact(func.lower(_asked.requester_email))
    conditions: dict[str, ColumnElement[bool]] = {
        "is_pending": _decided.approval_id.is_(None),
        "decisions": _decided.decision.in_(
            bindparam("decisions", type_=_decided.decision.type, expanding=True)
        ),
        "regression_id": _asked.regression_id == bindparam("regression_id"),
        "requester": address == exact(bindparam("requester")),
        "run_id": _asked.run_id == bindparam("run_id"),
    }
    wanted = [conditions[name] for name in sorted(given)]
    counting = (
        select(func.count())
        .select_from(_asked)
        .outerjoin(_decided, _decided.approval_id == _asked.id)
        .where(*wanted)
    )
    listing = _ROWS.where(*wanted).order_by(_asked.id.desc()).limit(LIMIT).offset(OFFSET)
    return counting, listing


def _approvals(rows: Sequence[Any]) -> list[Approval]:
    ids = [row.id for row in rows]
    changes: dict[int, list[Change]] = {}
    if ids:
        for approval_id, regression_id, output_id, replaced, new in fetch(
            _CHANGES, {"approvals": ids}
        ):
            change = Change(regression_id, output_id, hash_of(replaced), hash_of(new))
            changes.setdefault(approval_id, []).append(change)
    return [_approval(row, tuple(changes.get(row.id, ()))) for row in rows]


def _approval(row: Any, changes: tuple[Change, ...]) -> Approval:
    status = ApprovalStatus.pending_review
    obstacle = None
    if row.decision is not None:
        status = row.decision.status
    else:
        obstacle = contents.obstacle(
            row.mode,
            seen=row.replaced_hash,
            wanted=row.file_hash,
            is_there=row.current_output is not None,
            current=row.current_hash,
            is_variant=bool(row.is_variant),
        )
    return Approval(
        approval_id=str(row.id),
        status=status,
        run_id=row.run_id,
        sample_id=row.sample_id,
        regression_id=row.regression_id,
        output_id=row.output_id,
        extension=row.extension,
        mode=row.mode.value,
        apply_to_variants=row.apply_to_variants,
        new_hash=hash_of(row.file_hash),
        replaced_hash=hash_of(row.replaced_hash),
        reason=row.reason,
        requested_by=row.requester_email,
        requested_by_name=row.requester_name,
        created_at=row.created_at,
        decided_by=row.decider_email,
        decided_by_name=row.decider_name,
        decided_at=row.decided_at,
        decision_reason=row.decision_reason,
        self_approved=bool(
            row.by_requester and row.undoes_id is None and row.decision is not Decision.withdrawn
        ),
        withdrawn=row.decision is Decision.withdrawn,
        approvable=status is ApprovalStatus.pending_review and obstacle is None,
        not_approvable_because=obstacle,
        undoes=None if row.undoes_id is None else str(row.undoes_id),
        undone_by=None if row.undone_by is None else str(row.undone_by),
        changed_outputs=changes,
    )
