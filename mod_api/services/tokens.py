"""Tokens as the API offers them: signing in for one, listing and revoking them."""

from collections.abc import Sequence
from typing import Any

from config import Settings
from database import writing
from mod_api.services.paging import Page, page
from mod_auth import permissions, tokens
from mod_auth.models import Role
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


def list_tokens(caller: Caller, *, of_all: bool, limit: int, offset: int) -> Page[dict[str, Any]]:
    """List the caller's tokens, or with `of_all` everybody's, without secrets.

    Raises Forbidden when somebody else than an admin asks for everybody's.
    """
    if of_all:
        permissions.need_role(caller.account, Role.admin)
    owner = None if of_all else caller.account
    rows = tokens.list_tokens(owner, limit=limit, offset=offset)
    total = tokens.count_tokens(owner)
    shown = [
        {
            "id": token.id,
            "token_id": token.id,
            "user_id": token.user_id,
            "token_name": token.name,
            "scopes": token.scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
            "is_revoked": token.revoked_at is not None,
            "is_current": token.id == caller.token_id,
        }
        for token in rows
    ]
    return page(shown, total=total, limit=limit, offset=offset)


def revoke(caller: Caller, token_id: int) -> None:
    """Revoke one of the caller's own tokens, or anybody's for an admin. Raises NotFound."""
    tokens.revoke(caller.account, token_id)
