"""Baselines: who asks for a new one, who decides, what that changes, and how it is taken back.

Every function works within the caller's unit of work and locks in one order: the request's row,
then the outputs by id. Records are appended, never changed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from database import db, exact, utc_now
from errors import Conflict, Forbidden, NotFound
from mod_auth import audit
from mod_auth.accounts import Account
from mod_regression import contents
from mod_regression.models import (
    ApprovalMode,
    BaselineApproval,
    BaselineChange,
    BaselineDecision,
    Decision,
)


@dataclass(frozen=True)
class Proposal:
    """An output of a run that is to become a baseline; `replaced_hash` as the table has it."""

    run_id: int
    sample_id: int
    regression_id: int
    output_id: int
    extension: str
    file_hash: str
    replaced_hash: str | None


def propose(
    proposal: Proposal,
    *,
    by: Account,
    reason: str,
    mode: ApprovalMode,
    apply_to_variants: bool,
) -> int:
    """Record a request for a new baseline; its id.

    The caller holds the output's lock (`contents.lock`): of two equal requests one comes first.
    Raises Conflict `already_requested`.
    """
    _refuse_second(proposal)
    approval = BaselineApproval(
        run_id=proposal.run_id,
        sample_id=proposal.sample_id,
        regression_id=proposal.regression_id,
        output_id=proposal.output_id,
        extension=proposal.extension,
        mode=mode,
        apply_to_variants=apply_to_variants,
        file_hash=proposal.file_hash,
        replaced_hash=proposal.replaced_hash,
        reason=reason,
        **_requester(by),
    )
    _append(approval)
    audit.record(
        "baseline.requested",
        by=by,
        subject=("baseline_approval", approval.id),
        run_id=proposal.run_id,
        output_id=proposal.output_id,
        file_hash=proposal.file_hash,
        replaced_hash=proposal.replaced_hash,
        mode=mode.value,
        reason=reason,
    )
    return approval.id


def approve(approval_id: int, *, by: Account, reason: str | None) -> None:
    """Make a requested output the baseline, or one more accepted variant.

    Raises NotFound; Forbidden `own_request`; Conflict `already_decided`, `baseline_changed` (with
    what the request saw and what there is now) or `already_accepted`.
    """
    approval = _undecided(approval_id, by)
    outputs = contents.locked(approval)
    if approval.mode is ApprovalMode.baseline:
        contents.check_unchanged(outputs[0], approval.replaced_hash)
        changes = [contents.replace(output, approval.file_hash) for output in outputs]
    else:
        changes = contents.accept(outputs, approval.file_hash)
    contents.forget_revocations(changes)
    _decide(approval, Decision.approved, by, reason)
    _append_changes(approval.id, changes)
    _audit("baseline.approved", approval, by, reason, changes)


def lock_all(approval_ids: Collection[int]) -> None:
    """Lock requests, then their outputs, each in the order of their ids: before several are decided
    in one unit of work. Raises NotFound, with the first that is not there."""
    found = db.session.scalars(
        select(BaselineApproval)
        .where(BaselineApproval.id.in_(approval_ids))
        .order_by(BaselineApproval.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    missing = sorted(set(approval_ids) - {approval.id for approval in found})
    if missing:
        raise NotFound("baseline_approval", missing[0])
    contents.lock({approval.output_id for approval in found})


def reject(approval_id: int, *, by: Account, reason: str | None) -> None:
    """Decide against a request. Raises NotFound, Forbidden, Conflict, as `approve` does."""
    approval = _undecided(approval_id, by)
    _decide(approval, Decision.rejected, by, reason)
    _audit("baseline.rejected", approval, by, reason, ())


def withdraw(approval_id: int, *, by: Account, reason: str | None) -> None:
    """Take back one's own request. Raises NotFound, Forbidden `not_own_request`, Conflict."""
    approval = _locked(approval_id)
    if by.id != approval.requester_id:
        raise Forbidden("Only whoever asked may withdraw a request.", code="not_own_request")
    _refuse_decided(approval_id)
    _decide(approval, Decision.withdrawn, by, reason)
    _audit("baseline.withdrawn", approval, by, reason, ())


def undo(approval_id: int, *, by: Account, reason: str | None) -> int:
    """Bring back what an approval replaced, in all its outputs, as a new record; its id.

    The approved content is revoked for these outputs. Raises NotFound; Conflict `not_approved`,
    `already_undone`, or `baseline_changed` when an output has another baseline by now.
    """
    approval = _locked(approval_id)
    _check_can_be_undone(approval)
    changes = db.session.scalars(
        select(BaselineChange)
        .where(BaselineChange.approval_id == approval_id)
        .order_by(BaselineChange.output_id)
    ).all()
    reverted = contents.revert(changes)
    contents.revoke(changes)
    contents.forget_revocations(reverted)
    undoing = BaselineApproval(
        run_id=approval.run_id,
        sample_id=approval.sample_id,
        regression_id=approval.regression_id,
        output_id=approval.output_id,
        extension=approval.extension,
        mode=approval.mode,
        apply_to_variants=approval.apply_to_variants,
        file_hash=approval.replaced_hash,
        replaced_hash=approval.file_hash,
        reason=reason,
        undoes_id=approval.id,
        **_requester(by),
    )
    _append(undoing)
    _decide(undoing, Decision.approved, by, reason)
    _append_changes(undoing.id, reverted)
    _audit("baseline.undone", approval, by, reason, reverted, undone_by=undoing.id)
    return undoing.id


def _undecided(approval_id: int, by: Account) -> BaselineApproval:
    """A request that `by` may decide, locked until the end of this unit of work."""
    approval = _locked(approval_id)
    _refuse_decided(approval_id)
    if by.id == approval.requester_id and not by.is_admin:
        raise Forbidden(
            "Somebody else than the requester decides about a new baseline.", code="own_request"
        )
    return approval


def _refuse_decided(approval_id: int) -> None:
    decided = db.session.get(BaselineDecision, approval_id, populate_existing=True)
    if decided is not None:
        raise Conflict(
            f"Baseline approval {approval_id} is {decided.decision.value} already.",
            "already_decided",
            status=decided.decision.status.value,
        )


def _refuse_second(proposal: Proposal) -> None:
    """Raises Conflict when a pending request that can still be approved is for the same content."""
    pending = db.session.execute(
        select(BaselineApproval.id, BaselineApproval.mode, BaselineApproval.replaced_hash)
        .outerjoin(BaselineDecision, BaselineDecision.approval_id == BaselineApproval.id)
        .where(
            BaselineDecision.approval_id.is_(None),
            BaselineApproval.output_id == proposal.output_id,
            exact(BaselineApproval.file_hash) == exact(proposal.file_hash),
        )
        .order_by(BaselineApproval.id)
    ).all()
    for row in pending:
        if row.mode is ApprovalMode.variant or row.replaced_hash == proposal.replaced_hash:
            raise Conflict(
                f"Baseline approval {row.id} asks for this content already.",
                "already_requested",
                approval_id=str(row.id),
                output_id=proposal.output_id,
            )


def _locked(approval_id: int) -> BaselineApproval:
    approval = db.session.scalar(
        select(BaselineApproval).where(BaselineApproval.id == approval_id).with_for_update()
    )
    if approval is None:
        raise NotFound("baseline_approval", approval_id)
    return approval


def _check_can_be_undone(approval: BaselineApproval) -> None:
    decided = db.session.get(BaselineDecision, approval.id, populate_existing=True)
    if decided is None or decided.decision is not Decision.approved or approval.undoes_id:
        raise Conflict(
            "Only an approval that was carried out can be undone; what an undoing took back is "
            "asked for again.",
            "not_approved",
        )
    undone_by = db.session.scalar(
        select(BaselineApproval.id).where(BaselineApproval.undoes_id == approval.id)
    )
    if undone_by is not None:
        raise Conflict(
            f"Baseline approval {approval.id} was undone by {undone_by} already.",
            "already_undone",
            undone_by=str(undone_by),
        )


def _requester(by: Account) -> dict[str, object]:
    return {"requester_id": by.id, "requester_name": by.name, "requester_email": by.email}


def _append(approval: BaselineApproval) -> None:
    approval.created_at = utc_now()
    db.session.add(approval)
    db.session.flush()


def _decide(
    approval: BaselineApproval, decision: Decision, by: Account, reason: str | None
) -> None:
    db.session.execute(
        insert(BaselineDecision).values(
            approval_id=approval.id,
            decision=decision,
            account_id=by.id,
            account_name=by.name,
            account_email=by.email,
            by_requester=by.id == approval.requester_id,
            reason=reason,
            decided_at=utc_now(),
        )
    )


def _append_changes(approval_id: int, changes: Sequence[BaselineChange]) -> None:
    for change in changes:
        change.approval_id = approval_id
    db.session.add_all(changes)
    db.session.flush()


def _audit(
    action: str,
    approval: BaselineApproval,
    by: Account,
    reason: str | None,
    changes: Sequence[BaselineChange],
    **more: object,
) -> None:
    audit.record(
        action,
        by=by,
        subject=("baseline_approval", approval.id),
        output_ids=[change.output_id for change in changes] or [approval.output_id],
        file_hash=approval.file_hash,
        replaced_hash=approval.replaced_hash,
        own_request=by.id == approval.requester_id,
        reason=reason,
        **more,
    )
