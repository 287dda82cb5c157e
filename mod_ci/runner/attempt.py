"""One attempt at a run, from its claim to its end."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mod_ci.runner.checkout import StageFailed
from mod_ci.runner.claim import Claim
from mod_ci.runner.client import NoAnswer, Refused
from mod_ci.runner.contained import HostFailure
from mod_ci.runner.folders import remove
from mod_ci.runner.heartbeat import Heart
from mod_ci.runner.kept import Kept
from mod_ci.runner.lease import LAST_WORDS_S, Ending, Lease, Stopped
from mod_ci.runner.log_sender import LogSender
from mod_ci.runner.options import Options
from mod_ci.runner.protocol import Attempt, Finish, finish
from mod_ci.runner.shutdown import Shutdown
from mod_ci.runner.spool import Spool
from mod_ci.runner.stages import FLUSH_S, Work, go_through, send_files, send_log

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
    how: Finish | None = None
    with shutdown.tells(lambda: lease.end(Ending.SHUTDOWN)):
        try:
            with at_work(attempt, claim, options) as work:
                how = end_of(lambda: go_through(work), lease)
                conclude(work, how)
        except OSError as error:
            how = Finish("resource_unavailable", "worker", str(error), trace(error))
            say_finish(attempt, how)
    logger.info("Run %s: %s", run.run_id, describe(how, lease))


@contextmanager
def at_work(attempt: Attempt, claim: Claim, options: Options) -> Iterator[Work]:
    """The attempt's own folder, log and heart; all of it is gone afterwards.

    Raises OSError when this host cannot make them.
    """
    folder = options.work.runs / str(claim.attempt_id)
    remove(folder)
    folder.mkdir()
    spool = Spool(folder / "log")
    sender = LogSender(attempt, spool, claim.log_offset)
    heart = Heart(attempt)
    heart.start()
    sender.start()
    try:
        kept = Kept(folder / "kept")
        yield Work(attempt, claim, options, folder, spool, sender, heart, kept, options.extractor)
    finally:
        heart.stop()
        sender.stop()
        spool.close()
        try:
            remove(folder)
        except OSError as error:
            logger.warning("%s", error)  # the next start tries again


def conclude(work: Work, how: Finish | None) -> None:
    """Say how a run that did not go through its stages ended, in its log and to the server."""
    lease = work.lease
    if lease.lost or (how is None and lease.ending is not Ending.CANCELED):
        return
    ended = lease.ending.value if lease.ending else ""
    work.spool.write("error", "worker", [(how.message if how else "") or ended])
    if how is None:
        work.sender.flush(FLUSH_AFTER_CANCEL_S)
        send_files(work)
        return
    if lease.ending is None:
        send_files(work)
    try:
        send_log(work, LAST_WORDS_S / 3 if lease.ending is Ending.SHUTDOWN else FLUSH_S)
    except (Stopped, NoAnswer, Refused) as error:
        logger.warning("The end of the log could not be sent: %s", error)
    say_finish(work.attempt, how)


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
