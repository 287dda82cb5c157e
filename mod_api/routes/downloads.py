"""Downloads: what the addresses in other answers open, without a token and for a few minutes."""

from typing import Any

from flask import Response

from mod_api.middleware.auth import open_to_all
from mod_api.middleware.files import UNCHANGED, send, shelf
from mod_api.middleware.resource import Resource
from mod_api.services.outputs import downloads, unified_diff
from mod_api.services.outputs.file_names import content_type_of
from mod_sample.storage import attachment

bp = Resource(
    "Downloads", __name__, url_prefix="/downloads", description="Files, by addresses that expire"
)
FILE = "application/octet-stream"


@bp.get("/<string:sealed>")
@open_to_all()
@bp.response(200, content_type=FILE, description="The file", unit=False)
@bp.alt_response(206, description="One range of the file")
@bp.alt_response(304, description=UNCHANGED)
@bp.fails(400, 404, 416, 429, 503)
@bp.codes({404: "link_expired"})
def download_file(sealed: str) -> Any:
    """Fetch a file by an address from a `download_url`; ranges are taken."""
    files = shelf()
    found = downloads.opened(sealed, files.signing_key)
    if found.actual_key is None:
        return send(
            files.repository, found.key, found.filename,
            content_type=content_type_of(found.filename),
        )  # fmt: skip
    text = unified_diff.text(files.repository, found.key, found.actual_key)
    response = Response(text, content_type="text/x-diff; charset=utf-8")
    response.headers["Content-Disposition"] = attachment(found.filename)
    return response
