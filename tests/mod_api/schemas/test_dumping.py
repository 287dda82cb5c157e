"""Answers are written by the quick way, whatever else was asked of a schema before."""

from typing import Any

import marshmallow
import pytest
from marshmallow import fields

from config import ROOT
from mod_api.schemas.dumping import Schema


class Small(Schema):
    """It counts how often marshmallow reads a field of it."""

    number = fields.Integer()
    asked = 0

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        self.asked += 1
        return super().get_attribute(obj, attr, default)


def test_a_schema_stays_quick_after_marshmallow_has_dumped_by_it() -> None:
    schema = Small()
    assert schema.dump({"number": 1}) == {"number": 1}
    assert marshmallow.Schema.dump(schema, {"number": 2}) == {"number": 2}
    by_marshmallow = schema.asked

    assert schema.dump([{"number": 3}, {"number": 4}], many=True) == [{"number": 3}, {"number": 4}]
    assert schema.asked == by_marshmallow == 1


@pytest.mark.parametrize("hook", ["pre_dump", "post_dump"])
def test_no_schema_has_a_hook_around_dumping(hook: str) -> None:
    """They would not be called."""
    sources = (ROOT / "mod_api").rglob("*.py")

    assert [path.name for path in sources if f"@{hook}" in path.read_text("utf-8")] == []
