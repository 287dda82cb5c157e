"""Requests of attempts, around `mod_ci`: waiting, files before rows, and their answers."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config import Settings
from database import reading, written
from errors import Invalid, NotFound, OffsetMismatch, Unavailable
from mod_api.services.logs.log_sources import path_of
from mod_api.services.outputs import caption_changes
from mod_auth.tokens import Caller
from mod_ci import attempts, claim_payload, open_runs, queue, results
from mod_ci.attempts import AttemptCredential, LeaseState
from mod_ci.models import EndReason, Stage
from mod_ci.results import Output, Report
from mod_regression.definitions import Definition
from mod_sample.storage import (
    ArtifactKind,
    Readable,
    Repository,
    StorageUnavailable,
    artifact_key,
)
from mod_test.logs import append as log_append
from mod_test.logs import follower_marker
from mod_test.models import Outcome, Platform

WATCHED_INTERVAL_MS = 200  # what is appended then reaches followers within half a second
UNWATCHED_INTERVAL_MS = 2000
MOST_APPENDED = 1024 * 1024
OUTPUT_PART = "output-"
# So often a baseline may change while the files of a result are stored.
MOST_CHANGES = 5


@dataclass(frozen=True)
class Answer:
    """The part that all answers to an attempt share."""

    canceled: bool
    lease: dict[str, Any]
    log_interval_ms: int
    offset: int = 0
    log_full: bool = False


def claim(
    by: Caller,
    settings: Settings,
    repository: Repository,
    api: str,
    *,
    platform: str,
    runner_name: str,
) -> dict[str, Any] | None:
    """The next run of a platform with all that its runner needs; None where none waits.

    Raises Unauthorized and Forbidden as the caller's token reads now, also for a blocked account,
    and Unavailable where the run's files cannot be reached.
    """
    if platform not in settings.runner_platforms:
        with reading():
            queue.make_sure_of(by)
        return None
    taken = _claim(by, settings, api, platform, runner_name)
    if taken is not None:
        _complete(taken, settings, repository)
    return taken


def some_wait(platform: str, settings: Settings) -> bool:
    """Return whether a claim may find a run: without a lock, since on SQLite only one may write at
    a time, and all waiters look again and again. Call it while reading."""
    if platform not in settings.runner_platforms:
        return False
    return bool(open_runs.oldest_waiting(Platform(platform)))


def heartbeat(
    hold: AttemptCredential,
    *,
    settings: Settings,
    stage: str | None = None,
    message: str | None = None,
    running: list[int] | None = None,
    **of_jobs: Any,
) -> Answer:
    """Renew the lease. Raises Conflict `lease_lost` or `run_ended`, Invalid for what is a job's."""
    refuse(of_jobs, "job")
    if stage is not None and stage not in set(Stage):
        raise Invalid.fields(stage="Is no stage of a run.")
    lease = attempts.heartbeat(
        hold,
        lease_seconds=settings.lease_seconds,
        stage=Stage(stage) if stage else None,
        message=message,
        running=running,
    )
    return _answer(lease, settings, hold.run_id)


def append_log(hold: AttemptCredential, offset: int, data: bytes, *, settings: Settings) -> Answer:
    """Append to the run's log; the lease is renewed only when a good part of it is used up.

    Raises Conflict, Invalid for what is not whole lines, OffsetMismatch with the true offset.
    """
    if len(data) > MOST_APPENDED:
        raise Invalid.fields(body=f"At most {MOST_APPENDED} bytes are taken at once.")
    with reading():
        lease = attempts.check_for_log(hold, settings.lease_seconds)
    appended = append(settings, hold.run_id, offset, data)
    answer = _answer(_renewed_if_due(hold, lease, settings), settings, hold.run_id)
    return Answer(
        answer.canceled, answer.lease, answer.log_interval_ms, appended.offset, appended.full
    )


def append(settings: Settings, subject: int | str, offset: int, data: bytes) -> log_append.Appended:
    """Append whole lines to the log of a run or a job.

    Raises Invalid for what is not whole lines, OffsetMismatch with the true offset, Unavailable.
    """
    try:
        return log_append.append(
            path_of(settings, subject), offset, data, limit_bytes=settings.log_limit
        )
    except log_append.OffsetMismatch as error:
        raise OffsetMismatch(
            f"The log has {error.true_offset} bytes.", offset=error.true_offset
        ) from error
    except ValueError as error:
        raise Invalid.fields(body=f"Must be whole lines: {error}") from error
    except OSError as error:
        raise Unavailable("The log could not be written.", retry_after=5) from error


def keep_artifact(
    hold: AttemptCredential,
    kind: str,
    stream: Readable,
    *,
    settings: Settings,
    repository: Repository,
) -> Answer:
    """Keep the binary, a core dump or all output of the run, as long as its log is taken.

    Raises Conflict `lease_lost` or `run_ended`, Invalid for an empty file, Unavailable.
    """
    check = functools.partial(attempts.check_for_log, hold, settings.lease_seconds)
    with reading():
        check()
    try:
        with repository.receive(stream, settings.max_upload) as received:
            if received.size == 0:
                raise Invalid.fields(body="The file is empty.")
            # While it was on its way, another attempt may have got the run.
            with reading():
                lease = check()
            key = artifact_key(hold.run_id, ArtifactKind(kind), hold.platform.value)
            repository.keep(received, key)
    except StorageUnavailable as error:
        raise Unavailable(f"The file could not be stored: {error}", retry_after=5) from error
    return _answer(_renewed_if_due(hold, lease, settings), settings, hold.run_id)


def report(
    hold: AttemptCredential,
    regression_id: int,
    told: Mapping[str, Any],
    files: Mapping[str, Readable],
    *,
    repository: Repository,
    settings: Settings,
) -> Answer:
    """Store a result: its files first, then the rows that name them, in one unit of work.

    Raises NotFound for a test that is not the run's, Invalid, Unprocessable `upload_required`,
    Conflict `lease_lost` or `run_ended`, Unavailable when a file could not be stored.
    """
    found = _report(told)
    uploads = _uploads(files)

    def store(kept: Mapping[int, Output] | None) -> LeaseState | None:
        lease, expected = attempts.hold_for_result(hold, regression_id, settings.lease_seconds)
        if kept is None:
            if uploads or results.differing(expected.outputs, found.outputs):
                return None
        elif any(expected.outputs.get(key) != kept[key] for key in found.outputs):
            return None  # a baseline changed while the files were on their way
        batch = results.replace(
            hold.run_id, regression_id, found, expected, attempt_id=hold.attempt_id
        )
        if lease.is_beat_due:
            batch.add(*attempts.renewal(hold, lease.lease_expires_at))
        batch.send()
        return lease

    # Most results are as expected, and need no files. What differs is stored, or found stored,
    # while no run is locked, but not for an attempt that has lost its lease.
    lease = written(lambda: store(None), pipelined=True)
    if lease is not None:
        return _answer(lease, settings, hold.run_id)
    outputs: Mapping[int, Output] = {}
    for _ in range(MOST_CHANGES):
        with reading():
            outputs = results.expected_of(hold.run_id, regression_id).outputs
        results.keep_files(repository, outputs, found.outputs, uploads, limit=settings.max_upload)
        uploads = {}  # they are stored now
        lease = written(functools.partial(store, outputs), pipelined=True)
        if lease is not None:
            break
    else:
        raise Unavailable("The baselines of this test are being changed.", retry_after=1)
    answer = _answer(lease, settings, hold.run_id)
    caption_changes.note(
        repository,
        [
            (outputs[output_id].correct or "", sha256, outputs[output_id].extension)
            for output_id, sha256 in found.outputs.items()
            if outputs[output_id].correct not in (None, "", sha256)
        ],
    )
    return answer


def finish(
    hold: AttemptCredential,
    *,
    settings: Settings,
    reason: str,
    type: str | None = None,
    message: str | None = None,
    stack: list[str] | None = None,
    **of_jobs: Any,
) -> Answer:
    """End the attempt.

    Raises Conflict `lease_lost` or `run_ended`, and Invalid without a type that is needed.
    """
    refuse(of_jobs, "job")
    why = EndReason(reason)
    if why.is_infrastructure_failure and type is None:
        raise Invalid.fields(type="Is needed with this reason.")
    lease = attempts.finish(hold, why, error_type=type, message=message, stack=stack or ())
    return _answer(lease, settings, hold.run_id)


def refuse(given: Mapping[str, Any], kind: str) -> None:
    """Raise Invalid for what only attempts at the other kind of work tell."""
    if given:
        raise Invalid.fields(**dict.fromkeys(given, f"Is told of a {kind} only."))


def sample_key(sample_id: int) -> str:
    """The name of a sample's file. Raises NotFound."""
    with reading():
        key = claim_payload.key_of_sample(sample_id)
    if key is None:
        raise NotFound("sample", sample_id)
    return key


def _claim(
    by: Caller, settings: Settings, api: str, platform: str, runner_name: str
) -> dict[str, Any] | None:
    def work() -> tuple[queue.Claim, tuple[Definition, ...]] | None:
        claimed = queue.claim(
            Platform(platform),
            runner_name,
            caller=by,
            lease_seconds=settings.lease_seconds,
            run_time_limit=settings.run_time_limit,
        )
        return None if claimed is None else (claimed, claim_payload.definitions(claimed))

    found = written(work, pipelined=True)
    if found is None:
        return None
    claimed, definitions = found
    told = claim_payload.payload(
        claimed,
        definitions,
        git_base_url=settings.git_base_url,
        main_repository=settings.main_repository,
        api=api,
    )
    return {
        "kind": "run",
        "attempt_id": claimed.attempt_id,
        "number": claimed.number,
        "credential": claimed.credential,
        "lease": {"seconds": settings.lease_seconds, "expires_at": told.pop("lease_expires_at")},
        "log_interval_ms": log_interval_ms(settings, claimed.run_id),
        "limits": {
            "test_time_ms": settings.test_time_limit * 1000,
            "test_memory_bytes": settings.test_memory_limit,
            "max_upload_bytes": settings.max_upload,
        },
        **told,
    }


def _complete(taken: dict[str, Any], settings: Settings, repository: Repository) -> None:
    """Add what is asked of the storage, after the claim's transaction.

    Raises Unavailable; the run, which its runner then never hears of, waits again at once.
    """
    try:
        claim_payload.with_sizes(taken["samples"], repository)
        taken["log_offset"] = log_append.settle(path_of(settings, taken["run"]["run_id"]))
    except (OSError, StorageUnavailable) as error:
        written(lambda: _give_back(taken))
        raise Unavailable("The run's files cannot be reached.", retry_after=5) from error


def _give_back(taken: dict[str, Any]) -> None:
    hold = attempts.authenticate(taken["attempt_id"], taken["credential"])
    if hold is not None:
        attempts.finish(hold, EndReason.runner_shutdown)


def _renewed_if_due(hold: AttemptCredential, lease: LeaseState, settings: Settings) -> LeaseState:
    """Return the lease, renewed if a good part of it is used up."""
    if not lease.is_beat_due:
        return lease
    return written(lambda: attempts.heartbeat(hold, lease_seconds=settings.lease_seconds))


def _answer(lease: LeaseState, settings: Settings, run_id: int) -> Answer:
    shown = {"seconds": settings.lease_seconds, "expires_at": lease.lease_expires_at}
    return Answer(lease.canceled, shown, log_interval_ms(settings, run_id))


def log_interval_ms(settings: Settings, subject: int | str) -> int:
    """Return how often a runner should append: often while somebody watches, seldom otherwise."""
    watched = follower_marker.is_watched(path_of(settings, subject))
    return WATCHED_INTERVAL_MS if watched else UNWATCHED_INTERVAL_MS


def _report(told: Mapping[str, Any]) -> Report:
    outcome = Outcome(told["outcome"])
    if outcome.was_killed and told["exit_code"] is not None:
        raise Invalid.fields(exit_code="Must be null for a process that did not exit by itself.")
    if not outcome.was_killed and told["exit_code"] is None:
        raise Invalid.fields(exit_code="Is needed for a process that exited.")
    outputs = {output["output_id"]: output["sha256"].lower() for output in told["outputs"]}
    if len(outputs) != len(told["outputs"]):
        raise Invalid.fields(outputs="An output is listed twice.")
    return Report(
        runtime_ms=told["runtime_ms"],
        exit_code=None if told["exit_code"] is None else results.as_exit_code(told["exit_code"]),
        outcome=outcome,
        outputs=outputs,
        signal=told.get("signal"),
        message=told.get("message"),
        tail=told.get("tail"),
        stdout_tail=told.get("stdout_tail"),
        stderr_tail=told.get("stderr_tail"),
        started_at=told.get("started_at"),
    )


def _uploads(files: Mapping[str, Readable]) -> dict[int, Readable]:
    found = {}
    for name, stream in files.items():
        number = name.removeprefix(OUTPUT_PART)
        if not name.startswith(OUTPUT_PART) or not re.fullmatch("[0-9]{1,10}", number):
            raise Invalid.fields(**{name[:100]: "Is no part of a result."})
        found[int(number)] = stream
    return found
