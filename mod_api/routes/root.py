"""The index: what answers here, and where everything is. Also at the root of the host."""

from html import escape
from typing import Any

from flask import Blueprint, Response, jsonify, request

from mod_api.application import base_url
from mod_api.document import TITLE, VERSION
from mod_api.middleware import limits, parsing
from mod_api.schemas.system import IndexSchema

LINKS = {
    "self": "",
    "docs": "/docs",
    "openapi_yaml": "/openapi.yaml",
    "openapi_json": "/openapi.json",
    "health": "/system/health",
}
LABELS = {
    "docs": "Documentation of every operation, to read and to try",
    "openapi_yaml": "The OpenAPI document (YAML)",
    "openapi_json": "The OpenAPI document (JSON)",
    "health": "Health",
}

CONTENT = {
    "application/json": {"schema": IndexSchema},
    "text/html": {"schema": {"type": "string"}},
}

bp = Blueprint("root", __name__)


@bp.before_request
def count() -> None:
    limits.check()
    parsing.no_query()


@bp.get("/")
def get_root() -> Response:
    """Answer as `/api/v1` does."""
    return index()


def index() -> Response:
    """The index as JSON, or as a page for who prefers HTML."""
    base = base_url()
    told: dict[str, Any] = {
        "name": TITLE,
        "version": VERSION,
        "links": {name: base + path for name, path in LINKS.items()},
    }
    offered = ["application/json", "text/html"]
    if request.accept_mimetypes.best_match(offered, default="application/json") == "text/html":
        response = Response(_page(told["links"]), mimetype="text/html")
    else:
        response = jsonify(told)
    response.vary.add("Accept")
    return response


def _page(links: dict[str, str]) -> str:
    items = "\n".join(
        f'<li><a href="{escape(links[name])}">{label}</a></li>' for name, label in LABELS.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
</head>
<body>
<h1>{TITLE} {VERSION}</h1>
<ul>
{items}
</ul>
</body>
</html>
"""
