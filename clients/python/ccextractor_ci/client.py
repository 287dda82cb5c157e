"""The library: what the platform has, as typed objects with what one does to them."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from ccextractor_ci import failures, models
from ccextractor_ci.pages import items
from ccextractor_ci.records import Record
from ccextractor_ci.transport import PATIENCE_S, Transport

ENDED = frozenset({"pass", "fail", "canceled", "error", "incomplete"})
WAIT_S = 30

Platform = Literal["linux", "windows"]
Kind = TypeVar("Kind", bound=Record)


class Client:
    """One account on one platform.

    `url` is the site's address, with or without `/api/v1`; `token` one of its tokens, or None where
    the site is public. `notice` is told in a sentence when something is waited for; `patience_s` is
    for how many seconds a server that is away or asks for a pause is waited for. Methods raise a
    `Failure`.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        notice: Callable[[str], None] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.transport = Transport(url, token, notice=notice, patience_s=patience_s)
        self.runs = Runs(self)
        self.jobs = Jobs(self)
        self.approvals = Approvals(self)

    def list(
        self,
        kind: type[Kind],
        path: str,
        query: dict[str, Any] | None = None,
        *,
        limit: int | None = None,
    ) -> Iterator[Kind]:
        """Any list of the API as records of `kind`: at most `limit` of them, page by page."""
        return (kind(entry) for entry in items(self.transport, path, query, most=limit))

    def queue(self) -> Iterator[models.QueueJob]:
        """The runs that wait or run, the next one first."""
        return self.list(models.QueueJob, "/system/queue")


class Run(models.Run):
    """A run of a commit, and what one does to it. Its fields are as of when it was read."""

    __slots__ = ("_client",)
    _client: Client

    @classmethod
    def of(cls, client: Client, raw: dict[str, Any]) -> "Run":
        run = cls(raw)
        run._client = client
        return run

    @property
    def _path(self) -> str:
        return f"/runs/{self.raw['run_id']}"

    @property
    def has_ended(self) -> bool:
        return self.raw["status"] in ENDED

    def wait(self, timeout_s: float | None = None) -> "Run":
        """Wait until it has ended, for `timeout_s` at most; the ended run. Raises TimedOut."""
        run = self
        while not run.has_ended:
            wait = _wait(timeout_s)
            asked = {"wait": wait, "status": run.status}
            raw = self._client.transport.json("GET", self._path, asked)
            run = Run.of(self._client, raw)
            if timeout_s is not None:
                timeout_s -= wait
        return run

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What happens, as it happens: `progress`, `result` and `counts`, to the run's end."""
        return self._client.transport.events(f"{self._path}/events")

    def log(
        self, *, follow: bool = False, regression_id: int | None = None
    ) -> Iterator[models.LogLine]:
        """The log's lines: those of a test, if one is named; with `follow`, to the run's end."""
        if follow:
            query = {"from_beginning": True, "regression_id": regression_id}
            stream = self._client.transport.events(f"{self._path}/logs/stream", query)
            return (models.LogLine(line) for name, line in stream if name == "line")
        path = f"{self._path}/logs"
        if regression_id is not None:
            path = f"{self._path}/samples/{regression_id}/logs"
        return self._client.list(models.LogLine, path)

    def results(self, status: str | None = None) -> Iterator[models.RunSample]:
        """Its results, by test: all, or those of a status such as `fail`."""
        return self._client.list(models.RunSample, f"{self._path}/samples", {"status": status})

    def failures(self) -> Iterator[models.ErrorItem]:
        """What is wrong, one entry for each output or exit code that is not as expected."""
        return self._client.list(models.ErrorItem, f"{self._path}/errors")

    def summary(self) -> models.RunSummary:
        return models.RunSummary(self._client.transport.json("GET", f"{self._path}/summary"))

    def report(self, form: Literal["text", "markdown"] = "text") -> str:
        """Why it failed, in at most 4 kB."""
        return self._client.transport.text(f"{self._path}/report", {"format": form}, "*/*")

    def compare(self, to: int) -> Iterator[models.Comparison]:
        """Each test here beside the same test in the run `to`."""
        return self._client.list(models.Comparison, f"{self._path}/compare", {"to": to})

    def cancel(self, reason: str | None = None) -> models.RunActionResult:
        body = {} if reason is None else {"reason": reason}
        answer = self._client.transport.json("POST", f"{self._path}/cancel", body=body)
        return models.RunActionResult(answer)

    def retry(self, *, failed_only: bool = False) -> "Run":
        """Run it again, or only its failed tests; the new run."""
        body = {"failed_only": True} if failed_only else {}
        answer = self._client.transport.json("POST", f"{self._path}/retry", body=body)
        return self._client.runs.get(answer["new_run_id"])


class Runs:
    """The platform's runs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, run_id: int) -> Run:
        """Raises NotFound."""
        return Run.of(self._client, self._client.transport.json("GET", f"/runs/{run_id}"))

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[Run]:
        """Runs, the newest first; `filters` are the parameters of `GET /runs`."""
        entries = items(self._client.transport, "/runs", filters, most=limit)
        return (Run.of(self._client, entry) for entry in entries)

    def start(
        self,
        repository: str,
        commit_sha: str,
        platform: Platform = "linux",
        *,
        branch: str | None = None,
        pull_request: int | None = None,
        regression_test_ids: Sequence[int] | None = None,
        key: str | None = None,
    ) -> Run:
        """Ask for a run of a commit of `repository` (`owner/name`).

        `key` makes it safe to ask again after a crash: the same key gives the same run. Within this
        call a lost answer never makes a second run.
        """
        body = {
            "repository": repository,
            "commit_sha": commit_sha,
            "platform": platform,
            "branch": branch,
            "pull_request": pull_request,
            "regression_test_ids": None if regression_test_ids is None else [*regression_test_ids],
        }
        told = {name: value for name, value in body.items() if value is not None}
        raw = self._client.transport.json("POST", "/runs", body=told, key=key or str(uuid.uuid4()))
        return Run.of(self._client, raw)


class Job(models.Job):
    """A submitted project, and what one does to it. Its fields are as of when it was read."""

    __slots__ = ("_client",)
    _client: Client

    @classmethod
    def of(cls, client: Client, raw: dict[str, Any]) -> "Job":
        job = cls(raw)
        job._client = client
        return job

    @property
    def _path(self) -> str:
        return f"/jobs/{self.raw['job_id']}"

    def wait(self, timeout_s: float | None = None) -> "Job":
        """Wait until it has ended, for `timeout_s` at most; the ended job. Raises TimedOut."""
        job = self
        while job.state != "ended":
            wait = _wait(timeout_s)
            raw = self._client.transport.json("GET", self._path, {"wait": wait, "state": job.state})
            job = Job.of(self._client, raw)
            if timeout_s is not None:
                timeout_s -= wait
        return job

    def log(self, *, follow: bool = False) -> Iterator[models.JobLogLine]:
        """The log's lines; with `follow`, to the job's end."""
        if follow:
            query = {"from_beginning": True}
            stream = self._client.transport.events(f"{self._path}/logs/stream", query)
            return (models.JobLogLine(line) for name, line in stream if name == "line")
        return self._client.list(models.JobLogLine, f"{self._path}/logs")

    def test_results(self, outcome: str | None = None) -> Iterator[models.JobTest]:
        """Its tests: all, or those of an outcome such as `failed`."""
        return self._client.list(models.JobTest, f"{self._path}/tests", {"outcome": outcome})

    def cancel(self) -> None:
        self._client.transport.json("POST", f"{self._path}/cancel", body={})


class Jobs:
    """The account's jobs; an admin's are everybody's."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        return Job.of(self._client, self._client.transport.json("GET", f"/jobs/{job_id}"))

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[Job]:
        """Jobs, the newest first; `filters` are the parameters of `GET /jobs`."""
        entries = items(self._client.transport, "/jobs", filters, most=limit)
        return (Job.of(self._client, entry) for entry in entries)

    def submit(
        self, archive: bytes, job: dict[str, Any] | None = None, *, key: str | None = None
    ) -> Job:
        """Submit a zip archive; `job` is what `ci.toml` may say, and a name and labels."""
        from ccextractor_ci.archive import submit

        return Job.of(self._client, submit(self._client.transport, archive, job, key))


class Approvals:
    """Requests to take a run's outputs as the new baselines."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self, *, limit: int | None = None, **filters: Any
    ) -> Iterator[models.BaselineApproval]:
        """Requests, the newest first; `filters` are the parameters of `GET /baseline-approvals`."""
        return self._client.list(
            models.BaselineApproval, "/baseline-approvals", filters, limit=limit
        )

    def request(
        self, run_id: int, outputs: Sequence[dict[str, Any]]
    ) -> Sequence[models.BaselineApproval]:
        """Ask for outputs: each a `sample_id`, `regression_id`, `output_id` and `reason`."""
        path = f"/runs/{run_id}/baseline-approvals"
        answer = self._client.transport.json("POST", path, body={"approvals": [*outputs]})
        return [models.BaselineApproval(entry) for entry in answer["data"]]

    def approve(self, approval_id: str, reason: str | None = None) -> models.BaselineApproval:
        return self._decide(approval_id, "approve", reason)

    def reject(self, approval_id: str, reason: str) -> models.BaselineApproval:
        return self._decide(approval_id, "reject", reason)

    def undo(self, approval_id: str, reason: str | None = None) -> models.BaselineApproval:
        return self._decide(approval_id, "undo", reason)

    def _decide(self, approval_id: str, what: str, reason: str | None) -> models.BaselineApproval:
        path = f"/baseline-approvals/{approval_id}/{what}"
        body = {} if reason is None else {"reason": reason}
        return models.BaselineApproval(self._client.transport.json("POST", path, body=body))


def _wait(timeout_s: float | None) -> int:
    """For how many seconds the next request may wait. Raises TimedOut when none is left."""
    if timeout_s is None:
        return WAIT_S
    if timeout_s <= 0:
        raise failures.TimedOut("It has not ended in time.", code="timed_out")
    return max(1, min(WAIT_S, int(timeout_s)))
