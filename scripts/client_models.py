"""Make the client's models from the OpenAPI document; `python -m scripts.openapi` writes them.

A model is a class for each object that an answer has (clients/python/ccextractor_ci/records.py):
its fields as annotations, which type checkers and editors read, and which of them are records or
times.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config import ROOT

MODELS = ROOT / "clients" / "python" / "ccextractor_ci" / "models.py"
HEAD = '''"""The objects in answers of the API. Made by `make openapi`: do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ccextractor_ci.records import Record
'''
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
REFERENCE = "#/components/schemas/"


def write(document: dict[str, Any], path: Path = MODELS) -> None:
    """Write the models of `document`, the OpenAPI document, to `path`."""
    path.write_text(render(document), encoding="utf-8")


def render(document: dict[str, Any]) -> str:
    """The module's text: one class for each schema that an answer has, by name."""
    schemas = document["components"]["schemas"]
    names = sorted(_answered(document, schemas))
    parts = [HEAD, *(_class(name, schemas[name]) for name in names)]
    # What a class contains may stand behind it, so it is named once all are there.
    contained = [
        f"{name}._records = {{{', '.join(f'{field!r}: {kind}' for field, kind in records)}}}"
        for name in names
        if (records := _records(schemas[name], schemas).items())
    ]
    return (
        "\n\n".join(parts).replace("'", '"')
        + "\n\n\n"
        + "\n".join(contained).replace("'", '"')
        + "\n"
    )


def _answered(document: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """The names of all schemas that an answer of JSON has, directly or within."""
    waiting = [
        name
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for status, response in operation.get("responses", {}).items()
        if status.startswith("2")
        for name in _named(response)
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named(schemas[name])
    return {name for name in found if schemas[name].get("type") == "object"}


def _named(value: object) -> Iterator[str]:
    """The schemas that `value`, a part of the document, refers to."""
    if isinstance(value, dict):
        reference = value.get("$ref", "")
        if isinstance(reference, str) and reference.startswith(REFERENCE):
            yield reference.removeprefix(REFERENCE)
        for part in value.values():
            yield from _named(part)
    elif isinstance(value, list):
        for part in value:
            yield from _named(part)


def _class(name: str, schema: dict[str, Any]) -> str:
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    times = sorted(field for field, part in properties.items() if _is_time(part))
    lines = ["", f"class {name}(Record):", "    __slots__ = ()"]
    lines.append(f"    _fields = frozenset({_literal(sorted(properties))})")
    if times:
        lines.append(f"    _times = frozenset({_literal(times)})")
    lines += [
        f"    {field}: {_type(part, field in required)}" for field, part in properties.items()
    ]
    return "\n".join(lines)


def _literal(names: list[str]) -> str:
    return f"[{', '.join(repr(name) for name in names)}]"


def _is_time(part: dict[str, Any]) -> bool:
    return part.get("format") == "date-time"


def _records(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, str]:
    """The class of each field that holds records, or a list of them."""
    found = {}
    for field, part in schema.get("properties", {}).items():
        kind = _reference(part) or _reference(part.get("items", {}))
        if kind and schemas[kind].get("type") == "object":
            found[field] = kind
    return found


def _reference(part: dict[str, Any]) -> str | None:
    """The schema that `part` is, itself or as its first alternative; None where it is none."""
    if "$ref" in part:
        return str(part["$ref"].removeprefix(REFERENCE))
    for choice in ("allOf", "anyOf", "oneOf"):
        for alternative in part.get(choice, ()):
            if "$ref" in alternative:
                return str(alternative["$ref"].removeprefix(REFERENCE))
    return None


def _type(part: dict[str, Any], is_required: bool = True) -> str:
    """The Python type of a field."""
    alternatives = part.get("anyOf", ()) or part.get("oneOf", ())
    may_be_null = part.get("nullable") or any(choice.get("nullable") for choice in alternatives)
    kind = _plain_type(part)
    if (may_be_null or not is_required) and kind != "Any":
        kind += " | None"
    return kind


def _plain_type(part: dict[str, Any]) -> str:
    if reference := _reference(part):
        return reference
    values = [value for value in part.get("enum", ()) if value is not None]
    if values:
        return f"Literal[{', '.join(repr(value) for value in values)}]"
    kind = part.get("type")
    if kind == "array":
        return f"list[{_type(part.get('items', {}))}]"
    if kind == "object":
        return "dict[str, Any]"
    if _is_time(part):
        return "datetime"
    return PLAIN.get(kind or "", "Any")
