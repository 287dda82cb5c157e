"""What is done once an answer is sent, where the server closes answers then: nobody waits for it.

Other servers may close late, or never: there it is done before.
"""

from collections.abc import Callable

from flask import Response, request

from mod_api.streaming.environ import CLOSES_ONCE_SENT


def do(work: Callable[[], None], response: Response) -> None:
    """Do `work` once `response` is sent, in another thread; before where that may take long, since
    its body is not all there."""
    if CLOSES_ONCE_SENT in request.environ and response.is_sequence:
        response.call_on_close(work)
    else:
        work()
