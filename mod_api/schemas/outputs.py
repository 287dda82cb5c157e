"""Outputs as files, and how they differ from their baselines."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    LARGEST,
    SHA256,
    Number,
    TruncatedString,
    one_of,
    query_id,
    run_id,
    text,
)
from mod_api.schemas.pages import KeysetQuery, page_of
from mod_api.schemas.runs import FOR_SP
from mod_regression.changes import ChangeKind, GaveUp
from mod_test.result_messages import NO_RESULT

STORAGE = ["ok", "degraded", "missing"]
WITHOUT_RESULT = [status.value for status in NO_RESULT]
KINDS = [kind.value for kind in ChangeKind]
DOWNLOAD_URL = {
    "format": "uri",
    "description": "Valid for ten minutes, without a token; only of a file that was just found. "
    "An absolute URL where PUBLIC_URL or TRUSTED_HOSTS is set, else a path of this host",
}


class OutputQuery(Schema):
    regression_id = query_id(
        required=True, metadata={"description": "Regression test definition ID"}
    )
    output_id = query_id(
        required=True,
        metadata={"description": "Output file ID within a regression test definition"},
    )


class OutputFileQuery(OutputQuery):
    format = one_of(
        "text",
        "base64",
        load_default="base64",
        metadata={
            "description": "How the content is wanted; bytes that are no UTF-8 come as base64 "
            "either way, and `encoding` says which it is"
        },
    )


class NestedFileQuery(Schema):
    format = text(
        50, load_default="base64", metadata={"description": "`text`; anything else is base64"}
    )


class NestedDiffQuery(Schema):
    context_lines = Number(
        least=0, most=50, from_text=True, load_default=3,
        metadata={"description": "How many unchanged lines surround each change"},
    )  # fmt: skip
    format = one_of(
        "structured",
        "unified",
        load_default="structured",
        metadata={"description": "`unified` adds the text of a unified diff in `unified`"},
    )


class DiffQuery(OutputQuery, NestedDiffQuery):
    cues = one_of(
        "changed",
        "all",
        load_default="changed",
        metadata={"description": "`all` adds a page of all cues in `cues`, unchanged ones too"},
    )
    cues_limit = Number(
        least=1, most=1000, from_text=True, load_default=200,
        metadata={"description": "How many pairs of cues a page of `cues` has"},
    )  # fmt: skip
    cues_offset = Number(
        least=0, most=LARGEST, from_text=True, load_default=0,
        metadata={"description": "How many pairs of cues come before the page"},
    )  # fmt: skip


class DiffListQuery(KeysetQuery):
    sample_id = query_id(metadata={"description": "Outputs of this media sample's tests"})
    regression_id = query_id(metadata={"description": "Outputs of this regression test"})


class OutputFileSchema(Schema):
    run_id = Number(least=1, allow_none=True)
    sample_id = Number(least=1, required=True)
    regression_id = Number(least=1, required=True)
    output_id = Number(least=1, required=True)
    filename = TruncatedString(255, required=True)
    content_type = TruncatedString(100, required=True)
    encoding = one_of("utf-8", "base64", required=True)
    content = fields.String(required=True, validate=validate.Length(max=1_048_576))
    sha256 = fields.String(validate=SHA256)
    storage_status = one_of(*STORAGE, required=True)
    size_bytes = Number(
        least=0, allow_none=True, metadata={"description": "Of the whole file, also where cut"}
    )
    truncated = fields.Boolean(
        metadata={"description": "`content` is the first part only; all is at `download_url`"}
    )
    download_url = fields.String(allow_none=True, metadata=DOWNLOAD_URL)
    expected_hash_at_run = fields.String(
        validate=SHA256,
        allow_none=True,
        metadata={"description": "The baseline when the run was executed"},
    )


class DiffLineSchema(Schema):
    kind = one_of("context", "added", "removed", required=True)
    expected_line = Number(least=0, allow_none=True)
    actual_line = Number(least=0, allow_none=True)
    text = fields.String(required=True, validate=validate.Length(max=1000))


class DiffHunkSchema(Schema):
    expected_start = Number(least=0, required=True)
    expected_lines = Number(least=0)
    actual_start = Number(least=0, required=True)
    actual_lines = Number(least=0)
    lines = fields.List(
        fields.Nested(DiffLineSchema), required=True, validate=validate.Length(max=500)
    )


class DiffSummarySchema(Schema):
    added_lines = Number(least=0, required=True)
    removed_lines = Number(least=0, required=True)
    changed_hunks = Number(least=0, required=True)


class DiffSideSchema(Schema):
    """One of the two files; what it is like is null where it was not read."""

    size_bytes = Number(least=0, allow_none=True)
    storage_status = one_of(*STORAGE, required=True)
    download_url = fields.String(allow_none=True, metadata=DOWNLOAD_URL)
    encoding = fields.String(
        allow_none=True,
        metadata={
            "description": "utf-8, utf-8-bom, utf-16-le, utf-16-be, latin-1 (Windows' additions "
            "included), binary; lines and captions are read with it"
        },
    )
    line_endings = fields.String(
        allow_none=True, metadata={"description": "lf, crlf, cr, mixed, none"}
    )
    final_newline = fields.Boolean(allow_none=True)


class CueTextSchema(Schema):
    number = Number(least=1, required=True)
    cues = Number(least=1, required=True, metadata={"description": "Above 1 where split or merged"})
    start_ms = Number(required=True)
    end_ms = Number(required=True)
    text = fields.String(required=True)


class WordChangeSchema(Schema):
    expected = fields.String(required=True)
    actual = fields.String(required=True)


class ChangedCueSchema(Schema):
    kind = one_of(*KINDS, required=True)
    expected = fields.Nested(CueTextSchema, required=True, allow_none=True)
    actual = fields.Nested(CueTextSchema, required=True, allow_none=True)
    words = fields.List(fields.Nested(WordChangeSchema), required=True)


class CueLocationSchema(Schema):
    number = Number(least=1, required=True)
    start_ms = Number(required=True)


class CaptionsSchema(Schema):
    """How two caption files differ, in the terms of captions; times are milliseconds."""

    kind = one_of(*KINDS, required=True)
    kinds = fields.Dict(
        keys=fields.String(),
        values=Number(least=0),
        required=True,
        metadata={"description": "How many cues each kind concerns, the gravest kind first"},
    )
    cues_expected = Number(least=0, required=True, allow_none=True)
    cues_actual = Number(least=0, required=True, allow_none=True)
    shift_ms = Number(
        required=True, allow_none=True, metadata={"description": "How much later the cues are"}
    )
    rate = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "By what the cues' times are multiplied (timing_drift)"},
    )
    changed = fields.List(
        fields.Nested(ChangedCueSchema), required=True, validate=validate.Length(max=100)
    )
    truncated = fields.Boolean(required=True)
    message = fields.String(required=True)
    location = fields.Nested(CueLocationSchema, required=True, allow_none=True)


class CueSpanSchema(Schema):
    number = Number(least=1, required=True, metadata={"description": "In its file, from 1"})
    cues = Number(least=1, required=True, metadata={"description": "Above 1 where split or merged"})
    start_ms = Number(required=True)
    end_ms = Number(required=True)


class CuePairSchema(Schema):
    kind = one_of(
        *KINDS, required=True, metadata={"description": "`identical` where nothing changed"}
    )
    expected = fields.Nested(CueSpanSchema, required=True, allow_none=True)
    actual = fields.Nested(CueSpanSchema, required=True, allow_none=True)


class DiffLinksSchema(Schema):
    diff = fields.String(required=True, metadata={"description": "The whole difference"})


class OutputDiffSchema(Schema):
    """One differing output of a run, in the terms of captions."""

    run_id = run_id()
    sample_id = Number(least=1, allow_none=True)
    sample_name = TruncatedString(255, allow_none=True)
    regression_id = Number(least=1, required=True)
    command = TruncatedString(500)
    output_id = Number(least=1, required=True)
    filename = TruncatedString(255, required=True)
    expected_hash = fields.String(validate=SHA256, allow_none=True)
    actual_hash = fields.String(validate=SHA256, allow_none=True)
    compared = fields.Boolean(
        required=True,
        metadata={"description": "False where nobody compared the files yet: `links.diff` does"},
    )
    captions = fields.Nested(
        CaptionsSchema, allow_none=True, metadata={"description": "Null where they are none"}
    )
    group = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The same for outputs whose captions changed alike: by the same shift "
            "or rate, or in the same words. Null where that cannot be said"
        },
    )
    links = fields.Nested(DiffLinksSchema, required=True)


class DiffSchema(Schema):
    run_id = run_id()
    sample_id = Number(least=1, required=True)
    regression_id = Number(least=1, required=True)
    output_id = Number(least=1, required=True)
    status = one_of("identical", "different", "missing_expected", "missing_actual", required=True)
    result_status = one_of(
        *WITHOUT_RESULT,
        metadata={"description": "With `missing_actual`, where the test has no result in this run"},
    )
    summary = fields.Nested(
        DiffSummarySchema,
        metadata={"description": "Exact, also where hunks are cut; absent for binary files"},
    )
    hunks = fields.List(fields.Nested(DiffHunkSchema), validate=validate.Length(max=500))
    context_lines = Number(least=0, most=50)
    truncated = fields.Boolean(
        metadata={"description": "Hunks, lines or the ends of long lines are left out of `hunks`"}
    )
    unified = fields.String(metadata={"description": "With format=unified only"})
    content = fields.String(metadata={"description": f"`unified` {FOR_SP}"})
    format = one_of("structured", "unified", metadata={"description": FOR_SP})
    unified_truncated = fields.Boolean(metadata={"description": "With format=unified only"})
    expected_hash = fields.String(validate=SHA256, allow_none=True)
    actual_hash = fields.String(validate=SHA256, allow_none=True)
    expected_hash_at_run = fields.String(
        validate=SHA256,
        allow_none=True,
        metadata={"description": "The baseline when the run was executed"},
    )
    accepted_variant = fields.Boolean(
        metadata={"description": "It differs from the baseline and is accepted all the same"}
    )
    binary = fields.Boolean()
    invalid_utf8 = fields.Boolean(
        metadata={"description": "Bytes that are no UTF-8 are shown as U+FFFD"}
    )
    encodings_differ = fields.Boolean()
    line_endings_differ = fields.Boolean()
    missing_final_newline = fields.List(one_of("expected", "actual"))
    gave_up = fields.Boolean(
        metadata={"description": "The files were not compared within the limits: fetch both"}
    )
    gave_up_because = one_of(*[reason.value for reason in GaveUp], allow_none=True)
    expected = fields.Nested(DiffSideSchema)
    actual = fields.Nested(DiffSideSchema)
    captions = fields.Nested(
        CaptionsSchema, allow_none=True, metadata={"description": "Null where they are none"}
    )
    cues = fields.Nested(
        page_of(CuePairSchema),
        metadata={"description": "With cues=all only: all cues in the order of the files"},
    )
