"""Requests for new baselines as they are shown: what became of each, and what it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import aliased

from database import db, exact, reading
from errors import NotFound, Unavailable
from mod_api.services import caption_changes, output_diff, two_files
from mod_api.services.file_names import hash_of, output_key
from mod_api.services.paging import Page, page
from mod_regression.classifications import Pair
from mod_regression.models import (
    ApprovalStatus,
    BaselineApproval,
    BaselineChange,
    BaselineDecision,
    Decision,
)
from mod_sample.storage import NotStored, Repository

CONTEXT_LINES = 0

Undoing = aliased(BaselineApproval, name="undoing")


@dataclass(frozen=True)
class Change:
    """An output that was changed; a hash is null where there was or is no baseline."""

    regression_id: int | None
    output_id: int
    replaced_hash: str | None
    new_hash: str | None


@dataclass(frozen=True)
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
    undoes: str | None
    undone_by: str | None
    changed_outputs: tuple[Change, ...]


def get(approval_id: int) -> Approval:
    """One record, in two statements. Raises NotFound."""
    found = db.session.execute(_rows().where(BaselineApproval.id == approval_id)).all()
    if not found:
        raise NotFound("baseline_approval", approval_id)
    return _approvals(found)[0]


def list_approvals(
    *,
    status: ApprovalStatus | None,
    regression_id: int | None,
    requester: str | None,
    limit: int,
    offset: int,
) -> Page[Approval]:
    """One page of records, the newest first, with the exact number of all that match."""
    wanted = _wanted(status, regression_id, requester)
    total: int = db.session.execute(
        select(func.count())
        .select_from(BaselineApproval)
        .outerjoin(BaselineDecision, BaselineDecision.approval_id == BaselineApproval.id)
        .where(*wanted)
    ).scalar_one()
    rows = db.session.execute(
        _rows().where(*wanted).order_by(BaselineApproval.id.desc()).limit(limit).offset(offset)
    ).all()
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
    shown: dict[str, Any] = {**vars(found), "diff": None}
    if pair is None:
        return shown
    try:
        expected, actual = two_files.find(repository, *keys)
        if expected.is_there and actual.is_there:
            difference = two_files.difference(
                repository, expected, actual, pair=pair, context_lines=CONTEXT_LINES, kept=kept
            )
            shown["diff"] = _summary(difference)
    except (Unavailable, NotStored):
        pass  # the record can be read without its files, and is then without its difference
    return shown


def _summary(difference: two_files.Difference) -> dict[str, Any]:
    whole = output_diff.shown(difference, unified=False)
    captions = whole["captions"]
    summary = {name: whole[name] for name in ("status", "binary", "gave_up", "gave_up_because")}
    if "summary" in whole:
        summary["summary"] = whole["summary"]
    summary["captions"] = captions and {
        name: captions[name] for name in ("kind", "kinds", "message", "shift_ms", "rate")
    }
    return summary


def _rows() -> Select[Any]:
    return (
        select(BaselineApproval, BaselineDecision, Undoing.id.label("undone_by"))
        .outerjoin(BaselineDecision, BaselineDecision.approval_id == BaselineApproval.id)
        .outerjoin(Undoing, Undoing.undoes_id == BaselineApproval.id)
        .execution_options(populate_existing=True)
    )


def _wanted(
    status: ApprovalStatus | None, regression_id: int | None, requester: str | None
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if status is ApprovalStatus.pending_review:
        found.append(BaselineDecision.approval_id.is_(None))
    elif status is not None:
        found.append(BaselineDecision.decision == Decision(status.value))
    if regression_id is not None:
        found.append(BaselineApproval.regression_id == regression_id)
    if requester is not None:
        address = func.lower(BaselineApproval.requester_email)
        found.append(exact(address) == exact(requester.lower()))
    return found


def _status(decided: BaselineDecision | None) -> ApprovalStatus:
    if decided is None:
        return ApprovalStatus.pending_review
    return ApprovalStatus(decided.decision.value)


def _approvals(rows: Sequence[Any]) -> list[Approval]:
    ids = [approval.id for approval, _, _ in rows]
    changes: dict[int, list[Change]] = {}
    if ids:
        for change in db.session.scalars(
            select(BaselineChange)
            .where(BaselineChange.approval_id.in_(ids))
            .order_by(BaselineChange.id)
        ):
            changes.setdefault(change.approval_id, []).append(
                Change(
                    change.regression_id,
                    change.output_id,
                    hash_of(change.replaced_hash),
                    hash_of(change.new_hash),
                )
            )
    return [
        _approval(asked, decided, undone_by, tuple(changes.get(asked.id, ())))
        for asked, decided, undone_by in rows
    ]


def _approval(
    asked: BaselineApproval,
    decided: BaselineDecision | None,
    undone_by: int | None,
    changes: tuple[Change, ...],
) -> Approval:
    return Approval(
        approval_id=str(asked.id),
        status=_status(decided),
        run_id=asked.run_id,
        sample_id=asked.sample_id,
        regression_id=asked.regression_id,
        output_id=asked.output_id,
        extension=asked.extension,
        mode=asked.mode.value,
        apply_to_variants=asked.apply_to_variants,
        new_hash=hash_of(asked.file_hash),
        replaced_hash=hash_of(asked.replaced_hash),
        reason=asked.reason,
        requested_by=asked.requester_email,
        requested_by_name=asked.requester_name,
        created_at=asked.created_at,
        decided_by=decided.account_email if decided else None,
        decided_by_name=decided.account_name if decided else None,
        decided_at=decided.decided_at if decided else None,
        decision_reason=decided.reason if decided else None,
        self_approved=bool(decided and decided.by_requester and asked.undoes_id is None),
        undoes=None if asked.undoes_id is None else str(asked.undoes_id),
        undone_by=None if undone_by is None else str(undone_by),
        changed_outputs=changes,
    )
