"""What is printed in the end: how the regressed run went, and what to try next."""

import json
from typing import Any

from demo.client import Client
from demo.place import Place
from demo.set_up import Site, email
from demo.telling import say

DIFFERENCE = "diff_mismatch"
READABLY = "| python3 -m json.tool"
TIMING = ("timing_shift", "timing_drift")


def tell_summary(client: Client, run_id: int) -> None:
    """Print a run's counts and its failing tests, each with what it shows."""
    run = client.get(f"/runs/{run_id}")
    counts = client.get(f"/runs/{run_id}/summary")
    say(
        f"\nRun {run_id}, commit {run['commit_short']}: {counts['status']}. "
        f"{counts['total_samples']} tests, {counts['pass_count']} passed, "
        f"{counts['fail_count']} failed, {counts['missing_output_count']} without an output, "
        f"{counts['skipped_count']} skipped."
    )
    matrix = client.get(f"/runs/{run_id}/config")["matrix"]
    commands = {test["regression_id"]: test["command"] for test in matrix}
    names = {sample["sample_id"]: sample["name"] for sample in all_of(client, "/samples")}
    for error in all_of(client, f"/runs/{run_id}/errors"):
        command = f"{commands[error['regression_id']]} {names[error['sample_id']]}"
        say(f"\n  Test {error['regression_id']}: {command.strip()}")
        say(f"    {error['message']}")
        if error["type"] == DIFFERENCE and error["caption_change"] is None:
            say(f"    {captions_of(client, error)['message']}")


def tell_site(place: Place, site: Site, client: Client, run_id: int) -> None:
    """Print where everything is, who may sign in, and what to try."""
    api = f"{place.url}/api/v1"
    say(f"\nThe site is at       {place.url}")
    say(f"Its API is at        {api}")
    say(f"Its documentation at {api}/docs")
    say("  There every operation can be read and tried: press Authorize, paste the token below.")
    say("\nAccounts of this demonstration (POST /auth/tokens makes a token of one):")
    for role, password in site.passwords.items():
        say(f"  {role:<12} {email(role):<25} {password}")
    say("\nA token of the admin's, good for a year and for all but a runner's work:")
    say(f"\n  API={api}\n  TOKEN={site.token}")
    say("\nWhat to try next:")
    for text, command in commands_to_try(client, run_id, api):
        say(f"\n  # {text}\n  {command}")
    say("\nCtrl-C stops everything; the data stays for the next start.")


def commands_to_try(client: Client, run_id: int, api: str) -> list[tuple[str, str]]:
    """Commands, each with what it is for: look at a difference, ask, approve."""
    errors = all_of(client, f"/runs/{run_id}/errors", type=DIFFERENCE)
    curl = 'curl -s -H "Authorization: Bearer $TOKEN"'
    if not errors:
        return [("What the platform stands on", f"{curl} {api}/system/health {READABLY}")]
    # What came out in other words is nothing to approve; what came out later may be.
    moved = [error for error in errors if captions_of(client, error)["kind"] in TIMING]
    error = (moved or errors)[0]
    query = "&".join(f"{name}={value}" for name, value in which(error).items())
    body = json.dumps({**which(error), "reason": "The new captions are the right ones."})
    return [
        (
            "What changed in these captions, cue by cue",
            f"{curl} \\\n    '{api}{address(error)}/diff?{query}' \\\n    {READABLY}",
        ),
        (
            "Ask for them to become the baseline; the answer has an approval_id",
            f"{curl} -H 'Content-Type: application/json' \\\n    -d '{body}' \\\n"
            f"    {api}{address(error)}/baseline-approval \\\n    {READABLY}",
        ),
        (
            "Approve that (another approval_id than 1 in the path, if it is not the first)",
            f"{curl} -X POST \\\n    {api}/baseline-approvals/1/approve {READABLY}",
        ),
    ]


def captions_of(client: Client, error: dict[str, Any]) -> dict[str, Any]:
    """What a difference is in the terms of captions."""
    captions: dict[str, Any] | None = client.get(f"{address(error)}/diff", **which(error))[
        "captions"
    ]
    return captions or {"kind": "", "message": "This is no caption file."}


def address(error: dict[str, Any]) -> str:
    """The path of what an error is about."""
    return f"/runs/{error['run_id']}/samples/{error['sample_id']}"


def which(error: dict[str, Any]) -> dict[str, int]:
    """The query that names the output of an error."""
    return {
        "regression_id": error["regression_id"],
        "output_id": error["location"]["output_id"],
    }


def all_of(client: Client, path: str, **query: object) -> list[dict[str, Any]]:
    """Every entry of a list, whatever its length."""
    found: list[dict[str, Any]] = []
    while True:
        page = client.get(path, limit=100, offset=len(found), **query)
        found += page["data"]
        if not page["data"] or len(found) >= page["pagination"]["total"]:
            return found
