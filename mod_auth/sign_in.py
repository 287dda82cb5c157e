"""Signing in with e-mail address and password."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import update

from database import db, exact, reading, writing
from errors import Unauthorized, Unavailable
from mod_auth import accounts, cost, passwords
from mod_auth.accounts import Account
from mod_auth.models import User

# Hashing takes a whole second, and threads share the interpreter. Two more requests may wait for
# their turn, each in its thread; all others are refused at once. Nobody waits and is then refused.
AT_ONCE = 2
MOST_WAITING = 2
RETRY_AFTER = 5
_places = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)
_hashing = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class _Known:
    account: Account | None
    stored: str
    ceiling: cost.Ceiling


def sign_in(email: str, password: str, *, rounds: int) -> Account:
    """The account with this e-mail address and password. `rounds` is today's policy.

    A hash that is older than the policy is replaced. Raises Unauthorized (`invalid_credentials`),
    the same after the same work for an unknown account, a wrong password and a disabled account;
    and Unavailable when too many are signing in.

    It uses transactions of its own and must not be called within one: hashing takes a second, in
    which nobody should wait for a lock. What is pending in the session is rolled back.
    """
    refusal = Unauthorized("Email or password is incorrect.", code="invalid_credentials")
    if not passwords.can_be_password(password):
        raise refusal  # nobody's password: says nothing about the account
    with _place():
        known = _look_up(email, rounds)
        with _hashing:
            account = _verified(known, password)
            if account is None:
                raise refusal
            if passwords.needs_rehash(known.stored, rounds):
                _replace(account, known.stored, passwords.hash_password(password, rounds))
    return account


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Unavailable("Too many sign-ins at once; try again.", retry_after=RETRY_AFTER)
    try:
        yield
    finally:
        _places.release()


def _look_up(email: str, rounds: int) -> _Known:
    with reading():
        ceiling = cost.ceiling(rounds)
        row = accounts.row_of(email)
    if row is None or passwords.work(row.password) is None:
        return _Known(None, _decoy(rounds), ceiling)
    return _Known(accounts.from_row(row), row.password, ceiling)


def _decoy(rounds: int) -> str:
    """A hash of nothing, so that an unknown account goes the way of a known one."""
    return f"$6$rounds={rounds}${'.' * 16}${'.' * 86}"


def _verified(known: _Known, password: str) -> Account | None:
    is_right = passwords.verify(password, known.stored)
    if is_right and known.account and not known.account.is_disabled:
        return known.account
    spent = passwords.work(known.stored)
    if spent is not None:
        cost.bring_up(password, spent, known.ceiling)
    return None


def _replace(account: Account, verified: str, new: str) -> None:
    """Store the new hash unless the password was changed since it was verified."""
    with writing():
        db.session.execute(
            update(User)
            .where(User.id == account.id, exact(User.password) == verified)
            .values(password=new)
        )
