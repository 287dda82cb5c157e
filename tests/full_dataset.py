"""One of everything: data on which every operation of the API has something to answer.

On empty tables its ids are small numbers, which `schemathesis.toml` names.
"""

import json
from pathlib import Path

from mod_auth.models import Role
from mod_auth.scopes import Scope
from tests import factories
from tests.factories import Expected

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


def claim(platform: str = "linux") -> str:
    """The body of a claim."""
    return json.dumps({"platform": platform, "runner_name": "conformance", "wait": 0})
