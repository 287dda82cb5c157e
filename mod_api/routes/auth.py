"""Tokens: made with an e-mail address and a password, listed, revoked."""

from typing import Any

from flask import Response, request

from mod_api import application
from mod_api.middleware.auth import current_caller, open_to_all, requires
from mod_api.middleware.limits import Rate, throttle
from mod_api.middleware.resource import Resource
from mod_api.schemas.auth import (
    AuthTokenSchema,
    CallerSchema,
    TokenCreateRequestSchema,
    TokenQuery,
    TokenSchema,
)
from mod_api.schemas.pages import page_of
from mod_api.services import tokens
from mod_auth.scopes import Scope

bp = Resource("Auth", __name__, url_prefix="/auth", description="Token issuance and revocation")


@bp.post("/tokens")
@open_to_all(rate=Rate.auth, **{"x-rate-limit": "5/15min per IP"})
@bp.body(TokenCreateRequestSchema)
@bp.response(201, AuthTokenSchema, unit=False)
@bp.fails(400, 401, 403, 409, 415, 429, 503)
@bp.codes({401: "invalid_credentials", 409: "token_name_taken"})
def create_token(body: dict[str, Any]) -> Any:
    """Create an API token. It is shown this once.

    Failed sign-ins are limited, per address and per account; successful ones are not counted.
    A name that a live token of the account has is 409 `token_name_taken`: revoke that token, or
    take another name. A revoked or expired token gives its name up.
    """
    return tokens.sign_in_and_issue(
        address=request.remote_addr or "",
        settings=application.settings(),
        throttle=throttle(),
        **body,
    )


@bp.get("/me")
@requires(None)
@bp.response(200, CallerSchema, unit=False)
@bp.fails(400, 401, 429)
def get_caller() -> Any:
    """Get the account of this request's token, and what the token may do.

    Needs no scope.
    """
    caller = current_caller()
    return {
        "user_id": caller.account.id,
        "name": caller.account.name,
        "email": caller.account.email,
        "role": caller.account.role,
        "scopes": sorted(caller.scopes),
    }


@bp.get("/tokens")
@requires(Scope.TOKENS_MANAGE)
@bp.query(TokenQuery)
@bp.response(200, page_of(TokenSchema))
@bp.fails(400, 401, 403, 429)
def list_tokens(limit: int, offset: int, all: bool) -> Any:
    """List one's own tokens, without their secrets; an admin may list everybody's.

    Needs the scope `tokens:manage`, which any account may ask for when it signs in.
    """
    return tokens.list_tokens(current_caller(), of_all=all, limit=limit, offset=offset)


@bp.delete("/tokens/current")
@requires(None)
@bp.response(204, description="Token revoked")
@bp.fails(400, 401, 429)
def revoke_current_token() -> Any:
    """Revoke the token of this request. The next request with it gets 401.

    Needs no scope.
    """
    caller = current_caller()
    tokens.revoke(caller, caller.token_id)
    return Response(status=204)


@bp.delete("/tokens/<id:token_id>")
@requires(Scope.TOKENS_MANAGE)
@bp.response(204, description="Token revoked")
@bp.fails(400, 401, 403, 404, 429)
def revoke_token(token_id: int) -> Any:
    """Revoke one of one's own tokens; an admin may revoke anybody's.

    Needs the scope `tokens:manage`, so that a stolen token with less cannot revoke the others.
    """
    tokens.revoke(current_caller(), token_id)
    return Response(status=204)
