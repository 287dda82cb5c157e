"""What a runner and the server say to each other (docs/runner-protocol.md)."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    SHA256,
    Number,
    Pattern,
    PreSerialized,
    StrictBoolean,
    Timestamp,
    Unique,
    id_list,
    one_of,
    text,
)
from mod_api.schemas.jobs import OUTCOMES, JobSourceSchema, JobSpecSchema
from mod_api.schemas.runs import PLATFORMS
from mod_ci.models import EndReason, JobStage, Stage
from mod_test.models import Outcome

MOST_OUTPUTS = 100
REASONS = [
    reason.value
    for reason in EndReason
    if reason not in (EndReason.canceled, EndReason.lease_expired)
]
TYPES = [
    "queue",
    "vm_provisioning",
    "checkout",
    "merge",
    "build",
    "worker",
    "web_server",
    "storage",
]


class ClaimRequestSchema(Schema):
    platform = one_of(*PLATFORMS, required=True)
    runner_name = text(100, pattern=Pattern("^[A-Za-z0-9._-]+$"), required=True)
    wait = Number(
        least=0, most=30, load_default=0, metadata={"description": "Seconds to wait for work"}
    )
    kinds = fields.List(
        one_of("run", "job"),
        load_default=lambda: ["run"],
        validate=[validate.Length(min=1), Unique()],
        metadata={
            "uniqueItems": True,
            "description": "What is taken; of both each is tried first in turn",
        },
    )


class LeaseSchema(Schema):
    seconds = Number(least=1, required=True)
    expires_at = Timestamp(required=True, allow_none=True)


class ClaimedRunSchema(Schema):
    run_id = Number(least=1, required=True)
    platform = one_of(*PLATFORMS, required=True)
    test_type = one_of("commit", "pr", required=True)
    repository = fields.String(required=True)
    clone_url = fields.String(required=True)
    main_clone_url = fields.String(required=True)
    branch = fields.String(required=True, allow_none=True)
    commit_sha = fields.String(required=True)
    pull_request = Number(required=True, allow_none=True)


class ClaimedOutputSchema(Schema):
    output_id = Number(least=1, required=True)
    filename = fields.String(
        required=True, metadata={"description": "The name of the file that is looked for"}
    )
    extension = fields.String(required=True, metadata={"description": "With its dot; may be empty"})
    expected_hash = fields.String(required=True, allow_none=True)
    accepted_hashes = fields.List(fields.String(), required=True)
    ignore = fields.Boolean(required=True)


class ClaimedTestSchema(Schema):
    regression_id = Number(least=1, required=True)
    sample_id = Number(least=1, required=True)
    command = fields.String(required=True, metadata={"description": "May be empty"})
    input_type = fields.String(required=True)
    output_type = fields.String(required=True)
    expected_exit_code = Number(required=True)
    output_filename = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What `-o` names where output goes to files, else null"},
    )
    outputs = fields.List(fields.Nested(ClaimedOutputSchema), required=True)


class ClaimedSampleSchema(Schema):
    sample_id = Number(least=1, required=True)
    sha256 = fields.String(required=True, allow_none=True)
    extension = fields.String(
        required=True, metadata={"description": "Without a dot; may be empty"}
    )
    name = fields.String(required=True)
    size_bytes = Number(least=0, required=True, allow_none=True)
    url = fields.String(required=True)


class ClaimedLimitsSchema(Schema):
    """Limits that a runner should apply, unless its own are lower."""

    test_time_ms = Number(
        least=1, required=True, metadata={"description": "Wall time of a test in milliseconds"}
    )
    test_memory_bytes = Number(
        least=1, required=True, metadata={"description": "Memory of a test's processes together"}
    )
    max_upload_bytes = Number(
        least=1, required=True, metadata={"description": "The largest body that is taken"}
    )


class ClaimedJobSchema(JobSpecSchema):
    job_id = fields.UUID(required=True)
    namespace = fields.String(
        required=True, metadata={"description": "What names of boxes and folders begin with"}
    )
    name = fields.String(required=True, allow_none=True)


class ClaimedJobLimitsSchema(Schema):
    """The most that a job may have, whatever it or its `ci.toml` asks for."""

    time_ms = Number(least=1, required=True)
    memory_bytes = Number(least=1, required=True)
    max_upload_bytes = Number(least=1, required=True)


class ClaimedSourceSchema(JobSourceSchema):
    url = fields.String(required=True)


class ClaimSchema(Schema):
    """A claimed run has `run`, `tests`, `samples` and `limits`; a job `job`, `source` and
    `job_limits`."""

    kind = one_of("run", "job", required=True)
    attempt_id = Number(least=1, required=True)
    attempt = Number(least=1, required=True, attribute="number")
    credential = fields.String(required=True, metadata={"description": "Shown this once"})
    lease = fields.Nested(LeaseSchema, required=True)
    deadline_at = Timestamp(required=True)
    log_offset = Number(least=0, required=True)
    log_interval_ms = Number(least=0, required=True)
    limits = fields.Nested(ClaimedLimitsSchema)
    run = fields.Nested(ClaimedRunSchema)
    tests = PreSerialized(fields.Nested(ClaimedTestSchema))
    samples = PreSerialized(fields.Nested(ClaimedSampleSchema))
    job = fields.Nested(ClaimedJobSchema)
    source = fields.Nested(ClaimedSourceSchema)
    job_limits = fields.Nested(ClaimedJobLimitsSchema)


class HeartbeatSchema(Schema):
    stage = one_of(
        *dict.fromkeys([stage.value for kind in (Stage, JobStage) for stage in kind]),
        metadata={"description": "Of a run or of a job, each has its own"},
    )
    message = text(1000)
    running = id_list(most=500, metadata={"description": "Of a run: the tests that are executed"})
    running_test = text(
        4096, allow_none=True, metadata={"description": "Of a job: the test that is executed"}
    )


class StandingSchema(Schema):
    canceled = fields.Boolean(required=True)
    lease = fields.Nested(LeaseSchema, required=True)
    log_interval_ms = Number(least=0, required=True)


class AppendedSchema(StandingSchema):
    offset = Number(least=0, required=True, metadata={"description": "Bytes in the log now"})
    log_full = fields.Boolean(required=True)


class UploadOffsetHeaders(Schema):
    upload_offset = Number(
        least=0,
        most=2_147_483_647,
        from_text=True,
        required=True,
        data_key="Upload-Offset",
        metadata={"description": "The byte offset at which these bytes belong"},
    )


class ReportedOutputSchema(Schema):
    output_id = Number(least=1, most=2_147_483_647, required=True)
    sha256 = fields.String(validate=SHA256, required=True)


class ResultReportSchema(Schema):
    runtime_ms = Number(least=0, most=2_147_483_647, required=True)
    exit_code = Number(
        least=-2_147_483_648,
        most=4_294_967_295,
        required=True,
        allow_none=True,
        metadata={"description": "Of Windows with a sign or without; kept as 32 bits with a sign"},
    )
    outcome = one_of(*[outcome.value for outcome in Outcome], required=True)
    signal = text(20, allow_none=True)
    message = text(1000, allow_none=True)
    tail = text(
        4096, allow_none=True, metadata={"description": "The end of all that the test printed"}
    )
    stdout_tail = text(
        4096, allow_none=True, metadata={"description": "The end of its standard output alone"}
    )
    stderr_tail = text(
        4096, allow_none=True, metadata={"description": "The end of its standard error alone"}
    )
    started_at = Timestamp(allow_none=True)
    outputs = fields.List(
        fields.Nested(ReportedOutputSchema),
        required=True,
        validate=validate.Length(max=MOST_OUTPUTS),
    )


class FinishSchema(Schema):
    reason = one_of(*REASONS, required=True)
    type = one_of(*TYPES)
    message = text(1000)
    stack = fields.List(text(2000), validate=validate.Length(max=50))
    outcome = one_of(
        *OUTCOMES, metadata={"description": "Of a completed job: how its command ended"}
    )
    exit_code = Number(least=-2_147_483_648, most=2_147_483_647, allow_none=True)
    signal = text(20, allow_none=True)
    is_report_whole = StrictBoolean(
        allow_none=True, metadata={"description": "Null where no report was expected"}
    )


class ReportedTestSchema(Schema):
    number = Number(least=1, most=100_000, required=True)
    nodeid = text(4096, least=1, required=True)
    outcome = one_of("passed", "failed", "error", "skipped", required=True)
    is_flaky = StrictBoolean(load_default=False)
    duration_ms = Number(least=0, most=10**12, load_default=None, allow_none=True)
    message = text(65_536, load_default=None, allow_none=True)


class ReportedTestsSchema(Schema):
    tests = fields.List(
        fields.Nested(ReportedTestSchema), required=True, validate=validate.Length(max=1000)
    )


class ReadReportSchema(Schema):
    name = text(1024, least=1, required=True)
    kind = one_of("junit", "cobertura", "lcov", "ctrf", "reportlog", required=True)
    tests = Number(least=0, most=2_147_483_647, load_default=None, allow_none=True)
    error = text(1000, allow_none=True)
    cut = text(1000, allow_none=True)


class CoveredFileSchema(Schema):
    file = text(1024, least=1, required=True)
    lines = Number(least=0, most=2_147_483_647, required=True)
    covered_lines = Number(least=0, most=2_147_483_647, required=True)
    branches = Number(least=0, most=2_147_483_647, load_default=None, allow_none=True)
    covered_branches = Number(least=0, most=2_147_483_647, load_default=None, allow_none=True)


class ReportsSchema(Schema):
    reports = fields.List(
        fields.Nested(ReadReportSchema), load_default=list, validate=validate.Length(max=200)
    )
    coverage = fields.List(
        fields.Nested(CoveredFileSchema), load_default=list, validate=validate.Length(max=5000)
    )
