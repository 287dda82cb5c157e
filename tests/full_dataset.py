"""One of everything: data on which every operation of the API has something to answer.

On empty tables its ids are small numbers, which `schemathesis.toml` names.
"""

import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path

from database import db, reading, writing
from mod_auth import accounts
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_job import state
from mod_job.models import Conclusion, JobArtifact, JobCoverage, JobTest
from mod_sample.storage import Repository, job_artifact_key, job_log_key, job_source_key
from tests import factories
from tests.factories import Expected
from tests.jobs import zipped

ENDED = ("preparation", "testing", "completed")
BASELINE = b"1\n00:00:01,000 --> 00:00:02,000\nGood evening.\n"
CHANGED = b"1\n00:00:01,500 --> 00:00:02,500\nGood morning.\n"
MEDIA_INFO = (
    "<Mediainfo><File><track type='General'><Format>MPEG-TS</Format></track></File></Mediainfo>"
)
LOG = (
    "2026-01-01T00:00:01.000Z info orchestrator | Checking out\n"
    "2026-01-01T00:00:02.000Z warning build | A warning of the compiler\n"
    "2026-01-01T00:00:03.000Z info test_runner #1 | 00:00:01,000 --> 00:00:02,000\n"
)


HELD_JOB = "00000000-0000-4000-8000-000000000001"
ENDED_JOB = "00000000-0000-4000-8000-000000000002"
JOB_LOG = b"2026-01-01T00:00:00.000Z info test_runner | collected 1 item\n"


def tokens() -> dict[str, str]:
    """Tokens of new accounts: `admin` with every scope, `expendable` to be revoked by itself,
    `revoking` beside others of its account."""
    admin = factories.account(Role.admin, name="admin", email="admin@example.org")
    other = factories.account(Role.user)
    return {
        "admin": factories.token_for(admin, *Scope),
        "expendable": factories.token_for(factories.account(Role.user), *Scope),
        "revoking": [factories.token_for(other, *Scope) for _ in range(4)][-1],
    }


def fill(folder: Path) -> None:
    """Runs in every state with results of every kind; files go into the sample repository."""
    good = factories.stored_output(folder, BASELINE)
    changed = factories.stored_output(folder, CHANGED)
    sample = factories.stored_sample(
        folder, b"media", tags=[factories.tag("news"), factories.tag("608")], notes="From a TV."
    )
    media = folder / "TestFiles" / "media"
    media.mkdir(parents=True)
    (media / f"{sample.sha}.xml").write_text(MEDIA_INFO)
    category = factories.category("captions")
    fine = factories.regression_test(
        sample=sample,
        categories=[category],
        outputs=[Expected(good, filename="news.srt"), Expected(ignore=True)],
    )
    differing = factories.regression_test(
        sample=sample, categories=[category], outputs=[Expected(good), Expected(good)]
    )
    variant = factories.regression_test(outputs=[Expected(good, variants=[changed])])
    inactive = factories.regression_test(active=False)

    for platform in ("linux", "windows"):
        for commit in ("first", "second"):
            failed = factories.run(
                platform=platform, commit=factories.commit_of(commit), progress=ENDED
            )
            factories.result(failed, fine, exit_code=1)
            factories.result(failed, differing, outputs={differing.outputs[0]: changed})
            factories.result(failed, variant, outputs={variant.output: changed})
            factories.result(failed, inactive, exit_code=-11, outputs={})
            factories.sentinel(failed, variant)
            keep_log(folder, failed.id)
            passed = factories.run(platform=platform, progress=ENDED, tests=[fine])
            factories.result(passed, fine)
    factories.run(progress=ENDED)
    incomplete = factories.run(progress=ENDED, tests=[fine, variant])
    factories.result(incomplete, fine)
    factories.run(progress=["preparation", ("canceled", "Canceled by user")])
    factories.run(progress=["preparation", ("canceled", "Traceback\n  in build.py\nError: git")])
    running = factories.run(progress=["preparation", "testing"], pull_request=7)
    factories.result(running, fine)
    keep_log(folder, running.id)
    factories.run(repository="jane/ccextractor", branch="topic")
    for _ in range(40):
        factories.run(tests=[fine, differing])


def keep_log(folder: Path, run_id: int) -> None:
    path = folder / "LogFiles" / f"{run_id}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(LOG)


def fill_jobs(repository: Repository) -> None:
    """A job that waits to be claimed, and one that has ended; of the admin, in a writing unit."""
    with reading():
        account = accounts.find("admin@example.org")
    assert account is not None
    for uuid in (HELD_JOB, ENDED_JOB):
        repository.put(job_source_key(uuid), io.BytesIO(zipped()))
        repository.put(job_log_key(uuid), io.BytesIO(JOB_LOG))
        with writing():
            job = state.submit(
                account.id, uuid, namespace="", spec={}, source_sha256="0" * 64, source_bytes=1,
                priority=5, most_running=4, name="conformance", labels=["main"],
            )  # fmt: skip
            if uuid == HELD_JOB:
                continue
            found = state.lock(job.id)
            assert found is not None
            lease = timedelta(hours=1)
            state.start(*found, attempt_id=1, lease=lease, runner="conformance")
            sha256 = hashlib.sha256(b"kept").hexdigest()
            of_attempt = {"job_id": job.id, "attempt": 1}
            name_hash = hashlib.sha256(b"kept.txt").hexdigest()
            db.session.add_all(
                [
                    JobTest(**of_attempt, number=1, nodeid="test_it", outcome="passed"),
                    JobArtifact(
                        **of_attempt, name="kept.txt", name_hash=name_hash, size=4, sha256=sha256
                    ),
                    JobCoverage(
                        **of_attempt, file="a.py", file_hash=name_hash, lines=2, covered_lines=1
                    ),
                ]
            )
            state.end(*found, Conclusion.success, why="The command ended with exit code 0.")
        repository.put(job_artifact_key(uuid, 1, sha256), io.BytesIO(b"kept"))


def claim(kind: str = "run") -> str:
    """The body of a claim."""
    told = {"platform": "linux", "runner_name": "conformance", "wait": 0, "kinds": [kind]}
    return json.dumps(told)


def fill_webhooks() -> None:
    """A webhook of the first account, with a message that was delivered."""
    factories.delivered_message(1)
