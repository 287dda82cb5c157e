"""One attempt at a run, from its claim to its end."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

from mod_ci.runner.checkout import StageFailed
from mod_ci.runner.claim import Claim
from mod_ci.runner.client import NoAnswer, Refused
from mod_ci.runner.contained import HostFailure
from mod_ci.runner.folders import remove
from mod_ci.runner.heartbeat import Heart
from mod_ci.runner.lease import LAST_WORDS_S, Ending, Lease, Stopped
from mod_ci.runner.log_sender import LogSender
from mod_ci.runner.options import Options
from mod_ci.runner.protocol import Attempt, Finish, finish
from mod_ci.runner.shutdown import Shutdown
from mod_ci.runner.spool import Spool
from mod_ci.runner.stages import FLUSH_S, Work, go_through

logger = logging.getLogger(__name__)

# So long the server takes the log of a run that has been canceled.
FLUSH_AFTER_CANCEL_S = 60.0


def carry_out(claim: Claim, options: Options, shutdown: Shutdown) -> None:
    """Do what was claimed and report it; never raises for what happens to a run."""
    deadline_at = claim.received_at + claim.remaining_s
    lease = Lease(claim.lease_s, deadline_at, claim.log_interval_ms)
    attempt = Attempt(options.server, claim.attempt_id, claim.credential, lease)
    run = claim.run
    logger.info(
        "Run %s (%s %s), attempt %s: %s tests",
        run.run_id, run.repository, run.commit_sha[:8], claim.attempt, len(claim.tests),
    )  # fmt: skip
    folder = options.work.runs / str(claim.attempt_id)
    with shutdown.tells(lambda: lease.end(Ending.SHUTDOWN)):
        heart = Heart(attempt)
        heart.start()
        try:
            how = end_of(lambda: in_folder(folder, attempt, claim, options, heart), lease)
            if how is not None:
                say_finish(attempt, how)
        finally:
            heart.stop()
    logger.info("Run %s: %s", run.run_id, describe(how, lease))


def in_folder(folder: Path, attempt: Attempt, claim: Claim, options: Options, heart: Heart) -> None:
    """Go through the stages in a folder of the attempt's own; raises why it ended early."""
    remove(folder)
    folder.mkdir()
    spool = Spool(folder / "log")
    sender = LogSender(attempt, spool, claim.log_offset)
    sender.start()
    try:
        work = Work(attempt, claim, options, folder, spool, sender, heart, options.extractor)
        try:
            go_through(work)
        except BaseException as error:
            last_words(work, error)
            raise
    finally:
        sender.stop()
        spool.close()
        try:
            remove(folder)
        except OSError as error:
            logger.warning("%s", error)  # the next start tries again


def last_words(work: Work, error: BaseException) -> None:
    """Say in the log why a run ends early, and send what is left of the log."""
    if work.lease.lost:
        return
    work.spool.write("error", "worker", [str(error) or type(error).__name__])
    match work.lease.ending:
        case Ending.CANCELED:
            work.sender.flush(FLUSH_AFTER_CANCEL_S)
        case Ending.SHUTDOWN:
            work.sender.flush(LAST_WORDS_S / 3)
        case _:
            work.sender.flush(FLUSH_S)


def end_of(action: Callable[[], None], lease: Lease) -> Finish | None:
    """Do it; returns how the attempt is to be finished, None when there is nothing to say.

    The boundary where everything that can happen to a run becomes a reason of the protocol.
    """
    try:
        action()
    except StageFailed as failure:
        return failure.how
    except (Stopped, NoAnswer) as stop:
        return finish_for(lease.ending, stop)
    except (OSError, HostFailure) as error:
        return Finish("resource_unavailable", "worker", str(error), trace(error))
    except Refused as refusal:
        return Finish("internal_error", "worker", str(refusal))
    except Exception as error:
        logger.exception("A defect of the runner")
        return Finish("internal_error", "worker", repr(error), trace(error))
    return None


def finish_for(ending: Ending | None, stop: Exception) -> Finish | None:
    """How to finish an attempt that had to stop."""
    match ending:
        case Ending.SHUTDOWN:
            return Finish("runner_shutdown")
        case Ending.DEADLINE:
            return Finish("deadline_exceeded", "worker", "The run's deadline has passed")
        case None:
            return Finish("resource_unavailable", "web_server", str(stop))
        case _:
            return None


def trace(error: BaseException) -> list[str]:
    """The traceback of an error, as lines."""
    return "".join(traceback.format_exception(error)).splitlines()


def say_finish(attempt: Attempt, how: Finish) -> None:
    """Finish the attempt, as long as there is hope that the server hears it."""
    try:
        finish(attempt, how)
    except (Stopped, NoAnswer, Refused) as error:
        # The lease runs out by itself; the server then knows as much.
        logger.warning("The end could not be reported: %s", error)


def describe(how: Finish | None, lease: Lease) -> str:
    """One phrase on how an attempt ended, for the runner's own log."""
    if how is not None:
        return f"{how.reason} {how.message}".strip()
    return "completed" if lease.ending is None else lease.ending.value
