"""Commands about runs: start, watch, why, retry, cancel, compare, ls, queue."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ccextractor_ci import failures
from ccextractor_ci.cli.output import duration, short_time
from ccextractor_ci.cli.session import Session
from ccextractor_ci.cli.watching import exit_status, watch_run
from ccextractor_ci.pages import items

SHA = re.compile(r"[0-9a-f]{40}")
NAMED_TESTS = 20


def start(session: Session) -> int:
    """`ci run`: a run on each platform that is asked for; with `--wait`, the worst exit status."""
    options, output = session.options, session.output
    body: dict[str, Any] = {
        "repository": options.repository or _own_repository(),
        "commit_sha": _commit(options.ref),
    }
    if options.branch:
        body["branch"] = options.branch
    if options.pr:
        body["pull_request"] = options.pr
    if options.tests:
        body["regression_test_ids"] = _numbers(options.tests)
    platforms = ("linux", "windows") if options.platform == "both" else (options.platform,)
    started = []
    for platform in platforms:
        request = {**body, "platform": platform}
        started.append(session.transport.json("POST", "/runs", body=request, key=str(uuid.uuid4())))
    if not options.wait:
        if output.as_json:
            output.json(started if len(started) > 1 else started[0])
        for run in [] if output.as_json else started:
            where = f"{run['commit_short']} on {run['platform']}"
            output.line(f"Run {run['run_id']} of {where}: {run['status']}.")
        return 0
    return max(_followed(session, run["run_id"]) for run in started)


def watch(session: Session) -> int:
    """`ci watch`: to the run's end."""
    return _followed(session, session.options.run)


def _followed(session: Session, run_id: int) -> int:
    """Follow a run, then tell why it failed; its exit status."""
    run = watch_run(session, run_id)
    if session.output.as_json:
        session.output.json({"run": run, "report": _report(session, run_id, "json")})
    else:
        session.output.line(session.output.safe(_report(session, run_id, "text")).rstrip("\n"))
    summarize_step(session, run_id)
    return exit_status(run["status"])


def why(session: Session) -> int:
    """`ci why`: the report."""
    form = session.options.form or ("json" if session.output.as_json else "text")
    report = _report(session, session.options.run, form)
    if form == "json":
        session.output.json(report)
    else:
        session.output.line(session.output.safe(report).rstrip("\n"))
    return 0


def _report(session: Session, run_id: int, form: str) -> Any:
    path = f"/runs/{run_id}/report"
    if form == "json":
        return session.transport.json("GET", path, {"format": "json"})
    return session.transport.text(path, {"format": form}, accept="*/*")


def summarize_step(session: Session, run_id: int) -> None:
    """Write the report where GitHub Actions shows it, if a step runs there."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(_report(session, run_id, "markdown") + "\n")
    except OSError as problem:
        session.output.notice(f"GITHUB_STEP_SUMMARY cannot be written: {problem.strerror}.")


def retry(session: Session) -> int:
    """`ci retry`: the new run."""
    options, output = session.options, session.output
    body = {"failed_only": True} if options.failed else {}
    answer = session.transport.json("POST", f"/runs/{options.run}/retry", body=body)
    if options.wait:
        return _followed(session, answer["new_run_id"])
    if output.as_json:
        output.json(answer)
    else:
        output.line(f"Run {answer['new_run_id']} runs {'what failed in ' if options.failed else ''}"
                    f"run {options.run} again.")  # fmt: skip
    return 0


def cancel(session: Session) -> int:
    """`ci cancel`: a run by its number, a job by its id."""
    options, output = session.options, session.output
    kind = "runs" if options.id.isdigit() else "jobs"
    body = {"reason": options.reason} if options.reason else {}
    answer = session.transport.json("POST", f"/{kind}/{options.id}/cancel", body=body)
    if output.as_json:
        output.json(answer)
    else:
        output.line(output.safe(answer.get("message") or answer["status"]))
    return 0


def compare(session: Session) -> int:
    """`ci compare A B`: what changed from A to B; 1 when something new fails."""
    options, output = session.options, session.output
    path, query = f"/runs/{options.b}/compare", {"to": options.a}
    first = session.transport.json("GET", path, {**query, "limit": 1})
    changed = [
        entry for change in ("new_failure", "different_failure", "fixed", "not_run")
        if first["counts"][change]
        for entry in items(session.transport, path, {**query, "change": change})
    ]  # fmt: skip
    if output.as_json:
        output.json({"counts": first["counts"], "changed": changed})
    else:
        counts = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in first["counts"].items() if count
        )
        output.line(f"From run {options.a} to run {options.b}: {counts or 'nothing'}.")
        for entry in changed:
            sample = entry.get("sample_name") or f"sample {entry['sample_id']}"
            change = output.status(entry["change"])
            output.line(output.safe(
                f"  {change}: test {entry['regression_id']}, {entry.get('command')} on {sample}",
                keeps_colour=True))  # fmt: skip
    return 1 if first["counts"]["new_failure"] or first["counts"]["different_failure"] else 0


def ls(session: Session) -> int:
    """`ci ls`: runs, the newest first."""
    options, output = session.options, session.output
    query = {
        "status": options.status, "branch": options.branch, "commit_sha": options.commit,
        "pull_request": options.pr, "platform": options.platform,
    }  # fmt: skip
    runs = list(items(session.transport, "/runs", query, most=options.limit))
    if output.as_json:
        output.json(runs)
        return 0
    output.table(
        ["run", "status", "commit", "platform", "branch", "created", "took"],
        [
            [
                str(run["run_id"]), output.status(run["status"]), run["commit_short"],
                run["platform"], output.safe(run.get("branch") or "-"),
                short_time(run["created_at"]), duration(run.get("duration_ms")),
            ]
            for run in runs
        ],
    )  # fmt: skip
    return 0


def queue(session: Session) -> int:
    """`ci queue`: what runs and what waits."""
    output = session.output
    waiting = list(items(session.transport, "/system/queue"))
    if output.as_json:
        output.json(waiting)
        return 0
    rows = [
        [
            str(job.get("position") or "-"), str(job["run_id"]), output.status(job["status"]),
            job["platform"], short_time(job["queued_at"]),
        ]
        for job in waiting
    ]  # fmt: skip
    if rows:
        output.table(["place", "run", "status", "platform", "since"], rows)
    else:
        output.line("Nothing waits, nothing runs.")
    return 0


def _commit(ref: str) -> str:
    """The SHA of a commit: 40 hexadecimal digits, or what git says of it. Raises Refused."""
    if SHA.fullmatch(ref.lower()):
        return ref.lower()
    told = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if told is None or not SHA.fullmatch(told):
        raise failures.Refused(
            f"{ref} is no SHA of 40 digits, and git in this folder does not know it."
        )
    return told


def _own_repository() -> str:
    """`owner/name` of this folder's `origin`. Raises Refused."""
    address = _git("remote", "get-url", "origin") or ""
    path = urlsplit(address).path if "://" in address else address.rpartition(":")[2]
    name = path.strip("/").removesuffix(".git")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", name):
        raise failures.Refused(
            "Which repository? `--repository OWNER/NAME`; git here has no such `origin`."
        )
    return name


def _git(*arguments: str) -> str | None:
    """Ask git in this folder; its answer, or None where it has none."""
    try:
        told = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return told.stdout.strip() if told.returncode == 0 else None


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        print(f"ci run: --tests {text} are no numbers with commas", file=sys.stderr)
        raise SystemExit(2) from None
