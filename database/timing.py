"""How long the database takes: each statement and each transaction is counted and timed.

A thread adds its statements up, and tells of them when a transaction or a request ends.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

import metrics

# By its first four letters; beginning a transaction and the like is `other`.
KINDS = {
    "SELE": "select",
    "WITH": "select",
    "INSE": "insert",
    "UPDA": "update",
    "DELE": "delete",
}
OTHER = "other"
BEGAN, COMMITTED = "began_at", "committed"


# So many statements of a thread that ends no transaction are told at once.
AT_ONCE = 50


class _Done(threading.local):
    """What this thread has sent: ever, and by kind since it was told last (count, seconds and
    failures)."""

    def __init__(self) -> None:
        self.ever = 0
        self.untold = 0
        self.by_kind: dict[str, list[float]] = {}


_done = _Done()


def statements_of_this_thread() -> int:
    """How many statements this thread has sent since it began; compare two moments."""
    return _done.ever


Untold = Mapping[str, list[float]]


def untold() -> Untold:
    """What this thread has sent since it was told last; whoever takes it tells of it."""
    taken, _done.by_kind, _done.untold = _done.by_kind, {}, 0
    return taken


def tell(what: Untold | None = None) -> None:
    """Count what was taken (`untold`), or what this thread has sent. Counting each statement by
    itself would cost much more."""
    for kind, (count, seconds, failures) in (untold() if what is None else what).items():
        metrics.statements_done(kind, int(count), seconds, int(failures))


def time_statements(engine: Engine) -> None:
    """Time what `engine` sends.

    One hook around the driver's call: the ones before and after a statement cost several times as
    much, since they also make SQLAlchemy prepare what it would tell them.
    """

    for how in ("do_execute", "do_executemany"):
        event.listen(engine, how, _timed(how))


def _timed(how: str) -> Callable[[Any, str, Any, Any], bool]:
    """What sends a statement in the dialect's own way of this name, and notes what it took."""

    def send(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        began, failed = perf_counter(), True
        try:
            getattr(context.dialect, how)(cursor, statement, parameters, context)
            failed = False
        finally:
            note(statement, began, failed=failed)
        return True

    return send


def time_transactions(sessions: "scoped_session[Any]") -> None:
    """Time how long each session holds a connection of its own."""

    @event.listens_for(sessions, "after_begin")
    def begun(session: Session, transaction: SessionTransaction, connection: Any) -> None:
        if not isinstance(session.get_bind(), Connection):  # a unit's, which times itself
            session.info.setdefault(BEGAN, perf_counter())

    @event.listens_for(sessions, "after_commit")
    def committed(session: Session) -> None:
        session.info[COMMITTED] = True

    @event.listens_for(sessions, "after_transaction_end")
    def ended(session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is not None:
            return
        began = session.info.pop(BEGAN, None)
        committed = session.info.pop(COMMITTED, False)
        tell()
        if began is not None:
            metrics.transaction_ended(perf_counter() - began, committed=committed)


def note(statement: str, began: float, *, failed: bool) -> None:
    """A statement was sent at `began` (of `perf_counter`), and has been answered now."""
    _add(statement, perf_counter() - began, failed=failed)


def note_together(statements: Sequence[str], began: float, *, done: int) -> None:
    """These were sent at once at `began`, and so many of them were carried out; if not all, the
    next one failed. Each took an equal share of the time."""
    answered = statements[: done + 1]
    seconds = (perf_counter() - began) / len(answered)
    for place, statement in enumerate(answered):
        _add(statement, seconds, failed=place == done)


def _add(statement: str, seconds: float, *, failed: bool) -> None:
    kind = KINDS.get(statement[:4].upper(), OTHER)
    sums = _done.by_kind.setdefault(kind, [0, 0.0, 0])
    sums[0] += 1
    sums[1] += seconds
    sums[2] += failed
    _done.ever += kind != OTHER
    _done.untold += 1
    if _done.untold >= AT_ONCE:
        tell()
