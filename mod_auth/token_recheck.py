"""Check a token that was good a moment ago in the unit of work that needs it (docs/adr/031).

A claim writes and is called often: remembering the caller saves a transaction before it, and the
first statement of the claim reads the token again.
"""

import hmac
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable, Integer, bindparam

from errors import DomainError, Unauthorized
from mod_auth import credentials, permissions, tokens
from mod_auth.models import AccountRecord, ApiToken, BlockedUser
from mod_auth.scopes import Scope
from mod_auth.tokens import Caller

_AGAIN = (
    tokens.LIVE_ONES.add_columns(BlockedUser.user_id.is_not(None).label("is_blocked"))
    .outerjoin(BlockedUser, BlockedUser.user_id == AccountRecord.github_id)
    .where(ApiToken.id == bindparam("token_id", type_=Integer))
)


def recalled(text: str) -> Caller | None:
    """The caller whom this token opened a moment ago: good for what asks again (`asking`)."""
    known: Caller | None = credentials.remembered(("token", tokens.digest_of(text)))
    return known


def note(caller: Caller) -> None:
    """The caller's token was good: it may be recalled."""
    credentials.note(("token", caller.digest), caller)


def statement(caller: Caller) -> tuple[Executable, dict[str, int]]:
    """The statement that finds the caller's token, with its parameters; `check` reads the rows."""
    return _AGAIN, {"token_id": caller.token_id}


def check(rows: Sequence[Any], caller: Caller, scope: Scope) -> Caller:
    """The caller as the token reads now: it still opens `scope`, and the account may start work.

    Raises Unauthorized, Forbidden.
    """
    row = rows[0] if rows else None
    try:
        # As bytes: the column is anybody's text.
        if row is None or not hmac.compare_digest(row.token_hash.encode(), caller.digest.encode()):
            raise Unauthorized
        now = tokens.caller_of(row)
        now.need(scope)
    except DomainError:
        credentials.forget(("token", caller.digest))
        raise
    if row.is_blocked:
        raise permissions.blocked()
    return now
