"""A job to see: a small project with a failing test, submitted once, and its report."""

import io
import zipfile

from demo.client import Client
from demo.telling import say, step

NAME = "demonstration"
PROJECT = {
    "captions.py": """def seconds(time):
    hours, minutes, rest = time.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)
""",
    "test_captions.py": """from captions import seconds


def test_a_time_with_dots():
    assert seconds("00:01:02.500") == 62.5


def test_a_time_with_commas():
    assert seconds("00:01:02,500") == 62.5
""",
}


def show_job(client: Client) -> None:
    """Submit the project, unless an earlier start has, and print how its tests went."""
    known = client.get("/jobs", q=NAME, limit=1)["data"]
    with step("A job: the tests of a small project, in a sandbox"):
        job = known[0] if known else client.submit(NAME, archive())
        while job["state"] != "ended":
            job = client.get(f"/jobs/{job['job_id']}", wait=10)
    counts = job["tests"]
    say(
        f"\nJob {job['job_id']}: {job['conclusion']}. "
        f"{counts['passed'] + counts['failed']} tests, {counts['passed']} passed, "
        f"{counts['failed']} failed."
    )
    for test in client.get(f"/jobs/{job['job_id']}/tests", outcome="failed")["data"]:
        say(f"\n  {test['nodeid']}")
        lines = (test["message"] or "").splitlines()
        told = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
        say(f"    {told[-1] if told else ''}")
    say("\n  # A project of yours, followed to its end (needs no token on this machine)")
    say(f"  curl -N -F file=@project.zip {client.url}/submit")


def archive() -> bytes:
    """The project as a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in PROJECT.items():
            made.writestr(name, content)
    return out.getvalue()
