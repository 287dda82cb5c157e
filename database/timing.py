"""How long the database takes: each statement and each transaction is counted and timed.

A thread adds its statements up, and tells of them when a transaction or a request ends.
"""

import threading
from collections.abc import Callable, Sequence
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
    """This thread's statements: how many ever, and by kind since the metrics were told last (count,
    seconds and failures)."""

    def __init__(self) -> None:
        self.ever = 0
        self.untold = 0
        self.by_kind: dict[str, list[float]] = {}


_done = _Done()


def statements_of_this_thread() -> int:
    """Return how many statements this thread has sent since it began; compare two moments."""
    return _done.ever


def tell() -> None:
    """Count what this thread has sent in the metrics. Counting each statement by itself would cost
    much more."""
    taken, _done.by_kind, _done.untold = _done.by_kind, {}, 0
    for kind, (count, seconds, failures) in taken.items():
        metrics.statements_done(kind, int(count), seconds, int(failures))


def time_statements(engine: Engine) -> None:
    """Time what `engine` sends.

    One hook around the driver's call: the ones before and after a statement cost several times as
    much, since they also make SQLAlchemy prepare what it would tell them.
    """

    for how in ("do_execute", "do_executemany"):
        event.listen(engine, how, _timed(how))


def _timed(how: str) -> Callable[[Any, str, Any, Any], bool]:
    """Return a function that sends a statement in the dialect's way of this name, and times it."""

    def send(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        began, failed = perf_counter(), True
        try:
            getattr(context.dialect, how)(cursor, statement, parameters, context)
            failed = False
        finally:
            note(statement, perf_counter() - began, failed=failed)
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


def note_together(statements: Sequence[str], began: float, *, done: int) -> None:
    """These were sent at once at `began`, and so many of them were carried out; if not all, the
    next one failed. Each took an equal share of the time."""
    answered = statements[: done + 1]
    seconds = (perf_counter() - began) / len(answered)
    for place, statement in enumerate(answered):
        note(statement, seconds, failed=place == done)


def note(statement: str, seconds: float, *, failed: bool) -> None:
    """Add a statement that took so many seconds to this thread's sums."""
    kind = KINDS.get(statement[:4].upper(), OTHER)
    sums = _done.by_kind.setdefault(kind, [0, 0.0, 0])
    sums[0] += 1
    sums[1] += seconds
    sums[2] += failed
    _done.ever += kind != OTHER
    _done.untold += 1
    if _done.untold >= AT_ONCE:
        tell()
