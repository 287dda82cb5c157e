"""The document and its page, which loads nothing from outside."""

import functools
from pathlib import Path

import swagger_ui
import yaml
from flask import Blueprint, Response, jsonify, send_from_directory

from mod_api.document import COMMITTED
from mod_api.middleware import limits, parsing
from mod_api.middleware.headers import PREFIX

bp = Blueprint("docs", __name__)

ASSETS = Path(swagger_ui.__file__).parent / "static"
FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
# Swagger UI styles elements from its scripts and draws its icons as data URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CI platform API</title>
<link rel="icon" href="{PREFIX}/docs/favicon-32x32.png">
<link rel="stylesheet" href="{PREFIX}/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{PREFIX}/docs/swagger-ui-bundle.js"></script>
<script src="{PREFIX}/docs/start.js"></script>
</body>
</html>
"""
START = f"""window.addEventListener("load", () => SwaggerUIBundle({{
  url: "{PREFIX}/openapi.yaml",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
}}));
"""


@functools.cache
def committed() -> str:
    """The text of the committed document, read once."""
    return COMMITTED.read_text(encoding="utf-8")


@bp.before_request
def count() -> None:
    parsing.no_query()
    limits.check()


@bp.get("/docs")
def page() -> Response:
    """The API's reference page."""
    response = Response(PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@bp.get("/docs/start.js")
def start() -> Response:
    """What starts the page."""
    return Response(START, mimetype="text/javascript")


@bp.get("/docs/<any({}):name>".format(", ".join(f"'{name}'" for name in FILES)))
def asset(name: str) -> Response:
    """Swagger UI's own files."""
    return send_from_directory(ASSETS, name, max_age=86400)


@bp.get("/openapi.yaml")
def document() -> Response:
    """The OpenAPI document, as committed."""
    return Response(committed(), mimetype="application/yaml")


@bp.get("/openapi.json")
def document_as_json() -> Response:
    """The OpenAPI document as JSON."""
    return jsonify(yaml.safe_load(committed()))
