"""What is kept of a run beside its results: where it came from, and its set of tests."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import aliased

from database import NO_ID, db, fetch
from mod_test.models import Fork, Run, RunRecord, RunRequester
from mod_test.rollup.tables import (
    BRANCH_LENGTH,
    FailingResult,
    RunRollup,
    RunSet,
    RunSetMember,
)
from mod_test.run_rows import FIRST_REQUESTER
from mod_test.sets import members_of
from mod_test.validity import IS_VALID

SHOWN_OF_A_BRANCH = 59
CUT = "\0"  # in the key of a branch that is kept, where it is not the whole name
IDS: Any = bindparam("ids", expanding=True)
_First = aliased(RunRequester)
_FACTS = (
    select(
        Run.id,
        Run.platform,
        Run.fork_id,
        Run.branch,
        Run.commit,
        Run.pr_nr,
        RunRecord.created_at,
        _First.user_id.label("requester_id"),
    )
    .select_from(Run)
    .join(Fork, Fork.id == Run.fork_id)
    .join(RunRecord, RunRecord.test_id == Run.id)
    .outerjoin(_First, _First.id == FIRST_REQUESTER)
    .where(Run.id.in_(IDS), *IS_VALID)
)
_MEMBERS = members_of(IDS, bindparam("live", expanding=True))


def branch_key(branch: str) -> str:
    """A branch as it is kept: itself or, where it is longer than any that is asked for, its
    beginning and a hash behind a character that no branch has."""
    if len(branch) <= BRANCH_LENGTH:
        return branch
    digest = hashlib.sha256(branch.encode()).hexdigest()
    return f"{branch[:SHOWN_OF_A_BRANCH]}{CUT}{digest[: BRANCH_LENGTH - SHOWN_OF_A_BRANCH - 1]}"


def facts_of(run_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The facts of each of these runs that is valid, by its id: what is kept of them, by column."""
    return {
        row.id: {
            "platform": row.platform,
            "fork_id": row.fork_id,
            "branch": branch_key(row.branch),
            "commit_sha": row.commit.lower(),
            "pull_request": row.pr_nr if row.pr_nr > 0 else None,
            "created_at": row.created_at,
            "requester_id": row.requester_id,
        }
        for row in fetch(_FACTS, {"ids": list(run_ids)})
    }


def members_of_runs(run_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """The tests of each of these runs that are known of it: the recorded set, else its results."""
    members: dict[int, list[int]] = {run_id: [] for run_id in run_ids}
    if not run_ids:
        return {}
    for run_id, regression_id in fetch(_MEMBERS, {"ids": list(run_ids), "live": [NO_ID]}):
        members[run_id].append(regression_id)
    return {run_id: tuple(sorted(ids)) for run_id, ids in members.items()}


def sets_of(members: Collection[tuple[int, ...]]) -> Mapping[tuple[int, ...], int]:
    """The ids of these sets of tests; one that is not known yet is written down."""
    return _known({ids: _digest(ids) for ids in set(members)})


def wrong_sets() -> list[int]:
    """The ids of the sets that do not have the members that their digest is of."""
    members: dict[int, list[int]] = {}
    for set_id, regression_id in db.session.execute(
        select(RunSetMember.set_id, RunSetMember.regression_test_id)
    ):
        members.setdefault(set_id, []).append(regression_id)
    sets = db.session.execute(select(RunSet.id, RunSet.digest)).tuples()
    return [set_id for set_id, digest in sets if digest != _digest(sorted(members.get(set_id, ())))]


def forget_wrong_sets() -> None:
    """Drop those, with what is kept of the runs that have them."""
    for set_id in wrong_sets():
        runs = select(RunRollup.test_id).where(RunRollup.set_id == set_id)
        for gone in (
            delete(FailingResult).where(FailingResult.test_id.in_(runs)),
            delete(RunRollup).where(RunRollup.set_id == set_id),
            delete(RunSet).where(RunSet.id == set_id),
        ):
            db.session.execute(gone.execution_options(synchronize_session=False))


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


def _digest(ids: Sequence[int]) -> str:
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
