"""The cost of a failed sign-in: the same work whether the account exists or not.

Stored hashes differ from 5,000 to over a million rounds, and by algorithm. Every failure is brought
up to one ceiling for the whole database, counted in rounds of each algorithm, so that no machine's
relation between the algorithms enters into it (docs/adr/003-passwords.md).
"""

import threading
import time
from collections.abc import Iterable, Mapping
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select

from database import db
from mod_auth import passwords
from mod_auth.models import User
from mod_auth.passwords import Algorithm, Work

CACHED_SECONDS = 60.0

Ceiling = Mapping[Algorithm, int]

_known: WeakKeyDictionary[Engine, tuple[float, int, Ceiling]] = WeakKeyDictionary()
_lock = threading.Lock()


def ceiling_of(hashes: Iterable[str], policy_rounds: int) -> Ceiling:
    """Rounds of each algorithm that every failure costs, where `hashes` are all stored ones.

    `policy_rounds` is what a new account's hash would have. Above the costliest hash there is room
    for the fewest rounds that can be burnt, so that the remainder can always be burnt exactly.
    """
    most = {Algorithm.sha512: policy_rounds}
    for stored in hashes:
        known = passwords.work(stored)
        if known is not None:
            most[known.algorithm] = max(most.get(known.algorithm, 0), known.rounds)
    # What is missing to the most rounds of bcrypt is always a sum of powers of two: no room needed.
    room = {Algorithm.bcrypt: 0}
    return {
        algorithm: rounds + room.get(algorithm, passwords.MIN_ROUNDS)
        for algorithm, rounds in most.items()
    }


def ceiling(policy_rounds: int) -> Ceiling:
    """The ceiling of this database, read from its hashes and remembered for a minute."""
    engine = db.engine
    with _lock:
        remembered = _known.get(engine)
    if remembered is not None:
        read_at, rounds, found = remembered
        if rounds == policy_rounds and time.monotonic() - read_at < CACHED_SECONDS:
            return found
    found = ceiling_of(db.session.scalars(select(User.password)), policy_rounds)
    with _lock:
        _known[engine] = (time.monotonic(), policy_rounds, found)
    return found


def bring_up(text: str, spent: Work, ceiling: Ceiling) -> None:
    """Burn what is missing from `spent` to `ceiling`, hashing the same password `text`.

    The password's length is part of a round's cost; with the same text every round costs the same.
    """
    for algorithm, rounds in ceiling.items():
        done = spent.rounds if algorithm is spent.algorithm else 0
        passwords.burn(text, Work(algorithm, rounds - done))
