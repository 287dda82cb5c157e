"""The existing workers' endpoint, beside the API: plain text answers, a token in the path."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, Response, g, request

from mod_api import application
from mod_api.middleware import limits, parsing
from mod_api.middleware.limits import Rate
from mod_api.middleware.parsing import LARGEST_ID
from mod_ci import workers

# A worker's last message may be a traceback of any length; refused, it would come again and again.
LARGEST_MESSAGE = 16 * 1024 * 1024

URLENCODED = "application/x-www-form-urlencoded"

bp = Blueprint("workers", __name__)


@bp.post("/progress-reporter/<run_id>/<token>")
def progress_reporter(run_id: str, token: str) -> Response:
    """Take one post of an existing worker (docs/existing-platform.md)."""
    is_id = re.fullmatch("[0-9]{1,10}", run_id) is not None and int(run_id) <= LARGEST_ID
    if not is_id or not workers.is_open(int(run_id), token):
        limits.check(Rate.runner)
        return _plain(workers.Answer.FAIL)
    g.rate_key = f"worker:{int(run_id)}"
    limits.check(Rate.runner)
    settings = application.settings()
    request.max_content_length = settings.max_upload
    request.max_form_memory_size = LARGEST_MESSAGE
    form = _urlencoded() if request.mimetype == URLENCODED else request.form
    upload = request.files.get("file")
    answer = workers.receive(
        int(run_id),
        token,
        form,
        upload.stream if upload and upload.filename else None,
        repository=application.repository(),
        limit=settings.max_upload,
    )
    return _plain(answer)


def _urlencoded() -> Mapping[str, str]:
    """The fields of an urlencoded form, the first of each name.

    Workers put messages into it as they are. The framework gives up the whole form for one byte
    that is not UTF-8; here such a byte is replaced.
    """
    request.max_content_length = LARGEST_MESSAGE
    text = parsing.whole_body().decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        fields.setdefault(name, value)
    return fields


def _plain(answer: workers.Answer) -> Response:
    return Response(answer.value, mimetype="text/plain")
