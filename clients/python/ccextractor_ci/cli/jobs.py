"""`ci submit` and `ci jobs`."""

import json
import uuid
from pathlib import Path
from typing import Any

from ccextractor_ci import archive
from ccextractor_ci.cli.output import short_time
from ccextractor_ci.cli.session import Session
from ccextractor_ci.pages import items

INFRASTRUCTURE = 10


def submit(session: Session) -> int:
    """Submit a folder's project, show its log, and end as its tests ended."""
    options, output, transport = session.options, session.output, session.transport
    folder = Path(options.folder)
    spec: dict[str, Any] = {"name": options.name or folder.resolve().name[:100]}
    if options.labels:
        spec["labels"] = options.labels
    if options.command:
        spec["command"] = options.command
    job = archive.submit(transport, archive.zipped(folder), spec, str(uuid.uuid4()))
    if options.no_wait:
        output.json(job) if output.as_json else output.line(job["job_id"])
        return 0
    output.notice(f"Job {job['job_id']}: {job['state']}.")
    path = f"/jobs/{job['job_id']}"
    for name, data in transport.events(f"{path}/logs/stream"):
        if name != "line":
            continue
        if output.as_json:
            output.line(json.dumps(data, ensure_ascii=False))
        else:
            output.line(output.safe(data["message"], keeps_colour=True))
    ended = transport.json("GET", path)
    if output.as_json:
        output.line(json.dumps(ended, ensure_ascii=False))
    else:
        _print_end(session, ended)
    return exit_status(ended)


def exit_status(job: dict[str, Any]) -> int:
    """The status of the job's command; 1 where it has none but failed, 10 where nobody knows."""
    if job["conclusion"] == "success":
        return 0
    if job["conclusion"] in ("canceled", "error"):
        return INFRASTRUCTURE
    return int(job["exit_code"] or 1) if job["outcome"] == "exited" else 1


def ls(session: Session) -> int:
    """List jobs; or show one with its failed tests."""
    options, output, transport = session.options, session.output, session.transport
    if options.job:
        job = transport.json("GET", f"/jobs/{options.job}")
        output.json(job) if output.as_json else _print_end(session, job)
        return 0
    jobs = list(items(transport, "/jobs", {"state": options.state}, most=options.limit))
    if output.as_json:
        output.json(jobs)
        return 0
    output.table(
        ["job", "state", "name", "tests", "created"],
        [
            [
                job["job_id"], output.status(job["conclusion"] or job["state"]),
                output.safe(job["name"] or "-"), _counts(job["tests"]),
                short_time(job["created_at"]),
            ]
            for job in jobs
        ],
    )  # fmt: skip
    return 0


def _print_end(session: Session, job: dict[str, Any]) -> None:
    """How a job stands, and which of its tests failed."""
    output = session.output
    status = output.status(job["conclusion"] or job["state"])
    output.line(f"Job {job['job_id']}: {status}. {_counts(job['tests'])}")
    if job["why"] and job["conclusion"] != "success":
        output.line(f"  {output.safe(job['why'])}")
    for outcome in ("failed", "error", "running"):
        path = f"/jobs/{job['job_id']}/tests"
        for test in items(session.transport, path, {"outcome": outcome}, most=20):
            output.line(f"  {output.status(outcome)}: {output.safe(test['nodeid'])}")
            lines = output.safe(test["message"] or "").strip().splitlines()
            if lines:
                output.line(f"    {lines[-1].strip()}")


def _counts(tests: dict[str, int]) -> str:
    told = [
        f"{tests[name]} {name}"
        for name in ("passed", "failed", "errors", "skipped", "flaky")
        if tests[name]
    ]
    return ", ".join(told) or "no tests"
