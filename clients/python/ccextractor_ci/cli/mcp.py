"""`ci mcp`: the platform as a model's tools, on stdin and stdout. Reads only, unless told."""

import uuid
from collections.abc import Callable
from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.cli.session import Session
from ccextractor_ci.pages import items
from ccextractor_ci.transport import Transport

MOST_LINES = 200
LONGEST_WAIT_S = 30


def serve(session: Session) -> int:
    """Serve until stdin ends. Raises Refused where the package `mcp` is not there."""
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:
        raise failures.Refused(
            "`ci mcp` needs the package mcp: `pip install './clients/python[mcp]'`."
        ) from None
    server: Any = MCPServer(
        "ccextractor-ci", instructions="CCExtractor's regression tests: runs and why they fail."
    )
    tools = Tools(session.transport)
    offered: list[Callable[..., Any]] = [
        tools.list_runs, tools.why_failed, tools.wait_for_run, tools.show_difference,
        tools.read_log,
    ]  # fmt: skip
    if session.options.write:
        offered += [tools.start_run, tools.retry_run, tools.request_baselines]
    for tool in offered:
        server.add_tool(_telling(tool), name=tool.__name__, description=tool.__doc__)
    server.run("stdio")
    return 0


class Tools:
    """The functions that a model may call; each answers with text or JSON of little room."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_runs(
        self, status: str | None = None, branch: str | None = None, limit: int = 10
    ) -> Any:
        """Newest runs, of a status (queued, running, pass, fail, canceled, error, incomplete) and
        a branch."""
        query = {"status": status, "branch": branch}
        kept = (
            "run_id",
            "status",
            "commit_sha",
            "branch",
            "pull_request",
            "platform",
            "created_at",
        )
        entries = items(self._transport, "/runs", query, most=min(max(limit, 1), 50))
        return [{name: entry.get(name) for name in kept} for entry in entries]

    def why_failed(self, run_id: int) -> str:
        """Why a run failed, and what of it is new, in at most 4 kB."""
        return self._transport.text(f"/runs/{run_id}/report", {"format": "text"}, "*/*")

    def wait_for_run(self, run_id: int) -> Any:
        """A run once its status changes, or after half a minute; call again until it has ended."""
        run = self._transport.json("GET", f"/runs/{run_id}")
        if run["status"] in ("queued", "running"):
            query = {"wait": LONGEST_WAIT_S, "status": run["status"]}
            run = self._transport.json("GET", f"/runs/{run_id}", query)
        return {name: run.get(name) for name in ("run_id", "status", "commit_sha", "duration_ms")}

    def show_difference(self, run_id: int, regression_id: int) -> Any:
        """Show how the outputs of a test in a run differ from their baselines, cue by cue."""
        query = {"regression_id": regression_id}
        entries = items(self._transport, f"/runs/{run_id}/diffs", query, most=10)
        return [{"filename": entry["filename"], "captions": entry["captions"]} for entry in entries]

    def read_log(self, run_id: int, regression_id: int | None = None, last: int = 50) -> str:
        """The last lines of a run's log, or the first ones of a regression test's."""
        most = min(max(last, 1), MOST_LINES)
        if regression_id is not None:
            path, query = f"/runs/{run_id}/samples/{regression_id}/logs", {}
        else:
            path, query = f"/runs/{run_id}/logs", {"tail": most}
        return "\n".join(line["message"] for line in items(self._transport, path, query, most=most))

    def start_run(self, repository: str, commit_sha: str, platform: str = "linux") -> Any:
        """Ask for a run of a commit (40 hexadecimal digits) of a repository (owner/name)."""
        body = {"repository": repository, "commit_sha": commit_sha, "platform": platform}
        return self._transport.json("POST", "/runs", body=body, key=str(uuid.uuid4()))

    def retry_run(self, run_id: int, failed_only: bool = True) -> Any:
        """Run a run again, or only its failed tests."""
        body = {"failed_only": True} if failed_only else {}
        return self._transport.json("POST", f"/runs/{run_id}/retry", body=body)

    def request_baselines(self, run_id: int, outputs: list[dict[str, Any]]) -> Any:
        """Ask people to take outputs as new baselines: each with sample_id, regression_id,
        output_id and a reason. A person decides."""
        path = f"/runs/{run_id}/baseline-approvals"
        return self._transport.json("POST", path, body={"approvals": outputs})


def _telling(tool: Callable[..., Any]) -> Callable[..., Any]:
    """`tool`, whose failures are told to the model in a sentence: of other exceptions the package
    says only that there was one."""
    import functools

    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(tool)
    def told(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except failures.Failure as failure:
            raise ToolError(f"{failure} ({failure.code or failure.status})") from None

    return told
