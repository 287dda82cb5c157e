"""Baselines: ask for a new one, look at what was asked for, approve, reject, undo."""

from typing import Any

from mod_api import application
from mod_api.middleware.auth import current_account, requires
from mod_api.middleware.resource import Resource
from mod_api.schemas.baselines import (
    ApprovalListQuery,
    BaselineApprovalDetailSchema,
    BaselineApprovalListSchema,
    BaselineApprovalRequestSchema,
    BaselineApprovalSchema,
    BaselineApprovalsSchema,
    DecisionSchema,
    DecisionsSchema,
)
from mod_api.schemas.pages import page_of
from mod_api.services.baselines import approvals, baselines
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_regression.models import ApprovalStatus

bp = Resource("Baselines", __name__, description="New baselines: asked for, decided, undone")
APPROVERS = (Role.admin, Role.contributor)


@bp.post("/runs/<id:run_id>/samples/<id:sample_id>/baseline-approval")
@requires(Scope.BASELINES_WRITE, *APPROVERS)
@bp.body(BaselineApprovalRequestSchema)
@bp.response(202, BaselineApprovalSchema)
@bp.fails(400, 401, 403, 404, 409, 415, 422, 429)
@bp.codes({404: "missing_output", 409: "already_accepted already_requested nothing_to_approve"})
def request_baseline(body: dict[str, Any], run_id: int, sample_id: int) -> Any:
    """Propose a run's output as the new baseline. Somebody else approves it.

    Whoever asked cannot approve: that is 403 `own_request`, except for an admin. One request for an
    output and its content can be pending: a second one is 409 `already_requested` and names the
    first. Nothing to approve is 409 `nothing_to_approve` or `already_accepted`.
    """
    return baselines.request(run_id, {"sample_id": sample_id, **body}, by=current_account())


@bp.post("/runs/<id:run_id>/baseline-approvals")
@requires(Scope.BASELINES_WRITE, *APPROVERS)
@bp.body(BaselineApprovalListSchema)
@bp.response(202, BaselineApprovalsSchema)
@bp.fails(400, 401, 403, 404, 409, 415, 422, 429)
@bp.codes({409: "already_requested nothing_to_approve"})
def request_baselines(body: dict[str, Any], run_id: int) -> Any:
    """Propose several outputs of a run as new baselines, all or none.

    The refusals are those of a single request, with the `index` of the entry.
    """
    return {"data": baselines.request_all(run_id, body["approvals"], by=current_account())}


@bp.get("/baseline-approvals")
@requires(Scope.RESULTS_READ)
@bp.query(ApprovalListQuery)
@bp.response(200, page_of(BaselineApprovalSchema))
@bp.fails(400, 401, 403, 429)
def list_baseline_approvals(
    limit: int,
    offset: int,
    status: str | None = None,
    run_id: int | None = None,
    regression_id: int | None = None,
    requester: str | None = None,
) -> Any:
    """List requests for new baselines and what became of them, the newest first.

    A pending one that can no longer be approved has `approvable: false` and says why in
    `not_approvable_because`.
    """
    return approvals.list_approvals(
        status=ApprovalStatus(status) if status else None,
        run_id=run_id,
        regression_id=regression_id,
        requester=requester,
        limit=limit,
        offset=offset,
    )


@bp.post("/baseline-approvals/decisions")
@requires(Scope.BASELINES_WRITE, *APPROVERS)
@bp.body(DecisionsSchema)
@bp.response(200, BaselineApprovalsSchema, unit=False)
@bp.fails(400, 401, 403, 404, 409, 415, 422, 429, 503)
@bp.codes(
    {
        403: "own_request",
        409: "already_accepted already_decided baseline_changed",
        422: "not_stored",
    }
)
def decide_baselines(body: dict[str, Any]) -> Any:
    """Approve or reject several requests, all or none.

    The refusals are those of a single decision, with the `index` of the request among `ids`.
    """
    decided = baselines.decide_all(
        [int(each) for each in body["ids"]],
        approve=body["decision"] == "approve",
        by=current_account(),
        repository=application.repository(),
        reason=body.get("reason"),
    )
    return {"data": decided}


@bp.get("/baseline-approvals/<id:approval_id>")
@requires(Scope.RESULTS_READ)
@bp.response(200, BaselineApprovalDetailSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429)
def get_baseline_approval(approval_id: int) -> Any:
    """Get a request for a new baseline, with the summary of what it changes."""
    return approvals.with_difference(approval_id, application.repository())


@bp.post("/baseline-approvals/<id:approval_id>/approve")
@requires(Scope.BASELINES_WRITE, *APPROVERS)
@bp.body(DecisionSchema, required=False)
@bp.response(200, BaselineApprovalSchema, unit=False)
@bp.fails(400, 401, 403, 404, 409, 415, 422, 429, 503)
@bp.codes(
    {
        403: "own_request",
        409: "already_accepted already_decided baseline_changed",
        422: "not_stored",
    }
)
def approve_baseline(body: dict[str, Any], approval_id: int) -> Any:
    """Approve somebody else's request.

    One's own request is 403 `own_request`: two people decide about a baseline. An admin may approve
    their own, and the record then says `self_approved`. A request that was decided is 409
    `already_decided`; one whose output has another baseline by now is 409 `baseline_changed`.
    """
    return baselines.approve(
        approval_id, by=current_account(), repository=application.repository(), **body
    )


@bp.post("/baseline-approvals/<id:approval_id>/reject")
@requires(Scope.BASELINES_WRITE, *APPROVERS)
@bp.body(DecisionSchema, required=False)
@bp.response(200, BaselineApprovalSchema)
@bp.fails(400, 401, 403, 404, 409, 415, 429)
@bp.codes({403: "own_request", 409: "already_decided"})
def reject_baseline(body: dict[str, Any], approval_id: int) -> Any:
    """Reject somebody else's request. One's own is 403 `own_request`: withdraw it instead."""
    return baselines.reject(approval_id, by=current_account(), **body)


@bp.post("/baseline-approvals/<id:approval_id>/withdraw")
@requires(Scope.BASELINES_WRITE)
@bp.body(DecisionSchema, required=False)
@bp.response(200, BaselineApprovalSchema)
@bp.fails(400, 401, 403, 404, 409, 415, 429)
@bp.codes({403: "not_own_request", 409: "already_decided"})
def withdraw_baseline_request(body: dict[str, Any], approval_id: int) -> Any:
    """Withdraw one's own request while nobody has decided about it.

    It reads `rejected` from then on, with `withdrawn: true`. Somebody else's is 403
    `not_own_request`.
    """
    return baselines.withdraw(approval_id, by=current_account(), **body)


@bp.post("/baseline-approvals/<id:approval_id>/undo")
@requires(Scope.BASELINES_WRITE, *APPROVERS)
@bp.body(DecisionSchema, required=False)
@bp.response(200, BaselineApprovalSchema)
@bp.fails(400, 401, 403, 404, 409, 415, 429)
@bp.codes({409: "already_undone baseline_changed not_approved"})
def undo_baseline_approval(body: dict[str, Any], approval_id: int) -> Any:
    """Bring back what an approval replaced, as a new record; what it brought is revoked."""
    return baselines.undo(approval_id, by=current_account(), **body)
