"""Jobs: submitting, reading, acting on them."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, Pattern, Timestamp, Unique, one_of, query_id, text
from mod_api.schemas.pages import KeysetQuery
from mod_job.conclusions import CommandOutcome
from mod_job.models import LOWEST_PRIORITY, USUAL_PRIORITY, Conclusion, JobState

STATES = [state.value for state in JobState]
CONCLUSIONS = [conclusion.value for conclusion in Conclusion]
OUTCOMES = [outcome.value for outcome in CommandOutcome]
LABEL = Pattern("^[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}$")
VARIABLE = Pattern("^[A-Za-z_][A-Za-z0-9_]{0,63}$")


class JobSpecSchema(Schema):
    """How a job is executed; what is not named here comes from its `ci.toml`, or is the default."""

    command = fields.List(
        text(4096, least=1),
        validate=validate.Length(min=1, max=200),
        metadata={"description": "The words of the command; default: `python -m pytest -v`"},
    )
    image = text(255, least=1, metadata={"description": "One that the runner has; never pulled"})
    network = one_of(
        "none", "install", metadata={"description": "`none`: not even to install requirements"}
    )
    timeout_s = Number(least=1, most=86_400)
    memory_mib = Number(least=16, most=1_048_576)
    cpus = Number(least=1, most=64)
    artifacts = fields.List(
        text(255, least=1),
        validate=validate.Length(max=20),
        metadata={"description": "Patterns of files to keep, such as `dist/*.whl`"},
    )
    environment = fields.Dict(
        keys=fields.String(validate=VARIABLE), values=text(4096), validate=validate.Length(max=50)
    )


class JobRequestSchema(JobSpecSchema):
    """The part `job` of a submission."""

    name = text(200, least=1)
    priority = Number(
        least=0, most=LOWEST_PRIORITY, load_default=USUAL_PRIORITY,
        metadata={"description": "0 is first; below 5 for admins only"},
    )  # fmt: skip
    labels = fields.List(
        fields.String(validate=LABEL), load_default=list,
        validate=[validate.Length(max=10), Unique()],
    )  # fmt: skip


class JobSourceSchema(Schema):
    sha256 = fields.String(required=True)
    size_bytes = Number(least=0, required=True)


class JobCountsSchema(Schema):
    """Tests of the newest attempt. A flaky one passed at a later try; it counts as passed, too."""

    passed = Number(least=0, required=True)
    failed = Number(least=0, required=True)
    errors = Number(least=0, required=True)
    skipped = Number(least=0, required=True)
    flaky = Number(least=0, required=True)


class ListedJobSchema(Schema):
    job_id = fields.UUID(required=True)
    name = fields.String(required=True, allow_none=True)
    state = one_of(*STATES, required=True)
    conclusion = one_of(*CONCLUSIONS, required=True, allow_none=True)
    why = fields.String(
        required=True, allow_none=True, metadata={"description": "How it ended, in a sentence"}
    )
    outcome = one_of(*OUTCOMES, required=True, allow_none=True)
    exit_code = Number(required=True, allow_none=True)
    signal = fields.String(required=True, allow_none=True)
    is_report_whole = fields.Boolean(
        required=True, allow_none=True, metadata={"description": "Null where none was expected"}
    )
    priority = Number(least=0, most=LOWEST_PRIORITY, required=True)
    account_id = Number(least=1, required=True)
    labels = fields.List(fields.String(), required=True)
    spec = fields.Nested(JobSpecSchema, required=True)
    source = fields.Nested(JobSourceSchema, required=True)
    tests = fields.Nested(JobCountsSchema, required=True)
    created_at = Timestamp(required=True)
    started_at = Timestamp(required=True, allow_none=True)
    ended_at = Timestamp(required=True, allow_none=True)
    expires_at = Timestamp(required=True, allow_none=True)
    retry_of = fields.UUID(required=True, allow_none=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class JobAttemptSchema(Schema):
    attempt = Number(least=1, required=True)
    runner_name = fields.String(required=True)
    claimed_at = Timestamp(required=True)
    ended_at = Timestamp(required=True, allow_none=True)
    stage = fields.String(required=True, allow_none=True)
    end_reason = fields.String(required=True, allow_none=True)
    message = fields.String(required=True, allow_none=True)


class JobSchema(ListedJobSchema):
    position = Number(
        least=1, required=True, allow_none=True,
        metadata={"description": "In the queue, from 1; null for a job that does not wait"},
    )  # fmt: skip
    attempts = fields.List(fields.Nested(JobAttemptSchema), required=True)


class JobQuery(Schema):
    wait = Number(
        least=0, most=30, from_text=True, load_default=0,
        metadata={"description": "Seconds to wait for another state"},
    )  # fmt: skip
    state = one_of(*STATES, metadata={"description": "With `wait`: the state that is known"})


class JobListQuery(KeysetQuery):
    state = one_of(*STATES)
    conclusion = one_of(*CONCLUSIONS)
    account_id = query_id(metadata={"description": "Whose jobs; an admin sees everybody's"})
    label = fields.String(validate=LABEL)
    q = text(200, least=1, metadata={"description": "A part of the name, in any letters"})
    created_after = Timestamp()
    created_before = Timestamp()
    sort = one_of("-created_at", "created_at", load_default="-created_at")

    @validates_schema
    def check_times(self, data: dict[str, Any], **_: Any) -> None:
        after, before = data.get("created_after"), data.get("created_before")
        if after and before and after >= before:
            raise ValidationError("Must be later than created_after.", "created_before")


class JobChangeSchema(Schema):
    priority = Number(least=0, most=LOWEST_PRIORITY, required=True)


class JobActionSchema(Schema):
    job_id = fields.UUID(required=True)
    action = one_of("cancel", "retry", required=True)
    status = one_of("accepted", "no_op", required=True)
    message = fields.String(required=True)
    new_job_id = fields.UUID(required=True, allow_none=True)


class JobEventSchema(Schema):
    at = Timestamp(required=True)
    kind = one_of("queued", "claimed", "stage", "requeued", "priority", "ended", required=True)
    message = fields.String(required=True)
    attempt_id = Number(least=1, required=True, allow_none=True)
    account_id = Number(least=1, required=True, allow_none=True)
