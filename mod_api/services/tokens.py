"""Tokens as the API offers them: signing in for one, listing and revoking one's own."""

from collections.abc import Sequence
from typing import Any

from config import Settings
from database import writing
from mod_api.services.paging import Page, page
from mod_auth import tokens
from mod_auth.scopes import Scope
from mod_auth.throttle import Throttle, throttled_sign_in
from mod_auth.tokens import Caller


def sign_in_and_issue(
    *,
    email: str,
    password: str,
    token_name: str,
    expires_in_days: int,
    scopes: Sequence[str],
    address: str,
    settings: Settings,
    throttle: Throttle | None,
) -> dict[str, Any]:
    """A new token for who knows the password.

    Raises Unauthorized `invalid_credentials`, RateLimited, Conflict `token_name_taken`, Forbidden.
    """
    account = throttled_sign_in(
        email, password, address=address, rounds=settings.password_rounds, throttle=throttle
    )
    with writing():
        issued = tokens.issue(
            account, token_name, [Scope(name) for name in scopes], expires_in_days
        )
    return {
        "token": issued.text,
        "token_type": "Bearer",
        "token_name": issued.token.name,
        "token_id": issued.token.id,
        "scopes": issued.token.scopes,
        "expires_at": issued.token.expires_at,
    }


def list_own(caller: Caller, *, limit: int, offset: int) -> Page[dict[str, Any]]:
    """One page of the caller's tokens, without secrets."""
    rows = tokens.list_tokens(caller.account, limit=limit, offset=offset)
    total = tokens.count_tokens(caller.account)
    shown = [
        {
            "token_id": token.id,
            "token_name": token.name,
            "scopes": token.scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
            "is_current": token.id == caller.token_id,
        }
        for token in rows
    ]
    return page(shown, total=total, limit=limit, offset=offset)


def revoke(caller: Caller, token_id: int) -> None:
    """Revoke one of the caller's own tokens. Raises NotFound."""
    tokens.revoke(caller.account, token_id)
