"""The two runs of the demonstration: asked for over HTTP, and watched until they end."""

import time
from typing import Any

from demo.bar import Bar
from demo.client import Client
from demo.place import Place
from demo.set_up import Site

LOOK_SECONDS = 1.0
ENDED = ("pass", "fail", "canceled", "error", "incomplete")


def show_runs(client: Client, place: Place, site: Site) -> int:
    """Run the good commit, then the regressed one, each once for good; the second one's id."""
    demo = site.demo
    watch(client, ensure(client, place, demo.good_commit), "the good commit")
    run_id = ensure(client, place, demo.regressed_commit)
    watch(client, run_id, "the regressed commit")
    return run_id


def ensure(client: Client, place: Place, commit: str) -> int:
    """The newest run of a commit that came, or may still come, to results; else a new one."""
    repository = place.settings.main_repository
    known = client.get("/runs", repository=repository, commit_sha=commit, sort="-run_id")["data"]
    for run in known:
        if run["status"] not in ("canceled", "error"):
            return int(run["run_id"])
    body = {
        "repository": repository, "branch": "master", "commit_sha": commit, "platform": "linux",
    }  # fmt: skip
    # An answer that was lost on the way does not make a second run.
    key = f"demo-{commit[:12]}-{len(known)}"
    return int(client.post("/runs", body, **{"Idempotency-Key": key})["run_id"])


def watch(client: Client, run_id: int, what: str) -> None:
    """Show a run's progress until it has ended."""
    bar = Bar(f"Run {run_id}, {what}")
    while True:
        counts = client.get(f"/runs/{run_id}/summary")
        done = counts["total_samples"] - counts["skipped_count"]
        has_ended = counts["status"] in ENDED
        bar.show(done, counts["total_samples"], told(client, run_id, counts, has_ended))
        if has_ended:
            bar.end()
            return
        time.sleep(LOOK_SECONDS)


def told(client: Client, run_id: int, counts: dict[str, Any], has_ended: bool) -> str:
    """What a run is doing, in a few words."""
    if has_ended:
        return f"{counts['status']}, {counts['pass_count']} passed"
    if counts["status"] == "queued":
        return "waits for a runner"
    events = client.get(f"/runs/{run_id}/progress", limit=100)["data"]
    return str(events[-1]["message"]).splitlines()[0] if events else ""
