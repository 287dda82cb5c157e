"""Idempotency keys: the same key and body answers with the same run or job, for 24 hours.

The key is taken in a unit of work of its own before the request's work begins, so that a second
request sees that the first is still at work.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from database import db, now, written
from errors import Conflict, Unprocessable
from mod_ci.models import IdempotencyKey

KEPT = timedelta(hours=24)
# A request that takes longer has died with its process; its key may be taken over.
AT_WORK = timedelta(seconds=60)


_UNANSWERED = (IdempotencyKey.run_id.is_(None), IdempotencyKey.job_id.is_(None))


@dataclass
class Taken:
    """A key that this request holds; one of the ids is set where an earlier one was answered
    already."""

    key_id: int
    since: datetime
    run_id: int | None = None
    job_id: int | None = None

    @property
    def is_answered(self) -> bool:
        return self.run_id is not None or self.job_id is not None

    def answered_with(self, *, run_id: int | None = None, job_id: int | None = None) -> None:
        """Remember the answer; call it in the unit of work that made the run or job.

        Raises Conflict when this request took so long that another has taken the key over.
        """
        kept = db.session.execute(
            update(IdempotencyKey)
            .where(
                IdempotencyKey.id == self.key_id,
                IdempotencyKey.created_at == self.since,
                *_UNANSWERED,
            )
            .values(run_id=run_id, job_id=job_id)
            .execution_options(synchronize_session=False)
        )
        if not kept.rowcount:  # type: ignore[attr-defined]  # an UPDATE's
            raise _at_work()


@contextmanager
def taken(account_id: int, key: str | None, body: Mapping[str, Any]) -> Iterator[Taken | None]:
    """Hold `key` while the body of the `with` works; None without a key.

    Raises Conflict while another request with this key is at work, Unprocessable when the key was
    used with another body. The key is given back when the work fails.
    """
    if key is None:
        yield None
        return
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    held = _take(account_id, hashlib.sha256(key.encode()).hexdigest(), digest)
    try:
        yield held
    except BaseException:
        if not held.is_answered:
            written(lambda: _give_back(held))
        raise


def _take(account_id: int, key_hash: str, digest: str) -> Taken:
    try:
        return written(lambda: _look_up(account_id, key_hash, digest))
    except IntegrityError:
        # Another request put its row in between; in a new transaction it is found.
        return written(lambda: _look_up(account_id, key_hash, digest))


def _look_up(account_id: int, key_hash: str, digest: str) -> Taken:
    moment = now()
    db.session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.created_at < moment - KEPT)
        .execution_options(synchronize_session=False)
    )
    known = db.session.scalars(
        select(IdempotencyKey)
        .where(IdempotencyKey.account_id == account_id, IdempotencyKey.key_hash == key_hash)
        .with_for_update()
    ).one_or_none()
    if known is None:
        known = IdempotencyKey(
            account_id=account_id, key_hash=key_hash, request_hash=digest, created_at=moment
        )
        db.session.add(known)
        db.session.flush()
        return Taken(known.id, moment)
    if known.request_hash != digest:
        raise Unprocessable(
            "This Idempotency-Key was used with another body.", "idempotency_key_reused"
        )
    if known.run_id is not None or known.job_id is not None:
        return Taken(known.id, known.created_at, known.run_id, known.job_id)
    if known.created_at > moment - AT_WORK:
        raise _at_work()
    known.created_at = moment
    db.session.flush()
    return Taken(known.id, moment)


def _give_back(held: Taken) -> None:
    db.session.execute(
        delete(IdempotencyKey)
        .where(
            IdempotencyKey.id == held.key_id,
            IdempotencyKey.created_at == held.since,
            *_UNANSWERED,
        )
        .execution_options(synchronize_session=False)
    )


def _at_work() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still at work.", "at_work", retry_after=1
    )
