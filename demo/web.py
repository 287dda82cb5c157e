"""The processes of the site, and asking the first whether it answers."""

import os
import signal
import sys
import time
from pathlib import Path

import imageio_ffmpeg
import requests

from config import INSTANCE
from demo.place import Place
from demo.processes import Children
from demo.set_up import RUNNER_TOKEN, Site
from demo.telling import say, step
from mod_ci.runner import engines
from mod_ci.runner.engines.model import EngineMissing

START_SECONDS = 60.0
RUNNER = INSTANCE / "runner"


def start_web(place: Place, children: Children) -> None:
    """Start the server and wait until it answers. Raises ChildEnded."""
    with step("Web server"):
        program = Path(sys.executable).with_name("gunicorn")
        # What waits for a run is not worth waiting for at the end.
        command = [str(program), "--graceful-timeout", "1", "run:create_app()"]
        children.start("web server", command, place.environment)
        until = time.monotonic() + START_SECONDS
        while not _is_well(place) and time.monotonic() < until:
            children.check()
            time.sleep(0.1)


def start_runner(place: Place, site: Site, children: Children) -> bool:
    """Start a runner that builds each run's commit from the demo's repository; whether it takes
    jobs, too, for which it needs a sandbox."""
    problem = None
    try:
        engines.choose("auto", RUNNER)
    except EngineMissing as error:
        problem = str(error)
        say(f"No jobs here: {problem.splitlines()[0]}.")
        say("  `apt-get install bubblewrap` gives them a sandbox on most hosts.")
    kinds = "run" if problem else "run,job"
    command = [
        *(sys.executable, "-m", "mod_ci.runner", "--server", place.url),
        *("--token-file", str(RUNNER_TOKEN), "--name", "this-machine", "--platform", "linux"),
        *("--build", './build.sh && cp build/ccextractor "$OUTPUT/"'),
        *("--kinds", kinds, "--work-dir", str(RUNNER), "--jobs", str(min(4, os.cpu_count() or 1))),
    ]
    environment = place.environment | {"FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()}
    # Without its server it cannot give its run back; its lease then runs out soon enough.
    children.start("runner", command, environment, ended_by=signal.SIGKILL)
    return problem is None


def start_deliverer(place: Place, children: Children) -> None:
    """Start what delivers messages to webhooks."""
    command = [sys.executable, "-m", "flask", "--app", "run", "outbox", "deliver", "--follow"]
    children.start("deliverer", command, place.environment)


def _is_well(place: Place) -> bool:
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us
        try:
            health = session.get(f"{place.url}/api/v1/system/health", timeout=5)
        except requests.RequestException:
            return False
    return health.status_code == 200
