"""Which runs are meant: the same choice of runs as conditions on what is kept, and on the rest.

Conditions are composed once for each choice of filters; the values are parameters.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func

from database import exact
from mod_test import repositories
from mod_test.models import Fork, Platform, Run, RunRecord
from mod_test.rollup.tables import RunRollup
from mod_test.run_rows import Last
from mod_test.verdict import RunStatus, status_of_run

Condition = Callable[[Any], ColumnElement[bool]]


@dataclass(frozen=True)
class RunFilter:
    """What `GET /runs` filters by; None filters nothing. Commits and names are lower case."""

    status: RunStatus | None = None
    branch: str | None = None
    commit_sha: str | None = None
    repository: str | None = None
    platform: Platform | None = None
    pull_request: int | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.commit_sha is not None:
            given["commit_sha"] = self.commit_sha.lower()
        if self.repository is not None:
            given["repository"] = repositories.addresses_of(self.repository)
        return {f"of_run_{name}": value for name, value in given.items() if value is not None}


def of_kept(given: Collection[str]) -> list[ColumnElement[bool]]:
    """What a `RunRollup` must meet, where these names are among the parameters."""
    return _chosen(_KEPT, given)


def of_derived(given: Collection[str]) -> list[ColumnElement[bool]]:
    """What a `Run` joined to its fork, record and `Last` progress must meet; its status is
    derived."""
    return _chosen(_DERIVED, given)


def _chosen(conditions: dict[str, Condition], given: Collection[str]) -> list[ColumnElement[bool]]:
    return [conditions[name](bindparam(name)) for name in sorted(set(conditions) & set(given))]


def _is_named(github: Any, addresses: Any) -> Any:
    return func.lower(github).in_(bindparam(addresses.key, expanding=True))


_KEPT: dict[str, Condition] = {
    "of_run_status": lambda value: RunRollup.status == value,
    "of_run_branch": lambda value: RunRollup.branch == value,
    "of_run_commit_sha": lambda value: RunRollup.commit_sha == value,
    "of_run_platform": lambda value: RunRollup.platform == value,
    "of_run_pull_request": lambda value: RunRollup.pull_request == value,
    "of_run_created_after": lambda value: RunRollup.created_at > value,
    "of_run_created_before": lambda value: RunRollup.created_at < value,
}
_DERIVED: dict[str, Condition] = {
    "of_run_status": lambda value: status_of_run(Last) == value,
    "of_run_branch": lambda value: exact(Run.branch) == exact(value),
    "of_run_commit_sha": lambda value: func.lower(Run.commit) == value,
    "of_run_repository": lambda value: _is_named(Fork.github, value),
    "of_run_platform": lambda value: Run.platform == value,
    "of_run_pull_request": lambda value: Run.pr_nr == value,
    "of_run_created_after": lambda value: RunRecord.created_at > value,
    "of_run_created_before": lambda value: RunRecord.created_at < value,
}
