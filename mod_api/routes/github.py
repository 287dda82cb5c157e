"""Connecting an account with its GitHub user: ask, say yes at GitHub, bring back the answer."""

from typing import Any

from errors import Unavailable, Unprocessable
from mod_api import application
from mod_api.application import base_url
from mod_api.middleware.auth import current_account, open_to_all, requires
from mod_api.middleware.resource import Resource
from mod_api.schemas.github import (
    GitHubAnswerSchema,
    GitHubCallbackQuery,
    GitHubConnectionSchema,
    GitHubConnectRequestSchema,
    GitHubStartSchema,
)
from mod_auth import github
from mod_auth.scopes import Scope

bp = Resource(
    "GitHub", __name__, url_prefix="/auth/github", description="Connecting an account with GitHub"
)


@bp.get("")
@requires(Scope.TOKENS_MANAGE)
@bp.response(200, GitHubStartSchema, unit=False)
@bp.fails(400, 401, 403, 429, 503)
@bp.codes({503: "github_not_configured public_url_not_set"})
def get_github_authorization() -> Any:
    """Get the GitHub authorization URL for this account."""
    account = current_account()
    url = github.authorize_url(application.settings(), account, _callback_url())
    return {"authorize_url": url, "github_login": account.github_login}


@bp.get("/callback")
@open_to_all()
@bp.query(GitHubCallbackQuery)
@bp.response(200, GitHubAnswerSchema, unit=False)
@bp.fails(400, 422, 429)
@bp.codes({422: "github_refused"})
def return_from_github(code: str = "", state: str = "", error: str | None = None, **_: str) -> Any:
    """Where GitHub sends the browser: hands back what POST /auth/github takes.

    It connects nothing: that takes the account's token.
    """
    if error is not None:
        raise Unprocessable("GitHub was not allowed to connect; start again.", "github_refused")
    message = "Post code and state to /auth/github with a token that has tokens:manage."
    return {"code": code, "state": state, "message": message}


@bp.post("")
@requires(Scope.TOKENS_MANAGE)
@bp.body(GitHubConnectRequestSchema)
@bp.response(200, GitHubConnectionSchema, unit=False)
@bp.fails(400, 401, 403, 413, 415, 422, 429, 503)
@bp.codes({422: "github_refused", 503: "github_unavailable"})
def connect_github(body: dict[str, str]) -> Any:
    """Connect this token's account with the GitHub user who said yes.

    Needs the scope `tokens:manage`: the GitHub user decides which runs all tokens of the account
    may start, so a stolen token with less cannot change it.
    """
    return github.connect(application.settings(), current_account(), **body)


def _callback_url() -> str:
    """Where GitHub sends the browser. Raises Unavailable where only a relative address is known."""
    base = base_url()
    if not base.startswith(("http://", "https://")):
        raise Unavailable(
            "GitHub cannot send anybody back here: PUBLIC_URL is not set.",
            "public_url_not_set",
            retry_after=3600,
        )
    return f"{base}/auth/github/callback"
