"""A run followed to its end: how far it is, and each failure as it comes."""

import time
from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.cli.session import Session

ENDED = frozenset({"pass", "fail", "canceled", "error", "incomplete"})
# Of so many failures the command and sample are asked for; more would be a flood of requests.
NAMED = 30


def exit_status(status: str) -> int:
    """A run's exit status: 0 pass, 1 fail, 10 when it came to no verdict."""
    return {"pass": 0, "fail": 1}.get(status, 10)


def watch_run(session: Session, run_id: int) -> dict[str, Any]:
    """Follow a run to its end; the ended run. Raises TimedOut after `--timeout`."""
    output, transport = session.output, session.transport
    timeout = getattr(session.options, "timeout", None)
    until = None if timeout is None else time.monotonic() + timeout
    run: dict[str, Any] = transport.json("GET", f"/runs/{run_id}")
    if run["status"] not in ENDED:
        output.notice(
            f"Run {run_id} of {run['commit_short']} on {run['platform']}: {run['status']}."
        )
        seen = Seen(session, run_id)
        # A quiet stream is cut after a while, so the time is looked at then, too.
        for name, data in transport.events(f"/runs/{run_id}/events", until=until):
            seen.take(name, data)
        output.clear_bar()
        run = transport.json("GET", f"/runs/{run_id}")
        if run["status"] not in ENDED:
            raise failures.TimedOut(f"Run {run_id} is still {run['status']}.", code="timed_out")
    return run


class Seen:
    """What a person is shown of a run's events."""

    def __init__(self, session: Session, run_id: int) -> None:
        self._session = session
        self._run_id = run_id
        self._done = 0
        self._total = 0
        self._failed = 0
        self._doing = ""

    def take(self, name: str, data: dict[str, Any]) -> None:
        """Show one event."""
        output = self._session.output
        if name == "counts":
            self._total = data["total_samples"]
            self._done = (
                data["pass_count"]
                + data["fail_count"]
                + data["missing_output_count"]
                + data["skipped_count"]
            )
            self._failed = data["fail_count"] + data["missing_output_count"]
        elif name == "progress":
            self._doing = str(data["message"]).split("\n", 1)[0]
            if not output.as_json:
                output.clear_bar()
        elif data.get("status") in ("fail", "missing_output") and not output.as_json:
            output.notice(self._failure(data))
        failed = f", {self._failed} failed" if self._failed else ""
        output.bar(self._done, self._total, f"{self._doing}{failed}")

    def _failure(self, data: dict[str, Any]) -> str:
        """A failed test in one line."""
        test = data["regression_id"]
        line = f"  {data['status'].replace('_', ' ')}: test {test}"
        if self._failed >= NAMED:
            return line
        try:
            result = self._session.transport.json("GET", f"/runs/{self._run_id}/samples/{test}")
        except failures.Failure:
            return line  # it is told at the end
        sample = result.get("sample_name") or f"sample {result['sample_id']}"
        return f"{line}, {result.get('command')} on {sample}"
