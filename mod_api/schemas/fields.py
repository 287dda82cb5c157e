"""Fields and validators that say exactly what the contract says, and document it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import ValidationError, fields, validate

from mod_api.schemas.dumping import AS_NUMBER

MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
LARGEST = 2_147_483_647


class Pattern(validate.Regexp):
    """A pattern that the whole value must match (in Python `$` lets a newline through)."""

    def __call__(self, value: Any) -> Any:
        if not self.regex.fullmatch(value):
            raise ValidationError(f"Must match pattern {self.regex.pattern!s}")
        return value


class Unique(validate.Validator):
    """A list that holds no value twice."""

    def __call__(self, value: Any) -> Any:
        if len(set(value)) != len(value):
            raise ValidationError("Must not hold a value twice.")
        return value


SHA256 = Pattern("^[a-fA-F0-9]{64}$")
COMMIT = Pattern("^[a-fA-F0-9]{40}$")
REPOSITORY = Pattern("^[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+$")


class Number(fields.Integer):
    """A whole number: in JSON a number (not a text, not a truth value), in a query ASCII digits."""

    WRITTEN = AS_NUMBER

    def __init__(
        self, *, least: int | None = None, most: int | None = None, **options: Any
    ) -> None:
        self.from_text = options.pop("from_text", False)
        if least is not None or most is not None:
            options["validate"] = validate.Range(min=least, max=most)
        super().__init__(strict=True, **options)

    def write(self, value: Any) -> int:
        """The number in an answer."""
        return int(value)

    def _validated(self, value: Any) -> int:
        if self.from_text:
            if not isinstance(value, str) or not re.fullmatch("-?[0-9]{1,10}", value, re.ASCII):
                raise self.make_error("invalid", input=value)
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return value


class StrictBoolean(fields.Boolean):
    """A truth value: in JSON `true` or `false` only.

    In a query the words `true`, `false`, `1` and `0` in any ASCII case: clients write their own
    language's (`True`).
    """

    def __init__(self, *, from_text: bool = False, **options: Any) -> None:
        self.from_text = from_text
        super().__init__(**options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> bool:
        if self.from_text:
            word = value.lower() if isinstance(value, str) and value.isascii() else value
            if word not in ("true", "false", "1", "0"):
                raise ValidationError("Must be true or false.")
            return word in ("true", "1")
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class Timestamp(fields.Field[datetime]):
    """A point in time: RFC 3339, read without zone as UTC, written in UTC with `Z`."""

    def write(self, value: datetime) -> str:
        """Return the time as it is sent."""
        return rfc3339(value)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else self.write(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> datetime:
        if not isinstance(value, str) or not MOMENT.fullmatch(value):
            raise ValidationError("Must be a date and time such as 2026-01-31T12:00:00Z.")
        try:
            moment = datetime.fromisoformat(value.upper())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("Is not a date and time that exists.") from None


class TruncatedString(fields.String):
    """Text in an answer, cut to the contract's bound with an ellipsis."""

    def __init__(self, most: int, **options: Any) -> None:
        self.most = most
        super().__init__(validate=validate.Length(max=most), **options)

    def write(self, value: Any) -> str:
        """Return the text as it is sent."""
        text = str(value)
        return text if len(text) <= self.most else text[: self.most - 1] + "…"

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> str | None:
        return None if value is None else self.write(value)


class PreSerialized(fields.List[Any]):
    """A list in an answer that comes in its final form: dumping hundreds of items that are the same
    each time took as long as all the rest."""

    WRITTEN = "v"

    def write(self, value: Any) -> Any:
        """The list itself."""
        return value

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> Any:
        return value


THOUSANDTHS = [f".{number:03}Z" for number in range(1000)]


def rfc3339(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`: UTC, milliseconds."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # What orjson writes begins with a quotation mark; it is several times as quick as isoformat.
    to_the_second = orjson.dumps(moment)[1:20].decode()
    return to_the_second + THOUSANDTHS[moment.microsecond // 1000]


def text(
    most: int, *, least: int = 0, pattern: Pattern | None = None, **options: Any
) -> fields.String:
    """Text in a request, bounded as the contract bounds it."""
    rules: list[Any] = [validate.Length(min=least or None, max=most)]
    if pattern:
        rules.append(pattern)
    return fields.String(validate=rules, **options)


def one_of(*words: str, **options: Any) -> fields.String:
    """One word of a fixed list."""
    options.setdefault("validate", validate.OneOf(words))
    return fields.String(**options)


def id_list(*, least: int = 0, most: int, **options: Any) -> fields.List[Any]:
    """Ids in a request, each once."""
    options["metadata"] = {"uniqueItems": True, **options.get("metadata", {})}
    rules = [validate.Length(min=least or None, max=most), Unique()]
    return fields.List(Number(least=1, most=LARGEST), validate=rules, **options)


def run_id() -> Number:
    return Number(least=1, required=True)


def query_id(**options: Any) -> Number:
    """An id as a query parameter."""
    return Number(least=1, most=LARGEST, from_text=True, **options)
