"""Runs: what is asked for, and how a run, its summary, progress and configuration read."""

from typing import Any

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    COMMIT,
    REPOSITORY,
    Number,
    Pattern,
    PreSerialized,
    StrictBoolean,
    Timestamp,
    TruncatedString,
    id_list,
    one_of,
    query_id,
    run_id,
    text,
)
from mod_api.schemas.pages import KeysetQuery, OffsetQuery
from mod_test import run_lists
from mod_test.models import Platform
from mod_test.run_filters import RunFilter
from mod_test.verdict import RunStatus

PLATFORMS = [platform.value for platform in Platform]
# Properties that the contract does not have.
FOR_SP = "as the official client `sp` reads it"
STATUSES = [status.value for status in RunStatus]
SORTS = [f"{sign}{name}" for name in run_lists.SORTS for sign in ("", "-")]
EVENTS = ["queued", "preparation", "testing", "completed", "canceled", "error"]
BRANCH = Pattern(r"^[A-Za-z0-9._\/-]+$")


class RunListQuery(KeysetQuery):
    status = one_of(*STATUSES, metadata={"description": "Derived status of the run"})
    branch = text(100)
    commit_sha = fields.String(
        validate=COMMIT, metadata={"description": "Full 40-character SHA-1 commit hash"}
    )
    repository = text(100, pattern=REPOSITORY, metadata={"description": "OWNER/NAME on GitHub"})
    platform = one_of(*PLATFORMS)
    pull_request = query_id(metadata={"description": "Runs of this pull request"})
    created_after = Timestamp(metadata={"description": "Runs created after this time"})
    created_before = Timestamp(metadata={"description": "Runs created before this time"})
    include = one_of(
        "summary", metadata={"description": "`summary` adds each run's counts in `summary`"}
    )
    sort = one_of(
        *SORTS,
        load_default="-created_at",
        metadata={"description": "Sort field; - in front sorts descending"},
    )


class RunQuery(Schema):
    wait = Number(
        least=0,
        most=30,
        from_text=True,
        load_default=0,
        metadata={
            "description": "Seconds to wait for the status to change; a run that has ended is "
            "answered at once"
        },
    )
    status = one_of(
        *STATUSES,
        metadata={
            "description": "With `wait`, the status that the caller knows: another one is answered "
            "at once. Without it, the status at the beginning of the request."
        },
    )


def run_filter(
    *, status: str | None = None, platform: str | None = None, **others: Any
) -> RunFilter:
    """What the query parameters of runs ask for."""
    return RunFilter(
        status=RunStatus(status) if status else None,
        platform=Platform(platform) if platform else None,
        **others,
    )


class RunSchema(Schema):
    run_id = run_id()
    status = one_of(*STATUSES, required=True)
    repository = TruncatedString(100, required=True)
    branch = TruncatedString(100, allow_none=True)
    commit_sha = fields.String(validate=COMMIT, required=True)
    commit_short = fields.String(validate=validate.Length(max=10))
    pull_request = Number(least=1, allow_none=True)
    platform = one_of(*PLATFORMS, required=True)
    run_errors = one_of("yes", "no", "unknown")
    triggered_by = TruncatedString(100, attribute="requested_by", allow_none=True)
    created_at = Timestamp(required=True)
    queued_at = Timestamp(allow_none=True)
    started_at = Timestamp(allow_none=True)
    completed_at = Timestamp(attribute="ended_at", allow_none=True)
    duration_ms = Number(least=0, allow_none=True)
    retry_of = Number(
        least=1, allow_none=True, metadata={"description": "The run this one repeats"}
    )
    attempts = Number(least=0, metadata={"description": "How often a runner has taken the run"})
    pr_number = Number(
        attribute="pull_request",
        dump_only=True,
        allow_none=True,
        metadata={"description": f"`pull_request` {FOR_SP}"},
    )
    test_type = one_of("commit", "pr", allow_none=True, metadata={"description": FOR_SP})
    github_link = TruncatedString(
        255, allow_none=True, metadata={"description": f"The commit or pull request; {FOR_SP}"}
    )
    links = fields.Dict(keys=fields.String(), values=fields.String())


class RunSummarySchema(Schema):
    run_id = run_id()
    status = one_of(*STATUSES)
    total_samples = Number(
        least=0,
        required=True,
        metadata={"description": "pass_count + fail_count + missing_output_count + skipped_count"},
    )
    pass_count = Number(least=0, required=True)
    fail_count = Number(least=0, required=True)
    skipped_count = Number(
        least=0, metadata={"description": "Tests without a result, also those still to come"}
    )
    missing_output_count = Number(least=0)
    error_count = Number(least=0, metadata={"description": "The total of /runs/{run_id}/errors"})
    infrastructure_error_count = Number(
        least=0, metadata={"description": "The total of /runs/{run_id}/infrastructure-errors"}
    )
    duration_ms = Number(least=0, allow_none=True)
    triggered_by = TruncatedString(100, allow_none=True)


class ListedRunSchema(RunSchema):
    summary = fields.Nested(
        RunSummarySchema, metadata={"description": "Only where `include=summary` asks for it"}
    )


class RunCreateRequestSchema(Schema):
    repository = text(
        100, pattern=REPOSITORY, required=True, metadata={"example": "CCExtractor/ccextractor"}
    )
    branch = text(100, pattern=BRANCH, metadata={"example": "master"})
    commit_sha = fields.String(
        validate=COMMIT,
        required=True,
        metadata={"example": "0632bff4e382d5f86eff9073b9ddd37f03f9778c"},
    )
    pull_request = Number(least=1, most=2_147_483_647, allow_none=True, metadata={"example": 2264})
    platform = one_of(*PLATFORMS, required=True, metadata={"example": "windows"})
    regression_test_ids = id_list(
        most=500,
        metadata={
            "description": "Optional subset of active regression tests; all if omitted. "
            "Inactive ids are rejected with 422."
        },
    )
    environment_id = text(
        50,
        metadata={
            "example": "windows",
            "description": "One of `/environments`, of the run's platform",
        },
    )


class IdempotencyHeaders(Schema):
    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        validate=[validate.Length(min=1, max=255), Pattern("^[!-~]+$")],
        metadata={
            "description": "The same key and body answers with the same run for 24 hours; another "
            "body gets 422, a request still at work 409."
        },
    )


class ReasonSchema(Schema):
    reason = text(255)


class RetrySchema(ReasonSchema):
    failed_only = StrictBoolean(
        load_default=False,
        metadata={
            "description": "Only the tests that failed or produced nothing in the source run"
        },
    )
    regression_test_ids = id_list(
        least=1, most=500, metadata={"description": "Only these tests of the source run"}
    )


class RunActionResultSchema(Schema):
    run_id = run_id()
    new_run_id = Number(least=1, allow_none=True)
    action = one_of("cancel", "retry", required=True)
    status = one_of("accepted", "rejected", "no_op", required=True)
    message = TruncatedString(500)


class ProgressQuery(OffsetQuery):
    status = one_of(*EVENTS)


class ProgressEventSchema(Schema):
    timestamp = Timestamp(required=True)
    status = one_of(*EVENTS, required=True)
    message = TruncatedString(500, required=True)
    step = Number(
        least=0,
        allow_none=True,
        metadata={
            "description": "The stage's number: 0 queued or taken, 1 checkout, 2 merge, 3 build, "
            "4 test, 5 finish; null where it is not known"
        },
    )


class EnvironmentSchema(Schema):
    environment_id = TruncatedString(100, required=True)
    platform = one_of(*PLATFORMS, required=True)
    active = fields.Boolean(required=True)
    runner_label = TruncatedString(100, allow_none=True)
    average_duration_ms = Number(least=0, allow_none=True)


class RunConfigSchema(Schema):
    run_id = run_id()
    environment = fields.Nested(EnvironmentSchema)
    matrix = PreSerialized(
        fields.Dict(),
        validate=validate.Length(max=500),
        metadata={"description": "One object per regression test: its id, sample and command"},
    )
    regression_test_ids = fields.List(
        Number(least=1), validate=validate.Length(max=500), metadata={"uniqueItems": True}
    )
    command_defaults = fields.List(TruncatedString(100), validate=validate.Length(max=50))
