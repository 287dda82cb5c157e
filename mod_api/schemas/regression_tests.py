"""Regression tests as they are defined today."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    SHA256,
    Number,
    StrictBoolean,
    TruncatedString,
    one_of,
    query_id,
    text,
)
from mod_api.schemas.outputs import OutputFileSchema
from mod_api.schemas.pages import OffsetQuery
from mod_api.schemas.runs import FOR_SP
from mod_regression.models import InputType, OutputType

INPUT_TYPES = [kind.value for kind in InputType]
OUTPUT_TYPES = [kind.value for kind in OutputType]


class RegressionTestListQuery(OffsetQuery):
    active = StrictBoolean(
        from_text=True, metadata={"description": "Whether new runs execute the test"}
    )
    category = text(50, metadata={"description": "Any category of the test, exactly"})
    tag = text(50, metadata={"description": "A tag of the sample, exactly"})
    sample_id = query_id(metadata={"description": "Tests of this media sample"})


class RegressionTestQuery(Schema):
    format = one_of(
        "text",
        "base64",
        load_default="base64",
        metadata={
            "description": "How contents are wanted; bytes that are no UTF-8 come as base64 either "
            "way, and `encoding` says which it is"
        },
    )


class ExpectedOutputSchema(OutputFileSchema):
    class Meta:
        exclude = ("expected_hash_at_run",)

    ignored = fields.Boolean(metadata={"description": "The output is not compared"})
    accepted_variants = fields.List(
        fields.String(validate=SHA256),
        metadata={"description": "Contents that are accepted beside `sha256`"},
    )


class RegressionTestSchema(Schema):
    regression_id = Number(least=1, required=True)
    sample_id = Number(least=1, required=True)
    command = TruncatedString(500, required=True)
    description = TruncatedString(1024, allow_none=True)
    active = fields.Boolean()
    category = TruncatedString(
        100, metadata={"description": "The category with the lowest id, if any"}
    )
    categories = fields.List(TruncatedString(100))
    tags = fields.List(TruncatedString(50), validate=validate.Length(max=50))
    input_type = one_of(*INPUT_TYPES, allow_none=True)
    output_type = one_of(*OUTPUT_TYPES, allow_none=True)
    expected_exit_code = Number()
    regression_test_id = Number(
        attribute="regression_id",
        dump_only=True,
        metadata={"description": f"`regression_id` {FOR_SP}"},
    )
    expected_rc = Number(
        allow_none=True, metadata={"description": f"As the table has it, {FOR_SP}"}
    )
    sample_name = TruncatedString(255, allow_none=True)
    expected_outputs = fields.List(
        fields.Nested(ExpectedOutputSchema),
        validate=validate.Length(max=20),
        metadata={
            "description": "The approved baselines. In lists `content` is empty and `truncated` "
            "true; a single test has the content, as far as the storage gives it in time."
        },
    )
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "`self`, `sample` and `history`"},
    )
