"""What a claim hands to the runner."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class BadClaim(Exception):
    """The server's answer to a claim is not what the protocol says."""


@dataclass(frozen=True)
class Run:
    """The run to execute. branch is empty and pull_request None where there is none."""

    run_id: int
    test_type: str
    repository: str
    clone_url: str
    main_clone_url: str
    branch: str
    commit_sha: str
    pull_request: int | None

    @property
    def is_pull_request(self) -> bool:
        """Return whether the commit is to be merged into its target branch first."""
        return self.test_type == "pr"


@dataclass(frozen=True)
class Output:
    """One file that a test is expected to produce. Hashes are SHA-256 in hex."""

    output_id: int
    filename: str
    extension: str
    expected_hash: str | None


@dataclass(frozen=True)
class RegressionTest:
    """One regression test to execute; the command may be empty.

    output_filename: what the program is told to write to, and makes further names from.
    """

    regression_id: int
    sample_id: int
    command: str
    input_type: str
    output_type: str
    outputs: tuple[Output, ...]
    output_filename: str | None = None


@dataclass(frozen=True)
class Sample:
    """One media file. size_bytes is None when it is not known; extension has no dot."""

    sample_id: int
    sha256: str
    extension: str
    name: str
    size_bytes: int | None
    url: str


@dataclass(frozen=True)
class AskedLimits:
    """What the server asks to apply; None where it says nothing."""

    test_time_s: float | None = None
    test_memory_bytes: int | None = None
    max_upload_bytes: int | None = None


@dataclass(frozen=True)
class AskedJob:
    """The job to execute. spec: what its submission asked for; time_s and memory_bytes: the most
    that it may have. The archive is fetched like a sample."""

    job_id: str
    namespace: str
    spec: dict[str, Any]
    time_s: float
    memory_bytes: int
    source: Sample


@dataclass(frozen=True)
class Claimed:
    """Work that is ours until the lease is lost.

    credential opens this attempt only. lease_s and remaining_s (to the deadline) are seconds
    from received_at, which is of time.monotonic(): the two clocks of server and runner need
    not agree.
    """

    attempt_id: int
    attempt: int
    credential: str
    lease_s: float
    remaining_s: float
    received_at: float
    log_offset: int
    log_interval_ms: int


@dataclass(frozen=True)
class Claim(Claimed):
    """A run to execute."""

    run: Run
    tests: tuple[RegressionTest, ...]
    samples: tuple[Sample, ...]
    limits: AskedLimits = AskedLimits()


@dataclass(frozen=True)
class JobClaim(Claimed):
    """A job to execute."""

    job: AskedJob


def moment(text: str) -> datetime:
    """A time of the protocol."""
    return datetime.fromisoformat(text)


def from_answer(answer: dict[str, Any]) -> Claim | JobClaim:
    """The claim in a 201 of `POST /attempts`; raises BadClaim when something is missing."""
    try:
        lease = answer["lease"]
        # Both are of the server's clock, so their difference is right whatever ours says.
        remaining = moment(answer["deadline_at"]) - moment(lease["expires_at"])
        common: dict[str, Any] = {
            "attempt_id": int(answer["attempt_id"]),
            "attempt": int(answer["attempt"]),
            "credential": str(answer["credential"]),
            "lease_s": float(lease["seconds"]),
            "remaining_s": remaining.total_seconds() + float(lease["seconds"]),
            "received_at": time.monotonic(),
            "log_offset": int(answer["log_offset"]),
            "log_interval_ms": int(answer["log_interval_ms"]),
        }
        if answer.get("kind") == "job":
            return JobClaim(**common, job=job_from(answer))
        return Claim(
            **common,
            run=run_from(answer["run"]),
            tests=tuple(test_from(test) for test in answer["tests"]),
            samples=tuple(sample_from(sample) for sample in answer["samples"]),
            limits=limits_from(answer.get("limits") or {}),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadClaim(f"the claim's answer is not understood: {error!r}") from error


def job_from(answer: dict[str, Any]) -> AskedJob:
    """The job of a claim."""
    job, source, limits = dict(answer["job"]), answer["source"], answer["job_limits"]
    job_id, namespace = str(job.pop("job_id")), str(job.pop("namespace"))
    job.pop("name", None)
    return AskedJob(
        job_id=job_id,
        namespace=namespace,
        spec=job,
        time_s=int(limits["time_ms"]) / 1000,
        memory_bytes=int(limits["memory_bytes"]),
        source=Sample(
            sample_id=0,
            sha256=str(source["sha256"]).lower(),
            extension="zip",
            name="source",
            size_bytes=int(source["size_bytes"]),
            url=str(source["url"]),
        ),
    )


def limits_from(limits: dict[str, Any]) -> AskedLimits:
    """The limits of a claim."""
    time_ms, memory = limits.get("test_time_ms"), limits.get("test_memory_bytes")
    upload = limits.get("max_upload_bytes")
    return AskedLimits(
        None if time_ms is None else int(time_ms) / 1000,
        None if memory is None else int(memory),
        None if upload is None else int(upload),
    )


def run_from(run: dict[str, Any]) -> Run:
    """The run of a claim."""
    return Run(
        run_id=int(run["run_id"]),
        test_type=str(run["test_type"]),
        repository=str(run["repository"]),
        clone_url=str(run["clone_url"]),
        main_clone_url=str(run["main_clone_url"]),
        branch=str(run["branch"] or ""),
        commit_sha=str(run["commit_sha"]).lower(),
        pull_request=run["pull_request"],
    )


def test_from(test: dict[str, Any]) -> RegressionTest:
    """One test of a claim."""
    return RegressionTest(
        regression_id=int(test["regression_id"]),
        sample_id=int(test["sample_id"]),
        command=str(test["command"] or ""),
        input_type=str(test["input_type"]),
        output_type=str(test["output_type"]),
        outputs=tuple(
            Output(
                output_id=int(output["output_id"]),
                filename=str(output["filename"]),
                extension=str(output["extension"] or ""),
                expected_hash=output["expected_hash"],
            )
            for output in test["outputs"]
        ),
        output_filename=test.get("output_filename"),
    )


def sample_from(sample: dict[str, Any]) -> Sample:
    """One sample of a claim."""
    size = sample["size_bytes"]
    return Sample(
        sample_id=int(sample["sample_id"]),
        sha256=str(sample["sha256"]).lower(),
        extension=str(sample["extension"] or ""),
        name=str(sample["name"] or ""),
        size_bytes=None if size is None else int(size),
        url=str(sample["url"]),
    )
