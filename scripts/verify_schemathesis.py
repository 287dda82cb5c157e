"""Hold a live server against the committed document: `python scripts/verify_schemathesis.py`.

schemathesis asks every operation of openapi-ci-api.yaml with right and wrong input, and sequences
of operations that belong together; `schemathesis.toml` says what is left out, and why. The server
is gunicorn on loopback with SQLite and data of every kind, all in a folder that is removed. It
takes four minutes, with `--quick` less than two. Exit status: 0 when the server does what the
document says.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Started as a file, Python looks for modules beside that file only.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from config import READERS, ROOT, Settings
from database import db, migrating
from run import create_app
from tests import factories, full_dataset
from tests.mod_auth import github_stand_in

DOCUMENT = ROOT / "openapi-ci-api.yaml"
SECONDS, QUICK_SECONDS = 240, 90
EXAMPLES, QUICK_EXAMPLES = 12, 3
START_SECONDS = 120
STOP_SECONDS = 40
SHOWN_LINES = 20


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Hold a live server against its document.")
    parser.add_argument("--quick", action="store_true", help="fewer examples in less time")
    parser.add_argument("--seed", type=int, default=1, help="of what is generated (default 1)")
    options, more = parser.parse_known_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="conformance-") as folder,
        github_stand_in.github() as hub,
    ):
        environment = server_environment(Path(folder), hub.url)
        tokens = prepare(Path(folder), environment)
        with serving(Path(folder), environment) as url:
            credential = claim(url, tokens["admin"], "run")
            job_credential = claim(url, tokens["admin"], "job")
            secrets = {
                "API_TOKEN": tokens["admin"],
                "EXPENDABLE_TOKEN": tokens["expendable"],
                "REVOKING_TOKEN": tokens["revoking"],
                "ATTEMPT_CREDENTIAL": credential,
                "JOB_CREDENTIAL": job_credential,
                "PYTHONPATH": str(ROOT),  # of the hooks
            }
            command = schemathesis(url, quick=options.quick, seed=options.seed)
            # Its own example database would make a run depend on the one before.
            status = subprocess.run(
                [*command, *more], cwd=folder, env={**os.environ, **secrets}, check=False
            ).returncode
        if errors := unexpected(Path(folder)):
            print(f"\nThe server wrote {len(errors)} unexpected errors, among them:")
            print(*errors[:SHOWN_LINES], sep="\n")
            status = status or 1
    return status


def schemathesis(url: str, *, quick: bool, seed: int) -> list[str]:
    """The command that asks the server at `url`."""
    seconds, examples = (QUICK_SECONDS, QUICK_EXAMPLES) if quick else (SECONDS, EXAMPLES)
    program = Path(sys.executable).with_name("schemathesis")
    settings = ["--config-file", str(ROOT / "schemathesis.toml"), "run", str(DOCUMENT)]
    bounds = ["--max-examples", str(examples), "--max-time", str(seconds), "--seed", str(seed)]
    return [str(program), *settings, "--url", url, *bounds]


def server_environment(folder: Path, github: str) -> dict[str, str]:
    """The server's settings: everything in `folder`, a GitHub on loopback, no limits, leases that
    outlive the check."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in READERS}
    return {
        **kept,
        "FLASK_SKIP_DOTENV": "1",
        "DATABASE_URL": f"sqlite:///{folder / 'platform.sqlite'}",
        "SAMPLE_REPOSITORY": str(folder / "repository"),
        "SECRET_KEY": "only-for-this-check-" + "0" * 32,
        "PASSWORD_ROUNDS": "1000",
        "LEASE_SECONDS": "600",
        "PUBLIC_URL": "https://ci.example.org",
        "GITHUB_CLIENT_ID": github_stand_in.CLIENT_ID,
        "GITHUB_CLIENT_SECRET": github_stand_in.CLIENT_SECRET,
        "GITHUB_URL": github,
        "GITHUB_API_URL": github,
        "JOBS": "on",
        **{f"RATE_LIMIT_{kind}": "off" for kind in ("READ", "WRITE", "AUTH", "RUNNER", "SUBMIT")},
    }


def prepare(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """Make the tables and the data; the tokens to ask with."""
    (folder / "repository").mkdir()
    app = create_app(Settings.from_environment(dict(environment)))
    with app.app_context():
        migrating.upgrade()
        factories.bind(db.engine)
        tokens = full_dataset.tokens()
        full_dataset.fill(folder / "repository")
        full_dataset.fill_jobs(app.extensions["repository"])
        full_dataset.fill_webhooks()
        db.engine.dispose()
    return tokens


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """A gunicorn on a free port; the address of the API. Its log is kept in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "gunicorn", "--bind", address]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://{address}/api/v1/system/health", server)
            yield f"http://{address}/api/v1"
        finally:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers. Raises SystemExit when it ends or takes too long."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  on loopback
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


def claim(url: str, token: str, kind: str) -> str:
    """Claim a run or a job, which is attempt 1 of its kind; its credential."""
    request = urllib.request.Request(  # noqa: S310  on loopback
        f"{url}/attempts",
        data=full_dataset.claim(kind).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  on loopback
        return str(json.load(answer)["credential"])


def unexpected(folder: Path) -> list[str]:
    """What the server's log tells of errors that nobody expected."""
    lines = (folder / "server.log").read_text(errors="replace").splitlines()
    return [line for line in lines if '"unexpected_error"' in line or line.startswith("Traceback")]


if __name__ == "__main__":
    sys.exit(main())
