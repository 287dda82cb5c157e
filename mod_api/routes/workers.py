"""The existing workers' endpoint, beside the API: plain text answers, a token in the path."""

import re

from flask import Blueprint, Response, g, request

from mod_api import application
from mod_api.middleware import limits
from mod_api.middleware.ids import LARGEST_ID
from mod_api.middleware.limits import Rate
from mod_ci import workers

# A worker's last message may be a traceback of any length; refused, it would come again and again.
LARGEST_MESSAGE = 16 * 1024 * 1024

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
    upload = request.files.get("file")
    answer = workers.receive(
        int(run_id),
        token,
        request.form,
        upload.stream if upload and upload.filename else None,
        repository=application.repository(),
        limit=settings.max_upload,
    )
    return _plain(answer)


def _plain(answer: workers.Answer) -> Response:
    return Response(answer.value, mimetype="text/plain")
