"""Accounts: who there is, and what an administrator changes about them."""

import re
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Row, Select, case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from database import db, utc_now
from errors import Conflict, Invalid, NotFound
from mod_auth import audit, passwords
from mod_auth.models import AccountRecord, Role, User

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
MAX_EMAIL = 255
MAX_NAME = 50
MIN_PASSWORD = 8  # the contract's, for sign-in; a shorter one could never be used

# What `from_row` reads; `mod_auth.tokens` selects the same in its own statement.
COLUMNS = (
    User.id,
    User.name,
    User.email,
    User.role,
    User.github_login,
    AccountRecord.github_id,
    AccountRecord.disabled_at,
)


@dataclass(frozen=True)
class Account:
    """An account as it was when it was read. `github_id` is GitHub's number of `github_login`."""

    id: int
    name: str
    email: str
    role: Role
    github_login: str | None = None
    github_id: int | None = None
    is_disabled: bool = False

    @property
    def is_admin(self) -> bool:
        return self.role is Role.admin


def from_row(row: Row[Any]) -> Account:
    """The account in a row that holds at least COLUMNS."""
    return Account(
        id=row.id,
        name=row.name or "",
        email=row.email or "",
        # A role that is missing or unknown opens no more than the least one.
        role=row.role or Role.user,
        github_login=row.github_login or None,
        github_id=row.github_id,
        is_disabled=row.disabled_at is not None,
    )


def get(account_id: int) -> Account:
    """The account with this id. Raises NotFound."""
    row = db.session.execute(_accounts().where(User.id == account_id)).one_or_none()
    if row is None:
        raise NotFound("account", account_id)
    return from_row(row)


def find(email: str) -> Account | None:
    """The account with this e-mail address, compared without case, or None."""
    row = row_of(email)
    return None if row is None else from_row(row)


def list_accounts() -> list[Account]:
    """Every account, disabled ones too, the oldest first."""
    return [from_row(row) for row in db.session.execute(_accounts().order_by(User.id))]


def hash_for(name: str, email: str, password: str, *, rounds: int) -> str:
    """The password's hash for a new account (`create`); `rounds` is the policy.

    Making it takes up to a second: call this outside of any unit of work (ADR 003). Raises Invalid
    for any of the three.
    """
    _check(name, email, password)
    return passwords.hash_password(password, rounds)


def create(
    name: str, email: str, password_hash: str, role: Role, *, by: Account | None = None
) -> Account:
    """A new account, of what `hash_for` has found valid; `by` None: the command line.

    Raises Conflict (`email_taken`, `name_taken`, `account_exists`).
    """
    if row_of(email) is not None:
        raise Conflict("There is an account with this e-mail address.", code="email_taken")
    taken = select(User.id).where(func.lower(User.name) == name.lower())
    if db.session.execute(taken.limit(1)).first() is not None:
        raise Conflict("There is an account with this name.", code="name_taken")
    values = {"name": name, "email": email, "role": role, "password": password_hash}
    try:
        made = cast(CursorResult[Any], db.session.execute(insert(User).values(values)))
    except IntegrityError:
        # Somebody else was quicker, or the database's collation finds the names equal.
        raise Conflict("There is such an account already.", code="account_exists") from None
    account = get(made.lastrowid)
    audit.record("account.created", by=by, subject=("account", account.id), role=role.value)
    return account


def set_role(account: Account, role: Role, *, by: Account | None = None) -> Account:
    """Give the account another role, which counts for its tokens at once. Raises NotFound."""
    before = _locked(account.id)
    db.session.execute(update(User).where(User.id == account.id).values(role=role))
    audit.record(
        "account.role_changed",
        by=by,
        subject=("account", account.id),
        before=before.role.value,
        after=role.value,
    )
    return get(account.id)


def disable(account: Account, *, by: Account | None = None) -> Account:
    """From now on neither its password nor its tokens open anything. Raises NotFound."""
    return _switch(account, "account.disabled", is_disabled=True, by=by)


def enable(account: Account, *, by: Account | None = None) -> Account:
    """Undo `disable`; tokens that still live work again. Raises NotFound."""
    return _switch(account, "account.enabled", is_disabled=False, by=by)


def keep_record(account_id: int, **values: object) -> None:
    """Set columns of the account's own record. The caller holds the lock of the account's row."""
    change = update(AccountRecord).where(AccountRecord.user_id == account_id).values(values)
    if not cast(CursorResult[Any], db.session.execute(change)).rowcount:
        db.session.execute(insert(AccountRecord).values(user_id=account_id, **values))


def lock(account_id: int) -> None:
    """Hold the account's row until the end of the transaction. Raises NotFound.

    On SQLite the writing transaction itself is the lock.
    """
    row = db.session.execute(select(User.id).where(User.id == account_id).with_for_update()).first()
    if row is None:
        raise NotFound("account", account_id)


def row_of(email: str) -> Row[Any] | None:
    """The row of the account with this address: COLUMNS and `password`."""
    if not email.isprintable():  # half a surrogate pair cannot even be asked for
        return None
    # SQLite folds ASCII only and MariaDB folds accents too: the database finds who may be meant,
    # and Python decides. SQLite can hold two addresses that differ by case: the exact one first.
    is_same = User.email == email
    rows = db.session.execute(
        _accounts()
        .add_columns(User.password)
        .where(or_(is_same, func.lower(User.email) == email.lower()))
        .order_by(case((is_same, 0), else_=1), User.id)
    )
    return next((row for row in rows if row.email.lower() == email.lower()), None)


def _accounts() -> Select[Any]:
    return select(*COLUMNS).outerjoin(AccountRecord, AccountRecord.user_id == User.id)


def _locked(account_id: int) -> Account:
    lock(account_id)
    return get(account_id)


def _switch(account: Account, action: str, *, is_disabled: bool, by: Account | None) -> Account:
    before = _locked(account.id)
    if before.is_disabled is not is_disabled:
        keep_record(account.id, disabled_at=utc_now() if is_disabled else None)
        audit.record(action, by=by, subject=("account", account.id))
    return get(account.id)


def _check(name: str, email: str, password: str) -> None:
    wrong = {}
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        wrong["name"] = f"Must be 1 to {MAX_NAME} printable characters."
    if len(email) > MAX_EMAIL or not EMAIL.fullmatch(email) or not email.isprintable():
        wrong["email"] = "Not a valid e-mail address."
    if len(password) < MIN_PASSWORD or not passwords.can_be_password(password):
        wrong["password"] = f"Must be {MIN_PASSWORD} to {passwords.MAX_LENGTH} characters."
    if wrong:
        raise Invalid.fields(**wrong)
