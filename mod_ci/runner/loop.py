"""The runner's life: claim a run or a job, carry it out, claim the next."""

import logging
import queue
import stat
import threading
import time
from pathlib import Path

from mod_ci.runner.attempt import carry_out
from mod_ci.runner.cache import keep_within
from mod_ci.runner.claim import BadClaim, Claim, JobClaim
from mod_ci.runner.client import NoAnswer, Refused, pause_after, pauses
from mod_ci.runner.jobs.attempt import carry_out_job
from mod_ci.runner.options import Options
from mod_ci.runner.protocol import claim
from mod_ci.runner.shutdown import Shutdown

logger = logging.getLogger(__name__)

WAIT_S = 30
LEAST_WAIT_S = 2.0
# After a signal, a claim under way may still be answered; a run handed out is given back.
CLAIM_GRACE_S = 2.0

Answer = Claim | JobClaim | None | Exception


def serve(options: Options, shutdown: Shutdown) -> None:
    """Take runs from the queue and carry them out until it is time to stop.

    Raises Refused when the server does not want this runner, OSError without a token.
    """
    kinds = options.kinds
    while not shutdown.requested:
        asked_at = time.monotonic()
        claimed = next_claim(options, shutdown, kinds)
        if claimed is None:
            if options.drain:
                return
            if time.monotonic() - asked_at < LEAST_WAIT_S:
                # A server that does not wait (it is full, or paused) is not to be besieged.
                shutdown.asked.wait(next(pauses(2 * LEAST_WAIT_S)))
            continue
        if isinstance(claimed, JobClaim):
            carry_out_job(claimed, options, shutdown)
        else:
            carry_out(claimed, options, shutdown)
        # By turns, so that neither kind of work waits for the other's queue to be empty.
        kinds = (*kinds[1:], *kinds[:1])
        for name in keep_within(options.work, options.cache_bytes):
            logger.info("Removed from the cache: %s", name)
        if options.once:
            return


def next_claim(
    options: Options, shutdown: Shutdown, kinds: tuple[str, ...]
) -> Claim | JobClaim | None:
    """The next run or job; None when there is none, or when the runner is to stop.

    Goes on through a server that is away and through a token that is being exchanged.
    """
    pause = pauses()
    while not shutdown.requested:
        answer = ask(options, read_token(options.token_file), shutdown, kinds)
        match answer:
            case NoAnswer():
                wait_s = pause_after(answer, next(pause))
            case BadClaim():
                wait_s = next(pause)
            case Refused() if answer.status == 401:
                wait_s = next(pause)
            case Exception():
                raise answer
            case _:
                return answer
        logger.warning("%s; asking again in %.1f s", answer, wait_s)
        shutdown.asked.wait(wait_s)
    return None


def ask(options: Options, token: str, shutdown: Shutdown, kinds: tuple[str, ...]) -> Answer:
    """One claim, in a thread of its own so that a signal need not wait for its answer."""
    answers: queue.Queue[Answer] = queue.Queue()
    wait_s = 0 if options.drain else WAIT_S

    def work() -> None:
        try:
            answers.put(claim(options.server, token, options.platform, options.name, wait_s, kinds))
        except Exception as error:  # noqa: BLE001  # handed to the loop's own thread
            answers.put(error)

    threading.Thread(target=work, name="claim", daemon=True).start()
    left_s = CLAIM_GRACE_S
    while True:
        try:
            return answers.get(timeout=0.1)
        except queue.Empty:
            if shutdown.requested:
                left_s -= 0.1
            if left_s <= 0:
                return None


def read_token(path: Path) -> str:
    """The runner's token, read anew each time since it may be exchanged; raises OSError."""
    token = path.read_text(encoding="utf-8").strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise OSError(f"{path} holds no token")
    return token


def warn_of_readers(path: Path) -> None:
    """Say so when everybody may read the token: its owner may be root, its group the runner's."""
    if path.stat().st_mode & stat.S_IRWXO:
        logger.warning("%s can be read by others; chmod o= it", path)
