"""What became of a job: its tests, its coverage, the files that it left behind."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, StrictBoolean, one_of, text
from mod_api.schemas.logs import LogLineSchema, RunLogQuery, StreamQuery
from mod_api.schemas.pages import KeysetQuery, OffsetQuery
from mod_job.models import JobTestOutcome

OUTCOMES = [outcome.value for outcome in JobTestOutcome]


class JobTestsQuery(KeysetQuery):
    outcome = one_of(
        *OUTCOMES, metadata={"description": "`running`: the job ended before the test did"}
    )
    flaky = StrictBoolean(from_text=True)
    q = text(200, least=1, metadata={"description": "A part of the test's id"})


class JobTestSchema(Schema):
    number = Number(least=1, required=True, metadata={"description": "In the order of their ends"})
    nodeid = fields.String(required=True)
    outcome = one_of(*OUTCOMES, required=True)
    is_flaky = fields.Boolean(required=True)
    duration_ms = Number(least=0, required=True, allow_none=True)
    message = fields.String(required=True, allow_none=True)


class JobCoverageQuery(OffsetQuery):
    pass


class CoverageSchema(Schema):
    file = fields.String(required=True)
    lines = Number(least=0, required=True)
    covered_lines = Number(least=0, required=True)
    branches = Number(least=0, required=True, allow_none=True)
    covered_branches = Number(least=0, required=True, allow_none=True)


class CoverageTotalSchema(Schema):
    lines = Number(least=0, required=True)
    covered_lines = Number(least=0, required=True)


class JobArtifactSchema(Schema):
    name = fields.String(required=True, metadata={"description": "Its path below the project"})
    size_bytes = Number(least=0, required=True)
    sha256 = fields.String(required=True)
    kind = fields.String(
        required=True, allow_none=True, metadata={"description": "Of a report that was read"}
    )
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it could not be read"}
    )
    cut = fields.String(
        required=True, allow_none=True, metadata={"description": "What was left out of it"}
    )
    url = fields.String(required=True)


class JobLogLineSchema(LogLineSchema):
    """A line of a job's log."""

    class Meta:
        exclude = ("run_id", "sample_id", "regression_id")

    job_id = fields.UUID(required=True)


class JobLogQuery(RunLogQuery):
    """As a run's; a job's log has no regression tests."""


class JobStreamQuery(StreamQuery):
    class Meta:
        exclude = ("regression_id",)
