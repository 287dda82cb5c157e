"""Claims: a runner takes the next run or job, and waits for one if asked to."""

import itertools
import time
from typing import Any

from config import Settings
from database import reading
from mod_api.services import attempts, job_attempts
from mod_api.services.waiting import POLL_SECONDS, wait_for
from mod_auth.tokens import Caller
from mod_sample.storage import Repository

# With `job_attempts.GLANCE_SECONDS` a waiting runner begins well within 200 ms of a submission.
LOOK_SECONDS = 0.05
# Counts the claims of this process for both kinds.
_turns = itertools.count()


def claim(
    *,
    by: Caller,
    settings: Settings,
    repository: Repository,
    api: str,
    platform: str,
    runner_name: str,
    wait: int,
    kinds: list[str],
) -> dict[str, Any] | None:
    """The next piece of work of these kinds; None when none comes in `wait` seconds.

    Of both kinds each is tried first in turn, so that neither waits behind the other's queue.
    Raises Unauthorized and Forbidden as the caller's token reads now, also for a blocked account,
    and Unavailable when too many wait.
    """
    runs_at = 0.0

    def take() -> dict[str, Any] | None:
        for kind in _in_turn(kinds):
            if kind == "run":
                taken = attempts.claim(
                    by, settings, repository, api, platform=platform, runner_name=runner_name
                )
            else:
                taken = job_attempts.claim(by, settings, api, runner_name=runner_name)
            if taken is not None:
                return taken
        return None

    def some_wait() -> bool:
        nonlocal runs_at
        if "job" in kinds and job_attempts.some_wait(settings):
            return True
        # Runs are looked for as seldom as by those who wait for nothing else.
        if "run" not in kinds or time.monotonic() < runs_at:
            return False
        if "job" in kinds:
            runs_at = time.monotonic() + POLL_SECONDS
        with reading():
            return attempts.some_wait(platform, settings)

    taken = take()
    if taken is None and wait:
        taken = wait_for(
            lambda: take() if some_wait() else None,
            wait,
            most=settings.max_waiters,
            pause=LOOK_SECONDS if "job" in kinds else POLL_SECONDS,
        )
    return taken


def _in_turn(kinds: list[str]) -> list[str]:
    if len(kinds) > 1 and next(_turns) % 2:
        return kinds[::-1]
    return kinds
