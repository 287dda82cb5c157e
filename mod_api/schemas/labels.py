"""Categories and tags."""

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, TruncatedString


class TagSchema(Schema):
    id = Number(least=1, required=True)
    name = TruncatedString(64, required=True)
    description = TruncatedString(1024, required=True)


class CategorySchema(TagSchema):
    test_count = Number(
        least=0, required=True, metadata={"description": "Regression tests, inactive ones, too"}
    )
