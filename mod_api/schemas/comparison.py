"""Two runs compared, test by test."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, TruncatedString, one_of, query_id, run_id
from mod_api.schemas.pages import OffsetQuery, page_of
from mod_api.schemas.results import STATUSES
from mod_test.comparison import Change

CHANGES = [change.value for change in Change]
MEANING = (
    "`fixed` and `new_failure`: it failed in `to` and passes in the run, or the reverse. "
    "`same_failure` and `different_failure`: it fails in both, with the same signature and "
    "content or not. "
    "`same_pass`. `not_run`: no result in the run. `not_run_in_to`: none in `to` only."
)


class ComparisonQuery(OffsetQuery):
    to = query_id(metadata={"description": "The run to compare with"})
    change = one_of(*CHANGES, metadata={"description": "Only tests with this change"})


class ComparisonSchema(Schema):
    regression_id = Number(least=1, required=True)
    sample_id = Number(least=1, required=True)
    command = TruncatedString(500)
    change = one_of(*CHANGES, required=True, metadata={"description": MEANING})
    status = one_of(
        *STATUSES,
        allow_none=True,
        required=True,
        metadata={"description": "In the run; null where the test is not in its set"},
    )
    to_status = one_of(
        *STATUSES, allow_none=True, required=True, metadata={"description": "The same in `to`"}
    )
    failure_signature = TruncatedString(255, allow_none=True)
    to_failure_signature = TruncatedString(255, allow_none=True)
    failure_content = TruncatedString(
        16,
        allow_none=True,
        metadata={"description": "What came out, as in histories"},
    )
    to_failure_content = TruncatedString(16, allow_none=True)
    links = fields.Dict(keys=fields.String(), values=fields.String())


HOW_MANY = Schema.from_dict(
    {change: Number(least=0, required=True) for change in CHANGES}, name="ComparisonCounts"
)
ComparisonPage = page_of(
    ComparisonSchema,
    run_id=run_id(),
    to=Number(
        least=1,
        required=True,
        allow_none=True,
        metadata={
            "description": "The run compared with; null where none was named and no run of the "
            "main branch ended before: then the page is empty"
        },
    ),
    counts=fields.Nested(
        HOW_MANY, required=True, metadata={"description": "Of all tests, whatever the filter"}
    ),
)
