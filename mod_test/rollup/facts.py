"""What is kept of a run beside its results: where it came from, and its set of tests."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select

from database import db
from mod_test.models import Fork, Run, RunRecord
from mod_test.rollup.tables import BRANCH_LENGTH, RunSet, RunSetMember
from mod_test.sets import members_of
from mod_test.validity import IS_VALID

SHOWN_OF_A_BRANCH = 59
IDS: Any = bindparam("ids", expanding=True)
_FACTS = (
    select(
        Run.id, Run.platform, Run.fork_id, Run.branch, Run.commit, Run.pr_nr, RunRecord.created_at
    )
    .join(Fork, Fork.id == Run.fork_id)
    .join(RunRecord, RunRecord.test_id == Run.id)
    .where(Run.id.in_(IDS), *IS_VALID)
)
_MEMBERS = members_of(IDS, bindparam("live", expanding=True))


def branch_key(branch: str) -> str:
    """A branch as it is kept: itself or, where it is longer than any that is asked for, its
    beginning and a hash behind a character that no branch has."""
    if len(branch) <= BRANCH_LENGTH:
        return branch
    digest = hashlib.sha256(branch.encode()).hexdigest()
    return f"{branch[:SHOWN_OF_A_BRANCH]}\0{digest[: BRANCH_LENGTH - SHOWN_OF_A_BRANCH - 1]}"


@dataclass(frozen=True)
class Facts:
    """What is kept of a run, by column, and how many tests its set has."""

    columns: dict[str, Any]
    members: int


def facts_of(run_ids: Collection[int]) -> dict[int, Facts]:
    """The facts of each of these ended runs that is valid, by its id."""
    rows = db.session.execute(_FACTS, {"ids": list(run_ids)}).all()
    sets = _sets_of([row.id for row in rows])
    return {
        row.id: Facts(
            {
                "platform": row.platform,
                "fork_id": row.fork_id,
                "branch": branch_key(row.branch),
                "commit_sha": row.commit.lower(),
                "pull_request": row.pr_nr if row.pr_nr > 0 else None,
                "created_at": row.created_at,
                "set_id": sets[row.id][0],
            },
            members=sets[row.id][1],
        )
        for row in rows
    }


def _sets_of(run_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The id of each run's set of tests, and how many it has; a set that is not known yet is
    written down."""
    members: dict[int, list[int]] = {run_id: [] for run_id in run_ids}
    if not run_ids:
        return {}
    for run_id, regression_id in db.session.execute(_MEMBERS, {"ids": list(run_ids), "live": [0]}):
        members[run_id].append(regression_id)
    sets = {run_id: tuple(sorted(ids)) for run_id, ids in members.items()}
    known = _known({ids: _digest(ids) for ids in set(sets.values())})
    return {run_id: (known[ids], len(ids)) for run_id, ids in sets.items()}


def _known(digests: Mapping[tuple[int, ...], str]) -> dict[tuple[int, ...], int]:
    rows = db.session.execute(
        select(RunSet.digest, RunSet.id).where(RunSet.digest.in_(list(digests.values())))
    )
    known = dict(rows.tuples().all())
    for ids, digest in digests.items():
        if digest in known:
            continue
        new = RunSet(digest=digest)
        db.session.add(new)
        db.session.flush()
        known[digest] = new.id
        if ids:
            db.session.execute(
                insert(RunSetMember),
                [{"set_id": new.id, "regression_test_id": regression_id} for regression_id in ids],
            )
    return {ids: known[digest] for ids, digest in digests.items()}


def _digest(ids: tuple[int, ...]) -> str:
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
