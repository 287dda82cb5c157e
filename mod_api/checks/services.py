"""Findings about storages and the store of the limits."""

from collections.abc import Iterator

from config import Settings
from mod_api.checks.finding import Finding, fail, ok, warn
from mod_auth.counters import open_store
from mod_sample.storage import HealthStatus, Repository, health

SECONDS = 5.0


def storages(repository: Repository) -> Iterator[Finding]:
    """Return whether each storage can be written to."""
    for found in health(repository, SECONDS):
        subject = "folder" if found.name == "local" else "bucket"
        match found.status:
            case HealthStatus.OK:
                yield ok(subject, "It answers." if found.name == "gcs" else "It can be written to.")
            case HealthStatus.DEGRADED:
                yield warn(subject, f"It works, but {found.message}.")
            case HealthStatus.DOWN:
                yield fail(subject, found.message or "It does not answer.")


def limits(settings: Settings) -> Finding:
    """Report where requests are counted, and whether it answers."""
    if not settings.has_limits:
        return warn("limits", "All are off.")
    if not settings.redis_url:
        return ok("limits", "Counted in the memory of the one process.")
    try:
        open_store(settings.redis_url).check()
    except Exception:  # noqa: BLE001  whatever goes wrong is what is asked for
        return fail("limits", "Redis does not answer; each process counts for itself meanwhile.")
    return ok("limits", "Counted in Redis, which answers.")
