"""What is done once an answer is sent, where the server closes answers then: nobody waits for it.

Other servers may close late, or never: there it is done before. The answer is made by then, so that
what fails is told to the log only.
"""

import functools
from collections.abc import Callable

import structlog
from flask import Response, request

from database import log_failure

log = structlog.get_logger("once_sent")
# In the WSGI environ of a server that closes a response after sending it: no client waits for what
# happens on close.
CLOSES_ONCE_SENT = "platform.closes_once_sent"


def do(work: Callable[[], None], response: Response) -> None:
    """Do `work` once `response` is sent, in another thread; before where that may take long, since
    its body is not all there."""
    if CLOSES_ONCE_SENT in request.environ and response.is_sequence:
        response.call_on_close(functools.partial(attempt, work))
    else:
        attempt(work)


def attempt(work: Callable[[], None]) -> None:
    """Do it now. Raises nothing."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  other work must not be lost with it
        log_failure(log, "not_done_after_an_answer", error)
