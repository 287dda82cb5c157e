"""Errors of runs: test errors, infrastructure errors, and test errors counted in groups."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    Number,
    StrictBoolean,
    Timestamp,
    TruncatedString,
    one_of,
    query_id,
    run_id,
)
from mod_api.schemas.pages import KeysetQuery, OffsetQuery
from mod_regression.changes import ChangeKind
from mod_test.error_groups import Grouping
from mod_test.errors_of_tests import ErrorType, Severity

TYPES = [kind.value for kind in ErrorType]
SEVERITIES = [severity.value for severity in Severity]
CAPTION_CHANGES = [kind.value for kind in ChangeKind if kind is not ChangeKind.IDENTICAL]
GROUPINGS = [grouping.value for grouping in Grouping]
INFRASTRUCTURE = [
    "queue", "vm_provisioning", "checkout", "merge", "build", "worker", "web_server", "storage"
]  # fmt: skip


class ErrorListQuery(KeysetQuery):
    type = one_of(*TYPES)
    severity = one_of(*SEVERITIES)
    sample_id = query_id(metadata={"description": "Errors of this media sample's tests"})
    regression_id = query_id(metadata={"description": "Errors of this regression test"})
    caption_change = one_of(
        *CAPTION_CHANGES, metadata={"description": "Differing outputs whose captions changed so"}
    )


class InfrastructureErrorQuery(OffsetQuery):
    type = one_of(*INFRASTRUCTURE)
    severity = one_of(*SEVERITIES)
    include_stack = StrictBoolean(
        from_text=True,
        load_default=False,
        metadata={
            "description": "Stacks may name internal paths: admins and contributors only, others "
            "get 403"
        },
    )


class ErrorSummaryQuery(OffsetQuery):
    group_by = one_of(*GROUPINGS, load_default=Grouping.type.value)
    severity = one_of(*SEVERITIES)


class ErrorItemSchema(Schema):
    error_id = TruncatedString(
        100,
        required=True,
        metadata={"description": "The same for the same error, whenever it is asked for"},
    )
    run_id = run_id()
    sample_id = Number(least=1, allow_none=True)
    sample_name = TruncatedString(255, allow_none=True)
    command = TruncatedString(500)
    regression_id = Number(least=1, allow_none=True)
    type = TruncatedString(100, required=True)
    severity = one_of(*SEVERITIES, required=True)
    message = TruncatedString(1000, required=True)
    location = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata={
            "description": "Where it went wrong. Of an exit code: `exit_code`, "
            "`expected_exit_code`, `outcome`, `signal`. Of an output: `output_id`, `filename`, "
            "`expected_hash` (today's baseline), `expected_hash_at_run`, `actual_hash`, and of "
            "captions `cue` and `start_ms` of the first changed one. Of the infrastructure: "
            "`attempt`, `runner`, `reason`, `stage`."
        },
    )
    caption_change = one_of(
        *CAPTION_CHANGES,
        allow_none=True,
        metadata={
            "description": "What kind of change it is, where a difference in captions was "
            "classified, as /diff does"
        },
    )
    stack = fields.List(
        TruncatedString(2000),
        validate=validate.Length(max=50),
        metadata={"description": "Only present when include_stack=true was requested"},
    )
    occurred_at = Timestamp(
        required=True,
        metadata={"description": "When our runner says, else the run's end, else its creation"},
    )
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={
            "description": "`result`, `logs` and `regression_test`; of an output also "
            "`expected`, `actual` and `diff`"
        },
    )


class InfrastructureErrorSchema(ErrorItemSchema):
    """The same shape, of another kind of error."""

    class Meta:
        exclude = ("caption_change", "links")


class ErrorSummaryBucketSchema(Schema):
    key = TruncatedString(
        100,
        required=True,
        metadata={"description": "`none` where there is no sample or no category"},
    )
    count = Number(least=0, required=True)
    severity = one_of(
        *SEVERITIES, required=True, metadata={"description": "The highest in the bucket"}
    )
    sample_ids = fields.List(Number(least=1), validate=validate.Length(max=1000))
    first_seen_at = Timestamp(allow_none=True)
    last_seen_at = Timestamp(allow_none=True)
