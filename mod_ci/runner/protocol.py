"""The calls of `docs/runner-protocol.md`, each a function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar
from urllib.parse import quote

from mod_ci.runner import claim as claims
from mod_ci.runner.claim import Claim, JobClaim
from mod_ci.runner.client import NoAnswer, Refused, pause_after, pauses, send
from mod_ci.runner.lease import Ending, Lease, Stopped
from mod_ci.runner.multipart import Multipart
from mod_ci.runner.text import clean, cut, redact

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """What the calls of one attempt need. server: the URL in front of `/api/v1`."""

    server: str
    attempt_id: int
    credential: str
    lease: Lease

    def url(self, what: str) -> str:
        """The address of one of the attempt's endpoints."""
        return f"{self.server}/api/v1/attempts/{self.attempt_id}/{what}"


@dataclass(frozen=True)
class Finish:
    """How an attempt ends: a reason of the protocol, with its type, message and stack.

    of_job: how the command of a job ended, in the protocol's words.
    """

    reason: str
    type: str | None = None
    message: str = ""
    stack: Sequence[str] = ()
    of_job: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The JSON of it, within the protocol's bounds and without secrets."""
        body: dict[str, Any] = {"reason": self.reason, **self.of_job}
        if self.type is not None:
            body["type"] = self.type
        if self.message:
            body["message"] = cut(clean(redact(self.message)), 1000)
        if self.stack:
            # The end of what a tool printed says why it failed.
            body["stack"] = [cut(clean(redact(line)), 2000) for line in self.stack[-50:]]
        return body


def claim(
    server: str, token: str, platform: str, name: str, wait_s: int, kinds: Sequence[str]
) -> Claim | JobClaim | None:
    """Ask for work of these kinds; None when there is none. Raises NoAnswer, Refused, BadClaim."""
    body: dict[str, Any] = {"platform": platform, "runner_name": name, "wait": wait_s}
    if list(kinds) != ["run"]:  # which servers before jobs were there take for granted
        body["kinds"] = list(kinds)
    url = f"{server}/api/v1/attempts"
    answer = send("POST", url, token, json=body, timeout_s=wait_s + 30.0)
    return claims.from_answer(answer) if answer else None


def call(attempt: Attempt, method: str, what: str, **content: Any) -> dict[str, Any]:
    """One call of an attempt, with what its answer says about the lease taken over.

    Raises Stopped when the run has ended or is somebody else's, NoAnswer and Refused.
    """
    if attempt.lease.lost:
        raise Stopped(Ending.LOST)
    try:
        answer = send(method, attempt.url(what), attempt.credential, **content)
    except Refused as refusal:
        ending = ending_of(refusal)
        if ending is None:
            raise
        attempt.lease.end(ending)
        raise Stopped(ending) from refusal
    attempt.lease.renew(answer)
    return answer


def ending_of(refusal: Refused) -> Ending | None:
    """What a refusal says about the lease, if anything."""
    if refusal.status == 401 or (refusal.status, refusal.code) == (409, "lease_lost"):
        return Ending.LOST
    if refusal.status == 409 and refusal.code in ("run_ended", "job_ended"):
        return Ending.CANCELED
    return None


def insist(lease: Lease, ask: Callable[[], T]) -> T:
    """Ask until there is an answer, as long as the lease may still be ours.

    Raises Stopped when it is not, or the last NoAnswer when time ran out.
    """
    pause = pauses()
    while True:
        try:
            return ask()
        except NoAnswer as error:
            lease.sleep(pause_after(error, next(pause)))
            if not lease.patient():
                if lease.ending is not None and lease.ending.final:
                    raise Stopped(lease.ending) from error
                raise


def heartbeat(
    attempt: Attempt, stage: str, message: str, doing: Mapping[str, Any]
) -> dict[str, Any]:
    """Say that this attempt lives, in which stage it is and what it executes."""
    body = dict(doing)
    if stage:
        body |= {"stage": stage, "message": cut(clean(redact(message)), 1000)}
    return call(attempt, "POST", "heartbeat", json=body, timeout_s=10.0)


def append_log(attempt: Attempt, offset: int, lines: bytes) -> dict[str, Any]:
    """Append whole lines at a byte offset of the run's log."""
    headers = {"Content-Type": "application/octet-stream", "Upload-Offset": str(offset)}
    return call(attempt, "PATCH", "log", data=lines, headers=headers, timeout_s=30.0)


def put_result(
    attempt: Attempt, regression_id: int, body: Multipart | Mapping[str, Any]
) -> dict[str, Any]:
    """Report one regression test; without any file, by its JSON alone."""
    what = f"results/{regression_id}"
    if isinstance(body, Multipart):
        headers = {"Content-Type": body.content_type}
        return call(attempt, "PUT", what, data=body.rewound(), headers=headers, timeout_s=300.0)
    return call(attempt, "PUT", what, json=body, timeout_s=300.0)


def put_tests(attempt: Attempt, tests: Sequence[Mapping[str, Any]]) -> None:
    """Report tests of a job that have ended."""
    call(attempt, "PUT", "tests", json={"tests": list(tests)}, timeout_s=60.0)


def put_file(attempt: Attempt, name: str, file: IO[bytes]) -> None:
    """Send a file that a job left behind; `name` is its path below the project."""
    headers = {"Content-Type": "application/octet-stream"}
    call(attempt, "PUT", f"files/{quote(name)}", data=file, headers=headers, timeout_s=300.0)


def put_reports(attempt: Attempt, told: Mapping[str, Any]) -> None:
    """Say which files of a job were read as reports, and the coverage they told."""
    call(attempt, "PUT", "reports", json=dict(told), timeout_s=60.0)


def put_artifact(attempt: Attempt, kind: str, file: IO[bytes]) -> None:
    """Send a file of the run: `binary`, `coredump` or `combined_stdout`.

    Raises NoAnswer and Refused. It ends no lease: a file is worth less than the run, whose own
    calls find out.
    """
    headers = {"Content-Type": "application/octet-stream"}
    url = attempt.url(f"artifacts/{kind}")
    send("PUT", url, attempt.credential, data=file, headers=headers, timeout_s=300.0)


def finish(attempt: Attempt, how: Finish) -> None:
    """End the attempt. Raises as `insist`."""
    body: Mapping[str, Any] = how.body()
    insist(attempt.lease, lambda: call(attempt, "POST", "finish", json=body))
