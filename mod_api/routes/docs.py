"""The OpenAPI document and its page, which loads nothing from outside.

All of it is the same as long as the process runs and is asked for without a token: each body is
made once, compressed once and served from memory.
"""

import json
from pathlib import Path
from urllib.parse import urlsplit

import flask_swagger_ui
import yaml
from flask import Blueprint, Response

from mod_api.application import PREFIX, base_url
from mod_api.document import COMMITTED, TITLE
from mod_api.middleware import limits, parsing
from mod_api.middleware.kept import PNG, Kept

bp = Blueprint("docs", __name__)

ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
# Swagger UI styles elements from its scripts and draws its icons as data URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{base}/docs/favicon-32x32.png">
<link rel="stylesheet" href="{base}/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-document="{base}/openapi.json"></div>
<script src="{base}/docs/swagger-ui-bundle.js"></script>
<script src="{base}/docs/start.js"></script>
</body>
</html>
"""
START = """window.addEventListener("load", () => SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  persistAuthorization: true,
  showExtensions: true,
  validatorUrl: null,
}));
"""


def _as_json() -> bytes:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C wherever libyaml is
    document = yaml.load(COMMITTED.read_bytes(), Loader=loader)  # noqa: S506  a safe one
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


ASSET_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": PNG,
}
FILES = {name: Kept((ASSETS / name).read_bytes, kind) for name, kind in ASSET_TYPES.items()}
FILES["start.js"] = Kept(START.encode, "text/javascript; charset=utf-8")
YAML = Kept(COMMITTED.read_bytes, "application/yaml")
JSON = Kept(_as_json, "application/json")


@bp.before_request
def count() -> None:
    parsing.no_query()
    limits.check()


@bp.get("/docs")
def page() -> Response:
    """The API's reference page."""
    base = urlsplit(base_url()).path or PREFIX
    response = Response(PAGE.format(title=TITLE, base=base), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@bp.get("/docs/<any({}):name>".format(", ".join(f"'{name}'" for name in FILES)))
def asset(name: str) -> Response:
    """A file of the page."""
    return FILES[name].answer()


@bp.get("/openapi.yaml")
def document() -> Response:
    """The OpenAPI document, as committed."""
    return YAML.answer()


@bp.get("/openapi.json")
def document_as_json() -> Response:
    """The OpenAPI document as JSON."""
    return JSON.answer()
