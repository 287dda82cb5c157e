"""How the regression tests of a sample went from run to run."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    COMMIT,
    Number,
    Timestamp,
    TruncatedString,
    one_of,
    query_id,
    run_id,
    text,
)
from mod_api.schemas.pages import KeysetPaginationSchema, KeysetQuery, page_of
from mod_api.schemas.runs import FOR_SP, PLATFORMS
from mod_api.schemas.runs import STATUSES as RUN_STATUSES
from mod_test.flakiness import DEFINITION

STATUSES = ["pass", "fail", "skipped", "missing_output"]


class HistoryQuery(KeysetQuery):
    status = one_of(
        *RUN_STATUSES, metadata={"description": "Status of the run; only ended runs are listed"}
    )
    result_status = one_of(*STATUSES, metadata={"description": "Status of the entry itself"})
    regression_id = query_id(metadata={"description": "Entries of this regression test"})
    branch = text(100)
    platform = one_of(*PLATFORMS)
    created_after = Timestamp(metadata={"description": "Runs created after this time"})
    created_before = Timestamp(metadata={"description": "Runs created before this time"})


class SampleHistoryEntrySchema(Schema):
    run_id = run_id()
    sample_id = Number(least=1, required=True)
    regression_id = Number(least=1, required=True)
    regression_test_id = Number(
        attribute="regression_id",
        dump_only=True,
        metadata={"description": f"`regression_id` {FOR_SP}"},
    )
    run_created_at = Timestamp()
    commit_sha = fields.String(validate=COMMIT, allow_none=True)
    branch = TruncatedString(100, allow_none=True)
    platform = one_of(*PLATFORMS)
    status = one_of(*STATUSES, required=True)
    runtime_ms = Number(least=0, allow_none=True)
    runtime_median_ms = Number(
        least=0,
        allow_none=True,
        metadata={
            "description": "The median runtime of the ten results before this one, of the same "
            "test on the same platform in ended runs; of fewer where there are fewer"
        },
    )
    runtime_ratio = fields.Float(
        allow_none=True,
        metadata={"description": "`runtime_ms` by that median: 2 is twice as slow"},
    )
    failure_signature = TruncatedString(
        255,
        allow_none=True,
        metadata={
            "description": "The kind of failure and its outputs: the same whatever came out, on "
            "every commit. Null unless the entry failed."
        },
    )
    failure_content = TruncatedString(
        16,
        allow_none=True,
        metadata={
            "description": "What came out, as a short hash: entries with the same signature and "
            "content failed in the same way. Null where no output differs."
        },
    )
    links = fields.Dict(keys=fields.String(), values=fields.String())


class FlakinessSchema(Schema):
    regression_id = Number(least=1, required=True)
    flakiness = fields.Float(
        required=True, metadata={"description": DEFINITION, "minimum": 0, "maximum": 1}
    )
    results = Number(
        least=0, required=True, metadata={"description": "Of how many results the figure is made"}
    )


HistoryPage = page_of(
    SampleHistoryEntrySchema,
    KeysetPaginationSchema,
    flakiness=fields.List(
        fields.Nested(FlakinessSchema),
        required=True,
        metadata={"description": "One figure for each regression test on the page"},
    ),
)
