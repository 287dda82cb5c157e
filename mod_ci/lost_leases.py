"""How many leases have run out, ever: written down in the database, whoever finds it out.

A timer and every web process do; one of them alone would know only its own. Rows are only ever
added, so nobody waits for anybody, and the count goes on when a run is deleted.
"""

from sqlalchemy import func, insert, select

from database import db, utc_now
from mod_ci.models import LostLease
from mod_test.models import Run


def write_down(run_id: int) -> None:
    """One more lease on this run has run out."""
    found = select(Run.platform, utc_now()).where(Run.id == run_id)
    db.session.execute(insert(LostLease).from_select(["platform", "lost_at"], found))


def counts() -> dict[str, int]:
    """Return how many there were, by platform; only platforms that had any."""
    rows = db.session.execute(select(LostLease.platform, func.count()).group_by(LostLease.platform))
    return {platform.value: count for platform, count in rows}
