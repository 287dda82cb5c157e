"""The OpenAPI document: generated from the routes and schemas, written to openapi-ci-api.yaml."""

import json
from collections import Counter
from http import HTTPStatus
from typing import Any

import yaml
from apispec import APISpec
from flask_smorest import Api
from marshmallow import fields

from config import ROOT
from mod_api import contract_texts
from mod_api.application import PREFIX
from mod_api.contract_texts import operations
from mod_api.schemas.attempts import ResultReportSchema
from mod_api.schemas.fields import Timestamp
from mod_api.schemas.jobs import JobRequestSchema

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
        "info": {
            "description": DESCRIPTION,
            "license": {"name": "ISC", "url": "https://opensource.org/license/isc-license-txt"},
        },
        "servers": [{"url": PREFIX, "description": "This installation"}],
        "security": [{"bearerAuth": []}],
    },
}

Node = dict[str, Any]
# Components by the header's name, to which each response refers. The contract has the first three.
RATE_HEADERS = {
    "X-RateLimit-Limit": "RateLimitLimit",
    "X-RateLimit-Remaining": "RateLimitRemaining",
    "X-RateLimit-Reset": "RateLimitReset",
}
OWN_HEADERS: Node = {
    "X-Request-Id": {
        "description": "Names this request in our logs; a client's own X-Request-Id is kept",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before retrying",
        "schema": {"type": "integer", "example": 30},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750)",
        "schema": {"type": "string"},
    },
}
ON_EVERY_RESPONSE = (*RATE_HEADERS, "X-Request-Id")
ON_STATUS = {"429": ["Retry-After"], "503": ["Retry-After"], "401": ["WWW-Authenticate"]}
# An error's component by its status, and the code that every operation may answer with.
ERRORS: dict[str, tuple[str, str, str]] = {
    "400": ("BadRequest", "validation_error", "The request is not valid"),
    "401": ("Unauthorized", "unauthorized", "The token is missing, expired or invalid"),
    "403": ("Forbidden", "forbidden", "The token lacks the scope, or its owner the role"),
    "404": ("NotFound", "not_found", "There is no such thing"),
    "409": ("Conflict", "conflict", "The state of things has moved on"),
    "413": ("PayloadTooLarge", "payload_too_large", "More bytes than are allowed"),
    "415": ("UnsupportedMediaType", "unsupported_media_type", "Another content type is needed"),
    "416": ("RangeNotSatisfiable", "range_not_satisfiable", "No such range or offset"),
    "422": ("UnprocessableEntity", "unprocessable", "Well-formed, and still impossible"),
    "429": ("RateLimited", "rate_limited", "Too many requests"),
    "503": ("Unavailable", "unavailable", "The service cannot take this now"),
    "default": ("Error", "internal_error", "Unexpected error"),
}


def describe(api: Api) -> None:
    """Add to the specification what no single route declares."""
    api.register_field(Timestamp, "string", "date-time")
    api.ma_plugin.converter.add_attribute_function(_format_of_moment)
    # A body or a part of one, which is described by hand and refers to it.
    api.spec.components.schema("ResultReport", schema=ResultReportSchema)
    api.spec.components.schema("JobRequest", schema=JobRequestSchema)
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
    document = json.loads(json.dumps(spec.to_dict()))  # the specification stays as it is
    document["paths"] = {
        path.removeprefix(PREFIX): document["paths"][path] for path in sorted(document["paths"])
    }
    agreed = contract_texts.read()["components"]["headers"]
    document["components"]["headers"] = OWN_HEADERS | {
        name: agreed[component] for name, component in RATE_HEADERS.items()
    }
    document["components"]["responses"] = {
        name: _error(status) for status, (name, _, _) in ERRORS.items()
    }
    for path, _, operation in operations(document):
        _finish(operation, document["paths"][path].get("parameters", []))
    for item in document["paths"].values():
        item.pop("parameters", None)
    contract_texts.add_to(document)
    for _, _, operation in operations(document):
        _say_who_may(operation)
        _say_codes(operation)
    _share_parameters(document)
    _drop_unused_schemas(document)
    for part in ("schemas", "responses", "headers", "parameters"):
        parts = document["components"][part]
        document["components"][part] = {name: parts[name] for name in sorted(parts)}
    return yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True, width=100)


class Plain(yaml.SafeDumper):
    """YAML without anchors, and with the words that YAML 1.1 takes for truth values quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _finish(operation: Node, of_path: list[Node]) -> None:
    """Give an operation its path's parameters, and its responses their headers and components."""
    if of_path:
        operation["parameters"] = [*of_path, *operation.get("parameters", [])]
    responses = operation.setdefault("responses", {})
    if "$ref" in responses.get("422", {}):
        del responses["422"]  # webargs' own, which no operation of ours answers
    responses.setdefault("400", {"description": "Bad Request"})  # a parameter that nobody knows
    responses["default"] = {"description": HTTPStatus(500).phrase}
    for status, response in responses.items():
        if status in ERRORS and not _is_special(status, response):
            responses[status] = {"$ref": f"#/components/responses/{ERRORS[status][0]}"}
        else:
            response.setdefault("headers", {}).update(_headers(status))


def _is_special(status: str, response: Node) -> bool:
    """Return whether an error has a body or a description of its own."""
    if status == "default":
        return False
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    has_own_body = not schema.get("$ref", "/ErrorResponse").endswith("/ErrorResponse")
    return has_own_body or response["description"] != HTTPStatus(int(status)).phrase


def _headers(status: str) -> Node:
    names = [*ON_EVERY_RESPONSE, *ON_STATUS.get(status, [])]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _error(status: str) -> Node:
    """The component of an error: the contract's description and example, where it has one."""
    name, code, text = ERRORS[status]
    agreed = contract_texts.read()["components"]["responses"].get(name, {})
    content = agreed.get("content", {}).get("application/json", {})
    example = content.get("example", {"code": code, "message": f"{text}.", "details": {}})
    return {
        "description": agreed.get("description", text),
        "headers": _headers(status),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                "example": example,
            }
        },
    }


def _say_who_may(operation: Node) -> None:
    """Say in an operation's description what its extensions say to programs."""
    told = []
    if "x-required-scope" in operation:
        told.append(f"scope `{operation['x-required-scope']}`")
    if "x-required-roles" in operation:
        roles = ", ".join(operation["x-required-roles"])
        told.append(f"role {roles}" + (" or one's own" if "x-own-resource" in operation else ""))
    if told:
        _add_paragraph(operation, f"Needs {'; '.join(told)}.")


def _say_codes(operation: Node) -> None:
    """Name the error codes beyond those that stand for a status (`x-error-codes`)."""
    codes = operation.get("x-error-codes", {})
    told = [
        f"{status} {', '.join(f'`{code}`' for code in codes[status])}" for status in sorted(codes)
    ]
    if told:
        _add_paragraph(operation, f"Error codes: {'; '.join(told)}.")


def _add_paragraph(operation: Node, text: str) -> None:
    described = operation.get("description", "").rstrip()
    operation["description"] = f"{described}\n\n{text}" if described else text


def _share_parameters(document: Node) -> None:
    """Make a component of each parameter that several operations have in the same form."""
    shared = document["components"].setdefault("parameters", {})
    shared.clear()
    forms = Counter(
        json.dumps(parameter, sort_keys=True)
        for _, _, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if "$ref" not in parameter
    )
    names: dict[str, str] = {}
    for form, count in sorted(forms.items(), key=lambda item: (-item[1], item[0])):
        name = "".join(part.title() for part in json.loads(form)["name"].split("_"))
        if count > 1 and name not in shared:
            shared[name], names[form] = json.loads(form), name
    for _, _, operation in operations(document):
        operation["parameters"] = [
            {"$ref": f"#/components/parameters/{names[form]}"} if form in names else parameter
            for parameter in operation.get("parameters", [])
            for form in [json.dumps(parameter, sort_keys=True)]
        ]
        if not operation["parameters"]:
            del operation["parameters"]


def _drop_unused_schemas(document: Node) -> None:
    """Drop the schemas that flask-smorest adds and nothing refers to, and what only they name."""
    schemas = document["components"]["schemas"]
    while True:
        text = json.dumps(document)
        unused = [name for name in schemas if f'"#/components/schemas/{name}"' not in text]
        if not unused:
            return
        for name in unused:
            del schemas[name]


def _format_of_moment(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    return {"format": "date-time"} if isinstance(field, Timestamp) else {}
