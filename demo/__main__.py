"""What `scripts/serve` does once `.venv` is there: a site on this machine, with runs to see."""

import os
import sys

import requests

from demo.client import Client
from demo.jobs import show_job
from demo.place import NotHere, Place, find_place
from demo.processes import ChildEnded, Children, stop_on_signals
from demo.runs import show_runs
from demo.set_up import set_up
from demo.summary import tell_site, tell_summary
from demo.telling import say
from demo.web import start_deliverer, start_runner, start_web


def main() -> int:
    """Run the site until Ctrl-C; the exit status."""
    sys.stdout.reconfigure(errors="replace", line_buffering=True)  # type: ignore[union-attr]
    os.umask(0o077)  # the database holds tokens and passwords, if only as hashes
    stop_on_signals()
    try:
        serve(find_place(os.environ))
    except NotHere as problem:
        say(f"scripts/serve: {problem}", error=True)
        return 1
    except (ChildEnded, requests.RequestException) as problem:
        say(f"\n{problem}", error=True)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    return 0


def serve(place: Place) -> None:
    """Set up, start, show the runs and what to try, and wait; stop everything in the end."""
    with place.alone(), Children() as children:
        site = set_up(place)
        start_web(place, children)
        takes_jobs = start_runner(place, site, children)
        start_deliverer(place, children)
        client = Client(place.url, site.own_token, children.check)
        run_id = show_runs(client, place, site)
        tell_summary(client, run_id)
        if takes_jobs:
            show_job(client)
        tell_site(place, site, client, run_id)
        children.wait()


if __name__ == "__main__":
    sys.exit(main())
