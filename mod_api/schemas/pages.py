"""Pages: by offset, by cursor, or by both."""

from collections.abc import Mapping
from typing import Any, cast

from marshmallow import ValidationError, fields, validates_schema

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import LARGEST, Number, text


class OffsetQuery(Schema):
    """`limit` and `offset`, as every list takes them."""

    limit = Number(
        least=1, most=100, from_text=True, load_default=50,
        metadata={"description": "Maximum number of results to return (1 to 100)"},
    )  # fmt: skip
    offset = Number(
        least=0, most=LARGEST, from_text=True, load_default=0,
        metadata={"description": "Number of results to skip"},
    )  # fmt: skip


class CursorQuery(Schema):
    """`limit` and an opaque `cursor`."""

    limit = Number(least=1, most=100, from_text=True, load_default=50)
    cursor = text(255, metadata={"description": "`next_cursor` of the page before; opaque"})


class KeysetQuery(OffsetQuery):
    """By offset, or by cursor: rows that arrive in between neither repeat nor vanish."""

    cursor = text(
        255, metadata={"description": "`next_cursor` of the page before; not with `offset`"}
    )

    @validates_schema(pass_original=True)
    def refuse_both(self, data: dict[str, Any], original: Mapping[str, Any], **_: Any) -> None:
        if "cursor" in original and "offset" in original:
            raise ValidationError("Cannot be given together with offset.", "cursor")


class PaginationSchema(Schema):
    limit = Number(least=1, required=True)
    offset = Number(least=0, required=True)
    total = Number(least=0, required=True)
    next_offset = Number(least=0, allow_none=True)


class KeysetPaginationSchema(PaginationSchema):
    next_cursor = text(
        255,
        allow_none=True,
        metadata={
            "description": "Asks for the rows behind this page, whatever arrives in between; null "
            "on the last page. In a walk by cursor, `offset` counts the rows handed out before."
        },
    )


class CursorPaginationSchema(Schema):
    limit = Number(least=1, required=True)
    next_cursor = text(255, required=True, allow_none=True)


def page_of(
    row: type[Schema], pagination: type[Schema] = PaginationSchema, **more: Any
) -> type[Schema]:
    """The schema of a page of `row`, with further properties of the page itself."""
    name = row.__name__.removesuffix("Schema") + "Page"
    page = Schema.from_dict(
        {
            "data": fields.List(fields.Nested(row), required=True),
            "pagination": fields.Nested(pagination, required=True),
            **more,
        },
        name=name,
    )
    return cast(type[Schema], page)  # what it makes is of the kind that it is asked of
