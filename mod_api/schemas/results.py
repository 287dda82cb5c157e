"""The regression tests of a run, and how each ended."""

from typing import Any

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import SHA256, Number, TruncatedString, one_of, query_id, run_id, text
from mod_api.schemas.pages import OffsetQuery
from mod_api.schemas.runs import FOR_SP
from mod_test.models import Outcome
from mod_test.verdict import OutputStatus, ResultStatus

STATUSES = [status.value for status in ResultStatus]
OUTPUT_STATUSES = [status.value for status in OutputStatus]
OUTCOMES = [outcome.value for outcome in Outcome]


class ResultListQuery(OffsetQuery):
    status = one_of(*STATUSES)
    name = text(
        100, metadata={"description": "Part of the sample's name; the case of ASCII is ignored"}
    )
    tag = text(50, metadata={"description": "A tag of the sample, exactly"})
    category = text(50, metadata={"description": "Any category of the regression test, exactly"})
    sample_id = query_id(metadata={"description": "Tests of this media sample"})


class ResultOutputSchema(Schema):
    output_id = Number(least=1, required=True)
    status = one_of(*OUTPUT_STATUSES, required=True)
    filename = TruncatedString(255)
    expected_hash = fields.String(
        validate=SHA256,
        allow_none=True,
        metadata={
            "description": "What the output is held against: the baseline that it matched at the "
            "time of the run, else the baseline of today"
        },
    )
    expected_hash_at_run = fields.String(
        validate=SHA256,
        allow_none=True,
        metadata={"description": "The baseline at the time of the run; null where none came out"},
    )
    actual_hash = fields.String(
        validate=SHA256,
        allow_none=True,
        metadata={"description": "What came out; null where it matched, or where nothing came out"},
    )
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={
            "description": "`expected`, `actual` and `diff`; absent of an output that matches"
        },
    )


def _outputs(description: str) -> fields.List[Any]:
    return fields.List(
        fields.Nested(ResultOutputSchema),
        validate=validate.Length(max=20),
        metadata={"description": description},
    )


class RunSampleSchema(Schema):
    """One regression test of a run. Within a run `regression_id` is the result's id, too: it is
    the `sample_id` of `/runs/{run_id}/samples/{sample_id}`."""

    run_id = run_id()
    sample_id = Number(least=1, required=True, metadata={"description": "The media sample"})
    sample_name = TruncatedString(255, allow_none=True)
    regression_id = Number(least=1, required=True)
    category = TruncatedString(
        100, metadata={"description": "The category with the lowest id, if any"}
    )
    categories = fields.List(TruncatedString(100))
    command = TruncatedString(500)
    status = one_of(*STATUSES, required=True)
    runtime_ms = Number(least=0, allow_none=True)
    exit_code = Number(allow_none=True)
    expected_exit_code = Number(allow_none=True)
    outcome = one_of(
        *OUTCOMES,
        allow_none=True,
        metadata={
            "description": "How the process ended; null where neither the runner nor the "
            "exit code tells"
        },
    )
    result_message = TruncatedString(500, allow_none=True)
    tags = fields.List(TruncatedString(50), validate=validate.Length(max=50))
    outputs = _outputs(
        "One entry per expected output, at most 20, those that do not match first; empty without "
        "a result"
    )
    regression_test_id = Number(
        allow_none=True,
        metadata={"description": f"`regression_id`, null without a result; {FOR_SP}"},
    )
    expected_rc = Number(
        attribute="expected_exit_code",
        dump_only=True,
        allow_none=True,
        metadata={"description": f"`expected_exit_code` {FOR_SP}"},
    )
    ignored_outputs = _outputs(
        "Outputs that are not compared: their status only informs and counts for nothing"
    )
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={
            "description": "`self`, `run`, `logs`, `regression_test`, `sample` and `history`"
        },
    )


class RunSampleDetailSchema(RunSampleSchema):
    tail = fields.String(
        allow_none=True,
        metadata={"description": "The last 4 kB that the test printed; null where not known"},
    )
    stdout_tail = fields.String(
        allow_none=True,
        metadata={
            "description": "The last 4 kB of its standard output; null where it is the output, or "
            "where the runner did not keep the two apart"
        },
    )
    stderr_tail = fields.String(
        allow_none=True,
        metadata={
            "description": "The last 4 kB of its standard error; null where the runner did not "
            "keep the two apart"
        },
    )
