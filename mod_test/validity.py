"""The runs that the API shows, as a condition in SQL and for one row's values.

docs/semantics.md, "Ids, values, input", has the rule.

A test holds the two against each other.
"""

import re

from database import exact, is_commit, is_repository, unindexed
from mod_test.models import Fork, Platform, Run

_COMMIT = re.compile("[0-9a-fA-F]{40}", re.ASCII)
_REPOSITORY = re.compile("https://github[.]com/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", re.ASCII)

# Of a `Run` joined to its `Fork`: an id, a full commit, a repository on GitHub, a known platform.
IS_VALID = (
    unindexed(Run.id) > 0,
    is_commit(Run.commit),
    is_repository(Fork.github),
    exact(Run.platform).in_([platform.value for platform in Platform]),
)


def is_valid(commit: str | None, repository: str | None, platform: Platform | None) -> bool:
    """The same of what was read: the platform is None where its word is not known.

    (But for a text that ends in a NUL, where SQLite reads none; nobody gets such a run.)
    """
    return (
        platform is not None
        and _COMMIT.fullmatch(commit or "") is not None
        and _REPOSITORY.fullmatch(repository or "") is not None
    )
