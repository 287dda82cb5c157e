"""Requests for new baselines, how they are decided, and what came of them."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    SHA256,
    Number,
    Pattern,
    StrictBoolean,
    Timestamp,
    TruncatedString,
    Unique,
    one_of,
    query_id,
    run_id,
    text,
)
from mod_api.schemas.outputs import KINDS, DiffSummarySchema
from mod_api.schemas.pages import OffsetQuery
from mod_api.schemas.reasons import Reason
from mod_regression.changes import GaveUp
from mod_regression.contents import Obstacle
from mod_regression.models import ApprovalMode, ApprovalStatus

MOST_AT_ONCE = 100
MODES = [mode.value for mode in ApprovalMode]
STATUSES = [status.value for status in ApprovalStatus]
LARGEST_ID = 2_147_483_647


class BaselineApprovalRequestSchema(Schema):
    regression_id = Number(least=1, most=LARGEST_ID, required=True)
    output_id = Number(least=1, most=LARGEST_ID, required=True)
    reason = Reason(
        required=True,
        metadata={
            "description": "Kept with the request and in the audit log. At least 10 characters "
            "without white space around them, not one character or word repeated, and no "
            "placeholder such as `lorem ipsum`."
        },
    )
    apply_to_variants = StrictBoolean(
        load_default=False,
        metadata={
            "description": "Also every other regression test's output on the same sample and "
            "extension whose baseline is the one replaced"
        },
    )
    mode = one_of(
        *MODES,
        load_default=ApprovalMode.baseline.value,
        metadata={
            "description": "`replace`: the output becomes the baseline; `variant`: it is accepted "
            "beside the baseline"
        },
    )


class BaselineApprovalEntrySchema(BaselineApprovalRequestSchema):
    sample_id = Number(least=1, most=LARGEST_ID, required=True)


class BaselineApprovalListSchema(Schema):
    approvals = fields.List(
        fields.Nested(BaselineApprovalEntrySchema),
        required=True,
        validate=validate.Length(min=1, max=MOST_AT_ONCE),
        metadata={"description": "Recorded all or not at all"},
    )


class DecisionSchema(Schema):
    reason = Reason(metadata={"description": "Kept with the decision and in the audit log"})


class DecisionsSchema(Schema):
    ids = fields.List(
        text(10, pattern=Pattern("^[1-9][0-9]{0,9}$")),
        required=True,
        validate=[validate.Length(min=1, max=MOST_AT_ONCE), Unique()],
        metadata={"uniqueItems": True, "description": "`approval_id` of each request"},
    )
    decision = one_of("approve", "reject", required=True)
    reason = Reason(metadata={"description": "Kept with each decision and in the audit log"})


class ApprovalListQuery(OffsetQuery):
    status = one_of(*STATUSES)
    run_id = query_id(metadata={"description": "Of this run's outputs"})
    regression_id = query_id(metadata={"description": "Of this regression test"})
    requester = text(255, metadata={"description": "E-mail address of who asked"})


class ChangedOutputSchema(Schema):
    regression_id = Number(least=1, allow_none=True)
    output_id = Number(least=1, required=True)
    replaced_hash = fields.String(validate=SHA256, required=True, allow_none=True)
    new_hash = fields.String(validate=SHA256, required=True, allow_none=True)


class BaselineApprovalSchema(Schema):
    approval_id = TruncatedString(100, required=True)
    status = one_of(*STATUSES, required=True)
    run_id = run_id()
    sample_id = Number(least=1, required=True)
    regression_id = Number(least=1, required=True)
    output_id = Number(least=1, required=True)
    requested_by = TruncatedString(255, required=True, metadata={"format": "email"})
    requested_by_name = TruncatedString(255)
    created_at = Timestamp(required=True)
    reason = TruncatedString(500, allow_none=True)
    mode = one_of(*MODES)
    apply_to_variants = fields.Boolean()
    replaced_hash = fields.String(
        validate=SHA256,
        allow_none=True,
        metadata={"description": "The baseline that the request saw; null where there was none"},
    )
    new_hash = fields.String(validate=SHA256, allow_none=True)
    decided_by = TruncatedString(255, allow_none=True, metadata={"format": "email"})
    decided_by_name = TruncatedString(255, allow_none=True)
    decided_at = Timestamp(allow_none=True)
    decision_reason = TruncatedString(500, allow_none=True)
    self_approved = fields.Boolean(
        metadata={"description": "An admin decided about a request of their own"}
    )
    withdrawn = fields.Boolean(
        metadata={"description": "Whoever asked took it back; `status` is `rejected` then"}
    )
    approvable = fields.Boolean(
        metadata={"description": "It is pending, and approving it would change the output"}
    )
    not_approvable_because = one_of(
        *[obstacle.value for obstacle in Obstacle],
        allow_none=True,
        metadata={
            "description": "Why a pending request can no longer be approved: the output has "
            "another baseline by now, accepts this content already, or was deleted. Withdraw or "
            "reject it. Null otherwise"
        },
    )
    undoes = TruncatedString(
        100, allow_none=True, metadata={"description": "The approval that this record took back"}
    )
    undone_by = TruncatedString(
        100, allow_none=True, metadata={"description": "The record that took this one back"}
    )
    changed_outputs = fields.List(
        fields.Nested(ChangedOutputSchema),
        metadata={"description": "What was changed; empty until it is approved"},
    )


class CaptionsSummarySchema(Schema):
    kind = one_of(*KINDS, required=True)
    kinds = fields.Dict(keys=fields.String(), values=Number(least=0), required=True)
    message = fields.String(required=True)
    shift_ms = Number(required=True, allow_none=True)
    rate = fields.Float(required=True, allow_none=True)


class ApprovalDiffSchema(Schema):
    status = one_of("identical", "different", required=True)
    summary = fields.Nested(DiffSummarySchema)
    binary = fields.Boolean(required=True)
    gave_up = fields.Boolean(required=True)
    gave_up_because = one_of(*[reason.value for reason in GaveUp], required=True, allow_none=True)
    captions = fields.Nested(CaptionsSummarySchema, required=True, allow_none=True)


class BaselineApprovalDetailSchema(BaselineApprovalSchema):
    diff = fields.Nested(
        ApprovalDiffSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null where one of the two files is not at hand"},
    )


class BaselineApprovalsSchema(Schema):
    data = fields.List(fields.Nested(BaselineApprovalSchema), required=True)
