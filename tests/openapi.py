"""Every answer that a test's client gets is held against the generated document.

The status must be documented for its operation, the body must have the documented schema and no
property beyond it, and what is no operation of the document must be an error in the one shape.
"""

import functools
import re
from typing import Any

import yaml
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.test import TestResponse

from mod_api.application import PREFIX
from mod_api.contract_texts import operations, resolved
from mod_api.document import ERRORS, render

ERROR = {"$ref": "#/components/schemas/ErrorResponse"}
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
# What an operation answers in place of JSON to those who ask for it.
OTHER_FORMS = ("text/markdown", "text/plain")
SECURITY_HEADERS = ("X-Content-Type-Options", "Content-Security-Policy", "X-Request-Id")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)

formats = FormatChecker(formats=())


@formats.checks("date-time")
def is_moment(value: object) -> bool:
    """Times are written in one way only: UTC, milliseconds, `Z`."""
    return not isinstance(value, str) or MOMENT.fullmatch(value) is not None


class Document:
    """The document of an application, ready to judge answers."""

    def __init__(self, app: Flask) -> None:
        self.document = read(render(app.extensions["openapi"]))
        self.schemas = {
            name: strict(schema) for name, schema in self.document["components"]["schemas"].items()
        }
        self.operations = [
            (_pattern(path), path.count("{"), method.upper(), operation)
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        ]

    @functools.cached_property
    def error(self) -> Draft202012Validator:
        return self.validator(ERROR)

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        whole = {**strict(schema), "components": {"schemas": self.schemas}}
        return Draft202012Validator(whole, format_checker=formats)

    def codes_of(self, method: str, path: str, status: int) -> set[str]:
        """The error codes that an operation may answer with this status."""
        name = str(status)
        standard = {"405": {"method_not_allowed"}, "500": {"internal_error"}}
        codes = {*standard.get(name, ()), ERRORS.get(name, ERRORS["default"])[1]}
        operation = self.operation(method, path)
        return codes | set((operation or {}).get("x-error-codes", {}).get(name, ()))

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The operation that a request meets: the one with the fewest parameters in its path."""
        matching = [
            (holes, operation)
            for pattern, holes, of, operation in self.operations
            if of == method and pattern.fullmatch(path)
        ]
        return min(matching, key=lambda pair: pair[0])[1] if matching else None

    @functools.cache  # noqa: B019  there is one document in a process
    def schema_of(self, method: str, path: str, status: int) -> Any:
        """The validator of a JSON answer; None where none is documented, False for no operation.

        Raises AssertionError for a status that its operation does not document.
        """
        operation = self.operation(method, path)
        if operation is None:
            return False
        responses = operation["responses"]
        name = str(status)
        # What any operation may answer is not repeated at each: the default error.
        assert name in responses or status in (405, 500, 503), (
            f"{method} {path} answered {status}, which is not documented"
        )
        content = responses.get(name, responses["default"]).get("content", {})
        if "application/json" not in content:
            return None
        return self.validator(content["application/json"]["schema"])

    def check(self, response: TestResponse) -> None:
        """Raises AssertionError when an answer is not as documented."""
        method, path = response.request.method, response.request.path
        if not path.startswith(PREFIX) or method == "OPTIONS":
            return
        for name in SECURITY_HEADERS:
            assert name in response.headers, f"{method} {path}: no {name}"
        if response.status_code == 401:
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        found = self.schema_of(
            "GET" if method == "HEAD" else method, path.removeprefix(PREFIX), response.status_code
        )
        if found is False and response.status_code < 400:
            return  # the documentation page, which is no operation
        if method == "HEAD" or response.mimetype in OTHER_FORMS:
            return
        if found is None:
            assert not response.is_json, f"{method} {path}: undocumented JSON"
            return
        told = response.get_json()
        (found or self.error).validate(told)
        if response.status_code >= 400 and "code" in told:
            self.error.validate(told)
            known = self.codes_of(method, path.removeprefix(PREFIX), response.status_code)
            assert told["code"] in known, f"{method} {path}: undocumented code {told['code']}"


def read(text: str) -> dict[str, Any]:
    """A document, its operations with their shared parameters and responses put in.

    Parsed in C: in Python it takes seconds.
    """
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    for _, _, operation in operations(found):
        operation["parameters"] = [
            resolved(parameter, found) for parameter in operation.get("parameters", [])
        ]
        operation["responses"] = {
            status: resolved(response, found) for status, response in operation["responses"].items()
        }
    return found


def strict(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema, closed to properties that it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items() if key != "nullable"}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found:
        found["additionalProperties"] = False
    if schema.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, _without_null(found)]}
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {**schema, "enum": [value for value in schema["enum"] if value is not None]}
    return schema


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path)))


_made: list[Document] = []


def document_of(app: Flask) -> Document:
    """The document, the same for every application of a process: made once."""
    if not _made:
        _made.append(Document(app))
    return _made[0]


class CheckedClient(FlaskClient):
    """A test client whose every answer is as documented, or the test fails.

    `checks` may be turned off where other programs wrote what the document excludes.
    """

    checks = True

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        if self.checks:
            document_of(self.application).check(response)
        return response
