"""Which runs the API shows (semantics.md, "Ids, values, input")."""

from database import exact, is_commit, is_repository
from mod_test.models import Fork, Platform, Run

# Of a `Run` joined to its `Fork`: a full commit, a repository on GitHub, a known platform.
IS_VALID = (
    is_commit(Run.commit),
    is_repository(Fork.github),
    exact(Run.platform).in_([platform.value for platform in Platform]),
)
