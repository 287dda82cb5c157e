"""The OpenAPI document: generated from the routes and schemas, written to openapi-ci-api.yaml."""

import json
from typing import Any

import yaml
from apispec import APISpec
from flask_smorest import Api
from marshmallow import fields

from config import ROOT
from mod_api.application import PREFIX
from mod_api.schemas.attempts import ResultReportSchema
from mod_api.schemas.fields import Timestamp

COMMITTED = ROOT / "openapi-ci-api.yaml"
TITLE = "CCExtractor CI System API"
VERSION = "1.2.0"
DESCRIPTION = """\
The JSON API of the CCExtractor CI platform: runs of commits, their results, errors, outputs and
logs, and the runners that execute them. Opaque bearer tokens with scopes, strict input, rate
limits on every operation, one shape for every error."""

CONFIG: dict[str, Any] = {
    "API_TITLE": TITLE,
    "API_VERSION": VERSION,
    "OPENAPI_VERSION": "3.0.3",
    "API_SPEC_OPTIONS": {
        "info": {"description": DESCRIPTION},
        "servers": [{"url": PREFIX, "description": "This installation"}],
        "security": [{"bearerAuth": []}],
    },
}

RATE_HEADERS = {
    "X-RateLimit-Limit": "Maximum requests in the current window",
    "X-RateLimit-Remaining": "Requests remaining in the current window",
    "X-RateLimit-Reset": "Unix timestamp at which the window resets",
}
REQUEST_ID = "Names this request in our logs; a client's own X-Request-Id is kept"
HEADERS = {
    name: {"description": text, "schema": {"type": "integer"}}
    for name, text in RATE_HEADERS.items()
} | {"X-Request-Id": {"description": REQUEST_ID, "schema": {"type": "string"}}}
RETRY_AFTER = {"description": "Seconds to wait before retrying", "schema": {"type": "integer"}}
CHALLENGE = {"description": "How to authenticate (RFC 6750)", "schema": {"type": "string"}}


def describe(api: Api) -> None:
    """Add to the specification what no single route declares."""
    api.register_field(Timestamp, "string", "date-time")
    api.ma_plugin.converter.add_attribute_function(_format_of_moment)
    # A body or a part of one, which is described by hand and refers to it.
    api.spec.components.schema("ResultReport", schema=ResultReportSchema)
    api.spec.components.security_scheme(
        "attemptCredential",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "opaque",
            "description": "The credential (`spca_...`) of one attempt, from POST /attempts.",
        },
    )
    # The last one: Swagger UI puts the cursor into the last field of its dialog.
    api.spec.components.security_scheme(
        "bearerAuth",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "opaque",
            "description": "An API token (`spci_...`) from POST /auth/tokens.",
        },
    )


def render(spec: APISpec) -> str:
    """The document as YAML, the same text every time."""
    document = spec.to_dict()
    paths = document["paths"]
    document["paths"] = {path: _finished(paths[path]) for path in sorted(paths)}
    document["paths"] = {
        path.removeprefix(PREFIX): item for path, item in document["paths"].items()
    }
    for part in ("schemas", "responses", "headers", "parameters"):
        if part in document["components"]:
            parts = document["components"][part]
            document["components"][part] = {name: parts[name] for name in sorted(parts)}
    _drop_unused(document)
    return yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True, width=100)


class Plain(yaml.SafeDumper):
    """YAML without anchors, and with the words that YAML 1.1 takes for truth values quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _finished(item: dict[str, Any]) -> dict[str, Any]:
    """Every operation with the headers of every response and the default error."""
    for method, operation in item.items():
        if method == "parameters":
            continue
        responses = operation.setdefault("responses", {})
        responses.pop("422", None) if "422" in responses and _is_webargs(responses["422"]) else None
        responses.setdefault("400", _error("Bad Request"))  # a parameter that nobody knows
        responses["default"] = _error("Unexpected error")
        _say_who_may(operation)
        for status, response in responses.items():
            response.setdefault("headers", {}).update(HEADERS)
            if str(status) in ("429", "503"):
                response["headers"]["Retry-After"] = RETRY_AFTER
            if str(status) == "401":
                response["headers"]["WWW-Authenticate"] = CHALLENGE
    return item


def _say_who_may(operation: dict[str, Any]) -> None:
    """Say in an operation's description what its extensions say to programs."""
    told = []
    if "x-required-scope" in operation:
        told.append(f"scope `{operation['x-required-scope']}`")
    if "x-required-roles" in operation:
        roles = ", ".join(operation["x-required-roles"])
        told.append(f"role {roles}" + (" or one's own" if "x-own-resource" in operation else ""))
    if told:
        needs = f"Needs {'; '.join(told)}."
        described = operation.get("description", "").rstrip()
        if needs not in described:  # the specification may be rendered more than once
            operation["description"] = f"{described}\n\n{needs}" if described else needs


def _is_webargs(response: dict[str, Any]) -> bool:
    return "$ref" in response


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ErrorResponse"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _drop_unused(document: dict[str, Any]) -> None:
    """Components that flask-smorest adds and nothing refers to."""
    for part in ("responses", "headers", "parameters"):
        parts = document["components"].get(part, {})
        text = json.dumps(document)
        document["components"][part] = {
            name: value for name, value in parts.items() if f"#/components/{part}/{name}" in text
        }
        if not document["components"][part]:
            del document["components"][part]


def _format_of_moment(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    return {"format": "date-time"} if isinstance(field, Timestamp) else {}
