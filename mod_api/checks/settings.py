"""The settings: which are not the default, and whether they can do what they are for."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import make_url

from config import HIDDEN, Settings
from mod_api.checks.finding import Finding, fail, ok, warn

CREDENTIAL = re.compile(r"//[^/@]*@")


def findings(settings: Settings) -> Iterator[Finding]:
    """Report settings that differ from the default, contradict each other or do not suffice."""
    yield ok("settings", ", ".join(effective(settings)) or "all are the default")
    yield processes(settings)
    yield clones(settings)
    yield links(settings)
    yield from tools(settings)


def effective(settings: Settings) -> Iterator[str]:
    """NAME=value of each setting that is not the default; secrets are only said to be set."""
    for setting in fields(settings):
        value, name = getattr(settings, setting.name), setting.name.upper()
        if value == setting.default:
            continue
        if name in HIDDEN:
            yield f"{name} is set"
        elif name == "DATABASE_URL":
            yield f"{name}={make_url(value).render_as_string(hide_password=True)}"
        elif isinstance(value, tuple):
            yield f"{name}={','.join(map(str, value)) or 'none'}"
        elif value is None:
            yield f"{name}=off"
        else:
            yield f"{name}={CREDENTIAL.sub('//***@', str(value))}"


def processes(settings: Settings) -> Finding:
    """Several processes would each count requests for themselves."""
    count = os.environ.get("WEB_CONCURRENCY") or "1"
    if count == "1" or settings.redis_url or not settings.has_limits:
        return ok("processes", f"WEB_CONCURRENCY is {count}.")
    return fail(
        "processes", f"WEB_CONCURRENCY is {count}, limits are on, and REDIS_URL is not set."
    )


def clones(settings: Settings) -> Finding:
    """Report where runners clone from."""
    parts = urlsplit(settings.git_base_url)
    example = f"{settings.git_base_url}/{settings.main_repository}.git"
    if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
        return fail("GIT_BASE_URL", f"{settings.git_base_url} is no folder of this machine.")
    if parts.scheme == "http":
        return warn("GIT_BASE_URL", f"Runners clone {example} without encryption.")
    if parts.username or parts.password:
        return warn("GIT_BASE_URL", "It holds a credential, which every runner is told.")
    return ok("GIT_BASE_URL", f"Runners clone {example}.")


def links(settings: Settings) -> Finding:
    """Return whether the links in answers can be followed from elsewhere."""
    if settings.public_url:
        return ok("links", f"They start with {settings.public_url}.")
    if settings.trusted_hosts:
        return ok(
            "links", f"They name the host that was asked: {', '.join(settings.trusted_hosts)}."
        )
    return warn(
        "links",
        "They are paths such as /api/v1/runs/1, which clients must complete, since neither "
        "PUBLIC_URL nor TRUSTED_HOSTS is set.",
    )


def tools(settings: Settings) -> Iterator[Finding]:
    """Report tools that a runner on this machine lacks."""
    if not settings.runner_platforms:
        yield ok("runner", "RUNNER_PLATFORMS is none: no runs are handed out.")
        return
    if shutil.which("git") is None:
        yield warn("runner", "git is not installed: a runner here could not build commits.")
    if shutil.which("bwrap") is None:
        yield warn("runner", "bwrap is not installed: a runner here would test without a sandbox.")
    else:
        yield ok("runner", "A runner here would find bwrap for its sandbox.")
