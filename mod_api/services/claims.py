"""Claims: a runner takes the next run or job, and waits for one if asked to."""

from typing import Any

from config import Settings
from database import reading
from mod_api.services import attempts, job_attempts
from mod_api.services.waiting import wait_for
from mod_auth.tokens import Caller
from mod_sample.storage import Repository

# A waiting runner begins within 200 ms of a submission: both clocks of a look are well below it.
LOOK_SECONDS = 0.15


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

    Of both kinds the one that is named first is tried first: a runner that names them by turns lets
    neither wait behind the other. Raises Unauthorized and Forbidden as the caller's token reads
    now, also for a blocked account, and Unavailable when too many wait.
    """

    def take() -> dict[str, Any] | None:
        for kind in kinds:
            if kind == "run":
                taken = attempts.claim(
                    by, settings, repository, api, platform=platform, runner_name=runner_name
                )
            else:
                taken = job_attempts.claim(by, settings, api, runner_name=runner_name)
            if taken is not None:
                return taken
        return None

    def look() -> dict[str, Any] | None:
        with reading():
            some_wait = ("run" in kinds and attempts.some_wait(platform, settings)) or (
                "job" in kinds and job_attempts.some_wait(settings)
            )
        return take() if some_wait else None

    taken = take()
    if taken is None and wait:
        pause = LOOK_SECONDS if "job" in kinds else None
        taken = wait_for(look, wait, most=settings.max_waiters, pause=pause)
    return taken
