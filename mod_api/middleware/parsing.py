"""Strict reading of input: an error names the field, unknown fields are refused."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import marshmallow
from flask import Request, request
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from errors import DomainError, Invalid

DEEPEST = 64
SHORT = 300  # bytes of a query string
LARGEST_ID = 2_147_483_647


class UnsupportedMediaType(DomainError):
    """A body of another type than the operation takes: 415."""

    status = 415
    code = "unsupported_media_type"


class StrictParser(FlaskParser):
    """webargs, for headers, with errors as `Invalid`; bodies and query strings are read below."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {
        "headers": marshmallow.EXCLUDE,
    }

    def handle_error(
        self, error: marshmallow.ValidationError, req: Request, schema: marshmallow.Schema, **_: Any
    ) -> NoReturn:
        raise invalid(error) from None


def invalid(error: marshmallow.ValidationError) -> Invalid:
    """marshmallow's messages in the contract's shape: one sentence for each field."""
    messages: Any = error.messages if isinstance(error.messages, dict) else {"body": error.messages}
    for location in ("json", "query", "form", "headers", "files"):
        if set(messages) == {location} and isinstance(messages[location], dict):
            messages = messages[location]
    return Invalid.fields(**_flat(messages))


def read_body(schema: marshmallow.Schema, *, required: bool) -> Any:
    """The JSON body as a schema has it; an unknown field is refused, and no body unless `required`
    is False: then it reads as an empty object.

    Raises Invalid, UnsupportedMediaType, and TooLarge through the framework.
    """
    body = whole_body()
    if not body:
        if required:
            raise Invalid.fields(body="A JSON object is required.")
        told: dict[str, Any] = {}
    elif request.mimetype != "application/json":
        raise UnsupportedMediaType(
            "The body must be application/json.", expected="application/json"
        )
    else:
        told = read_object(body)
    try:
        return schema.load(told, unknown=marshmallow.RAISE)
    except marshmallow.ValidationError as error:
        raise invalid(error) from None


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises Invalid: not UTF-8, not JSON, not an object, a key twice,
    too deep, a number that is none, or text that no database can hold (NUL, half a surrogate)."""
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
    except UnicodeDecodeError:
        raise Invalid.fields(body="Must be UTF-8.") from None
    except RecursionError:
        raise Invalid.fields(body="Is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise Invalid.fields(body=f"Is not JSON: {error.msg} at character {error.pos}.") from None
    if not isinstance(value, dict):
        raise Invalid.fields(body="Must be a JSON object.")
    _check_depth_and_text(value)
    return value


def check_query(req: Request) -> None:
    """Refuse query strings with invalid UTF-8, NUL, or a parameter twice."""
    raw = req.query_string
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid.fields(query="Must be UTF-8.") from None
    if "\0" in text:
        raise Invalid.fields(query="Must not contain NUL.")
    twice = [name for name, values in req.args.lists() if len(values) > 1]
    if twice:
        raise Invalid.fields(**dict.fromkeys(twice, "Was given more than once."))


def read_query(schema: marshmallow.Schema) -> dict[str, Any]:
    """The query parameters as a schema has them; an unknown one is refused. Raises Invalid."""
    raw = request.query_string
    return (_read_again(schema, raw) if len(raw) <= SHORT else _read(schema)).copy()


@functools.lru_cache(maxsize=1024)
def _read_again(schema: marshmallow.Schema, raw: bytes) -> dict[str, Any]:
    """`_read` of a request with this query string: who polls asks the same each time."""
    return _read(schema)


def _read(schema: marshmallow.Schema) -> dict[str, Any]:
    check_query(request)
    try:
        found: dict[str, Any] = schema.load(request.args.to_dict(), unknown=marshmallow.RAISE)
    except marshmallow.ValidationError as error:
        raise invalid(error) from None
    return found


def read_nothing(schema: marshmallow.Schema) -> Callable[[], dict[str, Any]]:
    """What reads a request without any parameters: what is given then is the same each time."""
    try:
        known = schema.load({})
    except marshmallow.ValidationError:  # some are required
        return functools.partial(read_query, schema)
    copied: Callable[[], dict[str, Any]] = known.copy
    return copied


@dataclass(frozen=True)
class NotAnId:
    """A text in the place of an id; it is refused once the caller is known to be allowed."""

    text: str


class IdConverter(BaseConverter):
    """`<id:run_id>`: takes any text, so that a bad id is a 400 of the API, not an unknown path.

    The words that stand in the place of an id are paths of their own, which other methods do not
    take for one.
    """

    regex = "(?!decisions$)[^/]+"
    part_isolating = True

    def to_python(self, value: str) -> Any:
        if re.fullmatch("[0-9]{1,10}", value) and 1 <= int(value) <= LARGEST_ID:
            return int(value)
        return NotAnId(value)


def id_schema(converter: IdConverter) -> dict[str, Any]:
    """The OpenAPI schema of an id in a path."""
    return {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}


def check_ids(view_args: dict[str, Any]) -> None:
    """Raise Invalid for the path parameters that are no ids: digits, 1 to 2147483647."""
    wrong = {}
    for name, value in view_args.items():
        if isinstance(value, NotAnId):
            wrong[name] = f"Must be a whole number from 1 to {LARGEST_ID}."
    if wrong:
        raise Invalid.fields(**wrong)


def no_query() -> None:
    """For operations without query parameters: any is refused."""
    if request.query_string:
        check_query(request)
        if request.args:
            message = "Unknown field. There are no query parameters here."
            raise Invalid.fields(**dict.fromkeys(request.args, message))


def no_body() -> None:
    """For operations without a body: a body is refused."""
    may_have_one = request.content_length or request.headers.get("Transfer-Encoding")
    if may_have_one and request.stream.read(1):
        raise Invalid.fields(body="This operation takes no body.")


def expect_type(*mimetypes: str, largest: int | None = None) -> None:
    """Refuse a body of another content type; `largest` lifts the limit of its size, in bytes.

    Raises UnsupportedMediaType, and TooLarge through the framework as the body is read.
    """
    if request.mimetype not in mimetypes:
        expected = " or ".join(mimetypes)
        raise UnsupportedMediaType(f"The body must be {expected}.", expected=expected)
    if largest is not None:
        request.max_content_length = largest


def whole_body() -> bytes:
    """The request's body, read at once. Raises the framework's error when it is too large."""
    data = request.get_data(cache=True)
    # Of a body in chunks the framework reads as much as is allowed, as if that were all of it.
    if request.content_length is None and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return data


def json_part(name: str, *, most: int) -> dict[str, Any]:
    """The JSON object in one part of a multipart body, which may be a file or a field.

    Raises Invalid, and the framework's error when the part has more than `most` bytes.
    """
    part = request.files.get(name)
    body = part.stream.read(most + 1) if part else request.form.get(name, "").encode()
    if len(body) > most:
        raise RequestEntityTooLarge
    if not body:
        raise Invalid.fields(**{name: "This part is required."})
    return read_object(body)


def file_parts(*, besides: str) -> dict[str, FileStorage]:
    """The files of a multipart body, by name, without the part `besides`.

    Raises Invalid for a part that comes twice or has no name, and for one that is no file.
    """
    parts = (request.files, request.form)
    if any(name is None for part in parts for name in part):
        raise Invalid.fields(body="Each part must have a name.")
    twice = [name for part in parts for name, values in part.lists() if len(values) > 1]
    if twice:
        raise Invalid.fields(**dict.fromkeys((name[:100] for name in twice), "Was given twice."))
    others = [name[:100] for name in request.form if name != besides]
    if others:
        raise Invalid.fields(**dict.fromkeys(others, "Must be sent as a file, if at all."))
    return {name: upload for name, upload in request.files.items() if name != besides}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Invalid.fields(**{key[:100]: "Was given more than once."})
            seen.add(key)
    return found


def _constant(word: str) -> NoReturn:
    raise Invalid.fields(body=f"{word} is not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise Invalid.fields(body="A number has too many digits.")
    return int(digits)


def _check_depth_and_text(value: Any) -> None:
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > DEEPEST:
            raise Invalid.fields(body="Is nested too deeply.")
        if isinstance(item, dict):
            pending += [(part, depth + 1) for part in item] + [
                (part, depth + 1) for part in item.values()
            ]
        elif isinstance(item, list):
            pending += [(part, depth + 1) for part in item]
        elif isinstance(item, str) and ("\0" in item or not _is_text(item)):
            raise Invalid.fields(body="Text must not contain NUL or half a surrogate pair.")


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _flat(messages: Any) -> dict[str, str]:
    """marshmallow's nested messages as one sentence for each field (`outputs.0.sha256`)."""
    found: dict[str, str] = {}

    def walk(prefix: str, node: Any) -> None:
        if isinstance(node, dict):
            for key, below in node.items():
                name = prefix if key == "_schema" else f"{prefix}.{key}" if prefix else str(key)
                walk(name or "body", below)
        elif isinstance(node, list):
            found[prefix or "body"] = " ".join(str(part) for part in node)
        else:
            found[prefix or "body"] = str(node)

    walk("", messages)
    return found
