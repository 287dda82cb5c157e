"""How the configured storages are."""

from dataclasses import dataclass
from enum import StrEnum

from mod_sample.storage.errors import StorageError
from mod_sample.storage.repository import Repository
from mod_sample.storage.side_by_side import ask_all


class HealthStatus(StrEnum):
    """Works, works but only just, does not work."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """How one storage is; `name` is `local` or `gcs`, `message` a phrase where not ok."""

    name: str
    status: HealthStatus
    message: str | None = None


def health(repository: Repository, timeout: float = 1.5) -> list[BackendHealth]:
    """Try each configured storage, side by side, for at most `timeout` seconds.

    Raises nothing. A bucket that was found dead just now is not asked again.
    """
    asked = {backend.name: backend for backend in repository.backends()}
    resting = []
    if repository.bucket and not repository.breaker.allows():
        resting = [
            BackendHealth(repository.bucket.name, HealthStatus.DOWN, "did not answer lately")
        ]
        del asked[repository.bucket.name]

    def ping(name: str) -> BackendHealth:
        try:
            warning = asked[name].ping(timeout)
        except StorageError as error:
            return BackendHealth(name, HealthStatus.DOWN, str(error))
        return BackendHealth(name, HealthStatus.DEGRADED if warning else HealthStatus.OK, warning)

    answers = ask_all(ping, asked, timeout)
    late = {
        name: BackendHealth(name, HealthStatus.DOWN, f"no answer within {timeout} s")
        for name in asked
    }
    found = late | answers
    if repository.bucket and repository.bucket.name in found:
        if found[repository.bucket.name].status is HealthStatus.DOWN:
            repository.breaker.failed()
        else:
            repository.breaker.answered()
    return [*found.values(), *resting]
