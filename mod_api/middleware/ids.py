"""Ids in paths: ASCII digits, 1 to 2147483647; anything else is 400 and names the parameter."""

import re
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import BaseConverter

from errors import Invalid

LARGEST_ID = 2_147_483_647


@dataclass(frozen=True)
class NotAnId:
    """What stood where an id belongs; it is refused once the caller is known to be allowed."""

    text: str


class IdConverter(BaseConverter):
    """`<id:run_id>`: takes any text, so that a bad id is a 400 of the API, not an unknown path."""

    regex = "[^/]+"
    part_isolating = True

    def to_python(self, value: str) -> Any:
        if re.fullmatch("[0-9]{1,10}", value) and 1 <= int(value) <= LARGEST_ID:
            return int(value)
        return NotAnId(value)


def id_schema(converter: IdConverter) -> dict[str, Any]:
    """The OpenAPI schema of an id in a path."""
    return {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}


def check_ids(view_args: dict[str, Any]) -> None:
    """Raises Invalid naming every path parameter that is no id."""
    wrong = [name for name, value in view_args.items() if isinstance(value, NotAnId)]
    if wrong:
        raise Invalid.fields(
            **dict.fromkeys(wrong, f"Must be a whole number from 1 to {LARGEST_ID}.")
        )
