"""API tokens: made, shown, taken back, and recognized.

A token is `spci_` and 43 URL-safe characters. The database keeps its SHA-256 and its first 16
characters, by which it is found; the text itself is shown once.

`runs:execute` is an admin's to give. An admin's own token has it while its owner is an admin: with
the role it goes, and with the role it comes back. A token that was given it on the command line,
for an account that is no admin, has it until it expires or is revoked.
"""

import functools
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    CursorResult,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from database import db, fetch, fetch_value, now, utc_now
from errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from mod_auth import accounts, audit
from mod_auth.accounts import Account
from mod_auth.models import AccountRecord, ApiToken, ExecuteGrant, User
from mod_auth.scopes import Scope, known_scopes

TEXT = re.compile(r"spci_[A-Za-z0-9_-]{43}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)
PREFIX_LENGTH = 16
MAX_NAME = 50
MAX_DAYS = 3650  # on the command line; the API's own bound is lower

_LIVE = and_(ApiToken.revoked_at.is_(None), ApiToken.expires_at > utc_now())

# Written once: this is asked on every request.
LIVE_ONES = (
    select(
        *accounts.COLUMNS,
        ApiToken.id.label("token_id"),
        ApiToken.token_name,
        ApiToken.token_hash,
        ApiToken.scopes_json,
        ApiToken.expires_at,
        ExecuteGrant.token_id.label("grant_id"),
    )
    .join(User, User.id == ApiToken.user_id)
    .outerjoin(AccountRecord, AccountRecord.user_id == User.id)
    .outerjoin(ExecuteGrant, ExecuteGrant.token_id == ApiToken.id)
    .where(_LIVE, AccountRecord.disabled_at.is_(None))
)
_BY_PREFIX = LIVE_ONES.where(ApiToken.token_prefix == bindparam("prefix"))


@dataclass(frozen=True)
class Token:
    """A token without its secret. `scopes` are as stored, unknown ones too."""

    id: int
    user_id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class Issued:
    """A new token; `text` is the secret, which cannot be read again."""

    text: str
    token: Token


@dataclass(frozen=True)
class Caller:
    """Who asks with a live token, and what it opens now; `digest` is what is kept of its text."""

    account: Account
    token_id: int
    token_name: str
    scopes: frozenset[Scope]
    expires_at: datetime
    digest: str = field(repr=False)

    def need(self, scope: Scope) -> None:
        """Raise Forbidden when the token has not this scope."""
        if scope not in self.scopes:
            raise Forbidden(
                "Token does not have the required scope for this operation.",
                required_scope=scope.value,
                token_scopes=sorted(self.scopes),
            )


def authenticate(text: str) -> Caller | None:
    """The caller with this token, or None when it opens nothing. One statement."""
    if not TEXT.fullmatch(text):
        return None
    digest = digest_of(text).encode()
    found = None
    for row in fetch(_BY_PREFIX, {"prefix": text[:PREFIX_LENGTH]}):
        # Every candidate is compared, so that the time tells nothing about which one it was.
        if hmac.compare_digest(digest, row.token_hash.encode()):
            found = row
    return None if found is None else caller_of(found)


def issue(
    account: Account,
    name: str,
    scopes: Iterable[Scope],
    days: int,
    *,
    on_command_line: bool = False,
) -> Issued:
    """A new token of `account`, valid for `days` days.

    A revoked or expired token of that name gives the name up. `on_command_line`: whoever may run
    commands beside the database may give any scope to anybody.

    Raises Conflict (`token_name_taken`), Forbidden for `runs:execute` asked by no admin,
    Unauthorized when the account is disabled or gone, and Invalid.
    """
    _check(name, days)
    owner = _live_owner(account)
    granted = sorted(set(scopes))
    is_given = Scope.RUNS_EXECUTE in granted and not owner.is_admin
    if is_given and not on_command_line:
        raise Forbidden(
            "The scope runs:execute is given by an administrator.",
            required_roles=["admin"],
            role=owner.role.value,
        )
    _free_name(owner, name)
    text = "spci_" + secrets.token_urlsafe(32)
    created_at = now().replace(microsecond=0)  # the given columns have whole seconds
    token = _insert(
        owner,
        name,
        token_hash=digest_of(text),
        token_prefix=text[:PREFIX_LENGTH],
        scopes_json=json.dumps(granted),
        created_at=created_at,
        expires_at=created_at + timedelta(days=days),
    )
    if is_given:
        db.session.execute(insert(ExecuteGrant).values(token_id=token.id, granted_at=utc_now()))
    audit.record(
        "token.created",
        by=None if on_command_line else owner,
        subject=("token", token.id),
        account_id=owner.id,
        token_name=name,
        scopes=list(token.scopes),
        days=days,
    )
    return Issued(text, token)


def list_tokens(account: Account | None, *, limit: int = 100, offset: int = 0) -> list[Token]:
    """The tokens of `account` (None: of all accounts), live or not, the newest first."""
    if account is None:
        rows = fetch(_PAGE, {"limit": limit, "offset": offset})
    else:
        rows = fetch(_PAGE.where(_IS_OWN), {"owner": account.id, "limit": limit, "offset": offset})
    return [_token(row) for row in rows]


def count_tokens(account: Account | None) -> int:
    """Count the tokens that `list_tokens` has in all."""
    if account is None:
        return fetch_value(_COUNT, {}) or 0
    return fetch_value(_COUNT.where(_IS_OWN), {"owner": account.id}) or 0


def revoke(account: Account, token_id: int) -> None:
    """Revoke a token of `account`, or anybody's for an admin; a revoked one stays revoked.

    Raises NotFound for any other token.
    """
    row = db.session.execute(_TOKENS.where(ApiToken.id == token_id)).one_or_none()
    if row is None or (row.user_id != account.id and not account.is_admin):
        raise NotFound("token", token_id)
    change = (
        update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now().replace(microsecond=0))
    )
    # Of two who revoke it at once, the log names the one who did.
    if cast(CursorResult[Any], db.session.execute(change)).rowcount:
        audit.record(
            "token.revoked",
            by=account,
            subject=("token", token_id),
            account_id=row.user_id,
            token_name=_token(row).name,
        )


def digest_of(text: str) -> str:
    """Return the stored form of a token's text: its SHA-256, in hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def stored_scopes(text: str) -> list[str]:
    """The names in a stored `scopes_json`, unknown ones too; nothing when it is malformed."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):  # the column is anybody's text
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def caller_of(row: Row[Any]) -> Caller:
    """Whom a row of `LIVE_ONES` opens for."""
    account = accounts.from_row(row)
    granted = _granted(row.scopes_json)
    if not account.is_admin and row.grant_id is None:
        granted -= {Scope.RUNS_EXECUTE}
    return Caller(account, row.token_id, row.token_name, granted, row.expires_at, row.token_hash)


@functools.lru_cache(maxsize=512)
def _granted(scopes_json: str) -> frozenset[Scope]:
    return known_scopes(stored_scopes(scopes_json))


def _check(name: str, days: int) -> None:
    if not NAME.fullmatch(name):
        raise Invalid.fields(token_name="Must be 1 to 50 letters, digits, '-' or '_'.")  # noqa: S106  a message
    if not 1 <= days <= MAX_DAYS:
        raise Invalid.fields(expires_in_days=f"Must be 1 to {MAX_DAYS}.")


def _live_owner(account: Account) -> Account:
    """The account as it is now, its row held: two tokens of one name are made one by one."""
    try:
        accounts.lock(account.id)
    except NotFound:
        raise Unauthorized from None
    owner = accounts.get(account.id)
    if owner.is_disabled:
        raise Unauthorized
    return owner


def _free_name(owner: Account, name: str) -> None:
    """Take `name` from the owner's dead tokens. Raises Conflict when a live one has it.

    Without case, since the unique key of the given table is so on MariaDB.
    """
    rows = db.session.execute(
        select(ApiToken.id, ApiToken.token_name, _LIVE.label("is_live")).where(
            ApiToken.user_id == owner.id, func.lower(ApiToken.token_name) == name.lower()
        )
    ).all()
    live = next((row for row in rows if row.is_live), None)
    if live is not None:
        raise _name_taken(token_id=live.id)
    for row in rows:
        db.session.execute(
            update(ApiToken)
            .where(ApiToken.id == row.id)
            .values(token_name=_given_up(row.token_name, row.id))
        )


def _name_taken(**details: int) -> Conflict:
    return Conflict(
        "A live token of this account has this name: revoke that one or choose another token_name.",
        code="token_name_taken",
        **details,
    )


def _given_up(name: str, token_id: int) -> str:
    """The name of a dead token whose name another has now; no live token's name has a `~`."""
    mark = f"~{token_id}"
    return name[: MAX_NAME - len(mark)] + mark


def _insert(owner: Account, name: str, **values: Any) -> Token:
    try:
        new = insert(ApiToken).values(user_id=owner.id, token_name=name, **values)
        made = cast(CursorResult[Any], db.session.execute(new))
    except IntegrityError:  # the existing site makes tokens too, and knows no lock of ours
        raise _name_taken() from None
    token_id = made.lastrowid
    return _token(db.session.execute(_tokens(owner).where(ApiToken.id == token_id)).one())


_TOKENS = select(
    ApiToken.id,
    ApiToken.user_id,
    ApiToken.token_name,
    ApiToken.scopes_json,
    ApiToken.created_at,
    ApiToken.expires_at,
    ApiToken.revoked_at,
)
_IS_OWN = ApiToken.user_id == bindparam("owner")
_PAGE = (
    _TOKENS.order_by(ApiToken.id.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_COUNT = select(func.count()).select_from(ApiToken)


def _tokens(account: Account) -> Select[Any]:
    return _TOKENS.where(ApiToken.user_id == account.id)


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        user_id=row.user_id,
        name=row.token_name.removesuffix(f"~{row.id}"),
        scopes=tuple(stored_scopes(row.scopes_json)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
