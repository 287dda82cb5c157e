"""Why a run failed, in a few lines."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import COMMIT, Number, TruncatedString, one_of, run_id
from mod_api.schemas.run_errors import INFRASTRUCTURE, TYPES
from mod_api.schemas.runs import STATUSES
from mod_test.comparison import Change

FORMATS = ("json", "markdown", "text")
MOST_ENTRIES = 200


class ReportQuery(Schema):
    format = one_of(
        *FORMATS,
        metadata={"description": "Wins over `Accept`, by which JSON is the usual form"},
    )
    limit = Number(
        least=1,
        most=MOST_ENTRIES,
        from_text=True,
        metadata={"description": "So many tests at most; without it, what fits into 4 kB"},
    )


class ComparedRunSchema(Schema):
    run_id = run_id()
    commit_sha = fields.String(validate=COMMIT, required=True)
    branch = TruncatedString(100, required=True, allow_none=True)


class CountsInReportSchema(Schema):
    new = Number(least=0, required=True)
    still_failing = Number(least=0, required=True)
    fixed = Number(least=0, required=True)


class TestInReportSchema(Schema):
    regression_id = Number(least=1, required=True)
    sample_id = Number(least=0, required=True)
    command = TruncatedString(500, required=True)
    sample_name = TruncatedString(255, required=True)


class SinceSchema(Schema):
    run_id = run_id()
    is_earliest = fields.Boolean(
        required=True,
        metadata={"description": "False where the row is longer than the 200 runs before"},
    )


class FailureInReportSchema(TestInReportSchema):
    type = one_of(*TYPES, required=True, metadata={"description": "Of the test's first error"})
    sentence = TruncatedString(500, required=True)
    more_errors = Number(least=0, required=True)
    is_flaky = fields.Boolean(
        required=True,
        metadata={"description": "Its `flakiness` is 0.3 or more: runs of one commit disagree"},
    )
    since = fields.Nested(
        SinceSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "Where its unbroken row of failures on the main branch begins, which "
            "ends with `compared_to`; null for a test that does not fail there"
        },
    )
    last_lines = fields.List(
        TruncatedString(200),
        required=True,
        metadata={"description": "What a test that crashed has printed last"},
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ProblemInReportSchema(Schema):
    type = one_of(*INFRASTRUCTURE, required=True)
    message = TruncatedString(500, required=True)


class ReportSchema(Schema):
    run_id = run_id()
    status = one_of(*STATUSES, required=True)
    commit_sha = fields.String(validate=COMMIT, required=True)
    headline = TruncatedString(500, required=True)
    failing = Number(
        least=0, required=True, metadata={"description": "Tests that fail or lack an output"}
    )
    total = Number(least=0, required=True)
    compared_to = fields.Nested(
        ComparedRunSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "The newest ended run of the main branch on this platform that was "
            f"started before; as `{Change.new_failure.value}` of /compare means it"
        },
    )
    counts = fields.Nested(CountsInReportSchema, required=True)
    new = fields.List(
        fields.Nested(FailureInReportSchema),
        required=True,
        metadata={"description": "Passed in `compared_to`, or has no result there"},
    )
    still_failing = fields.List(fields.Nested(FailureInReportSchema), required=True)
    fixed = fields.List(fields.Nested(TestInReportSchema), required=True)
    infrastructure = fields.List(fields.Nested(ProblemInReportSchema), required=True)
    left_out = Number(
        least=0,
        required=True,
        metadata={"description": "Tests that did not fit, or are beyond `limit`"},
    )
