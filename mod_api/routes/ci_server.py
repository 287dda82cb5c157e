"""The original job server's surface, at the root of the host (docs/jobs-original-interface.md).

Its clients send no token; who may do without one is decided here, and nowhere else.
"""

import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, jsonify, request

from database import reading, written
from errors import Invalid, Unauthorized
from mod_api import application
from mod_api.middleware import limits
from mod_api.middleware.auth import authenticate
from mod_api.middleware.limits import Rate
from mod_api.routes.jobs import archive_of_request
from mod_api.routes.logs import streamed
from mod_api.schemas.fields import rfc3339
from mod_api.services.jobs import actions, job_logs, jobs, original, submission
from mod_api.services.jobs.submission import Wish
from mod_auth import accounts
from mod_auth.accounts import Account
from mod_auth.scopes import Scope

bp = Blueprint("ci_server", __name__)
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
EVENT_ID = re.compile("end|[0-9]{1,10}")


@bp.post("/submit")
def submit() -> Response:
    """Submit a project; the answer is its log, to the end."""
    return _submitted(tells_id=False)


@bp.post("/submit-stream")
def submit_stream() -> Response:
    """As `/submit`, after an event with the job's id."""
    return _submitted(tells_id=True)


@bp.post("/submit-async")
def submit_async() -> Response:
    """Submit a project; the answer is the job's id."""
    by, _ = _caller(Scope.JOBS_WRITE, Rate.submit)
    return jsonify({"job_id": _submit(by)})


@bp.get("/jobs/<job_id>/stream")
def stream_job(job_id: str) -> Response:
    """Follow a job's log: all of it with `from_beginning`, else only what comes."""
    by, token_id = _caller(Scope.JOBS_READ, Rate.read)
    given = request.args.get("from_beginning", "false").lower()
    if given not in TRUTHS:
        raise Invalid.fields(from_beginning="Must be true or false.")
    last_event_id = request.headers.get("Last-Event-ID")
    if last_event_id is not None and not EVENT_ID.fullmatch(last_event_id):
        raise Invalid.fields(**{"Last-Event-ID": "Is no id of an event of this log."})
    return _followed(by, token_id, job_id, TRUTHS[given], last_event_id=last_event_id)


@bp.get("/jobs/<job_id>")
def get_job(job_id: str) -> Response:
    """Get a job."""
    by, _ = _caller(Scope.JOBS_READ, Rate.read)
    with reading():
        return jsonify(_shown(jobs.find(job_id, by, application.settings())))


@bp.get("/jobs")
def list_jobs() -> Response:
    """List jobs, the newest first: at most 1,000, with a `Link` to those before them."""
    by, _ = _caller(Scope.JOBS_READ, Rate.read)
    limit = request.args.get("limit", str(original.MOST))
    status, before = request.args.get("status"), request.args.get("before")
    if not re.fullmatch("[0-9]{1,9}", limit) or not 1 <= int(limit) <= original.MOST:
        raise Invalid.fields(limit=f"Must be a whole number from 1 to {original.MOST}.")
    if status is not None and status not in original.STATUSES:
        raise Invalid.fields(status=f"Must be one of {', '.join(original.STATUSES)}.")
    settings = application.settings()
    with reading():
        rows = original.newest(by, settings, limit=int(limit), status=status, before=before)
    response = jsonify([_shown(row) for row in rows])
    if len(rows) == int(limit):
        more = f"&status={status}" if status else ""
        following = f"/jobs?limit={limit}&before={rows[-1].uuid}{more}"
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


@bp.delete("/jobs/<job_id>")
def cancel_job(job_id: str) -> tuple[Response, int]:
    """Cancel a job; one that has ended stays as it is."""
    by, _ = _caller(Scope.JOBS_WRITE, Rate.write)
    settings = application.settings()
    done = written(lambda: actions.cancel(job_id, by=by, settings=settings))
    return jsonify({"job_id": job_id, "status": done.status, "message": done.message}), 202


@bp.after_request
def add_detail(response: Response) -> Response:
    """Errors are told as everywhere, and once more where the original has them."""
    if response.status_code >= 400 and response.is_json:
        told = response.get_json()
        response.set_data(jsonify({**told, "detail": told["message"]}).get_data())
    return response


def _submitted(*, tells_id: bool) -> Response:
    by, token_id = _caller(Scope.JOBS_WRITE, Rate.submit)
    return _followed(by, token_id, _submit(by), True, tells_id=tells_id)


def _submit(by: Account) -> str:
    return submission.submit(
        by,
        archive_of_request(),
        Wish(),
        settings=application.settings(),
        repository=application.repository(),
    )


def _followed(
    by: Account,
    token_id: int | None,
    job_id: str,
    from_beginning: bool,
    *,
    last_event_id: str | None = None,
    tells_id: bool = False,
) -> Response:
    return streamed(
        lambda: job_logs.follow(
            job_id,
            by,
            app=application.current(),
            settings=application.settings(),
            repository=application.repository(),
            token_id=token_id,
            from_beginning=from_beginning,
            last_event_id=last_event_id,
            as_original=True,
            tells_id=tells_id,
        )
    )


def _shown(row: Any) -> dict[str, Any]:
    told = original.shown(row)
    for name in ("start_time", "end_time"):
        told[name] = rfc3339(told[name]) if told[name] else None
    return told


def _caller(scope: Scope, rate: Rate) -> tuple[Account, int | None]:
    """Whose request this is, and by which token, if by one.

    Raises Unauthorized, Forbidden, RateLimited.
    """
    if "Authorization" in request.headers:
        caller = authenticate()
        caller.need(scope)
        limits.check(rate)
        return caller.account, caller.token_id
    email = application.settings().local_jobs_account
    if email is None or not _is_local():
        raise Unauthorized
    with reading():
        account = accounts.find(email)
    if account is None or account.is_disabled:
        raise Unauthorized(f"LOCAL_JOBS_ACCOUNT names no account that is good: {email}.")
    g.rate_key = f"account:{account.id}"
    limits.check(rate)
    return account, None


def _is_local() -> bool:
    """Return whether a program on this machine asks, and not a web page through a browser.

    A browser sends a multipart form wherever a page wants it; it says so by `Origin` or
    `Sec-Fetch-Site`. A page whose host name was pointed at this machine has a foreign `Host`.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    origin = request.headers.get("Origin")
    return (
        _is_loopback(request.remote_addr or "")
        and (host == "localhost" or _is_loopback(host))
        and origin in (None, f"{request.scheme}://{request.host}")
        and request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
