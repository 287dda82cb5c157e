"""Connecting an account with a GitHub user, and asking GitHub who a stored token belongs to.

Three steps connect an account: its token asks for `authorize_url`; the browser comes back from
GitHub with a code and the state; the account's token hands both to `connect`. The last step needs
the token again on purpose. A callback that believed the state alone would let anybody send his own
link to a stranger and have the stranger's GitHub user connected with his account.

Nothing here may be called within a transaction: GitHub may take seconds, in which nobody should
wait for a lock. What is pending in the session is rolled back.
"""

import re
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select, update

from config import Settings
from database import db, exact, reading, writing
from errors import Invalid, Unavailable, Unprocessable
from mod_auth import accounts, audit
from mod_auth.accounts import Account
from mod_auth.models import User

STATE_SECONDS = 600
CONNECT_SECONDS = 10.0
LOOK_UP_SECONDS = 3.0
LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
MAX_CODE = 200
BAD_CODE = "bad_verification_code"

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class GitHubUser:
    id: int
    login: str


class GitHubError(Exception):
    """GitHub did not answer in time, or not as agreed."""


class TokenRefusedError(GitHubError):
    """GitHub does not know a token, or no longer."""


class RefusedError(Exception):
    """GitHub does not exchange a code; the message is its own code for why."""


def authorize_url(settings: Settings, account: Account, redirect_uri: str) -> str:
    """Return the GitHub authorization URL for this account; it is good for ten minutes.

    `redirect_uri` is where GitHub sends the browser, with `code` and `state`; neither opens
    anything without the account's token. Raises Unavailable (`github_not_configured`).
    """
    _need_configuration(settings)
    state = _sealer(settings).dumps([account.id, redirect_uri, secrets.token_urlsafe(16)])
    # No scope: the public profile is all that is read.
    with _session(settings.github_client_id, redirect_uri=redirect_uri) as session:
        url, _ = session.create_authorization_url(
            f"{settings.github_url}/login/oauth/authorize", state=state
        )
    return str(url)


def connect(settings: Settings, account: Account, *, code: str, state: str) -> Account:
    """Store the GitHub user who said yes as the account's.

    Raises Invalid for a state that is not this account's or is too old, or for a code that can be
    none, Unprocessable
    (`github_refused`) for a code that GitHub does not take, and Unavailable when GitHub does not
    answer within ten seconds.
    """
    _need_configuration(settings)
    redirect_uri = _redirect_of(settings, account, state)
    if not code.isprintable() or not 0 < len(code) <= MAX_CODE:
        raise Invalid.fields(code="Not a code of GitHub's.")
    try:
        token, user = _within(
            CONNECT_SECONDS, lambda: _exchange(settings, code=code, redirect_uri=redirect_uri)
        )
    except RefusedError as error:
        if str(error) == BAD_CODE:
            raise Unprocessable(
                "GitHub does not take this code; start again.", code="github_refused"
            ) from None
        log.warning("github refused the exchange", error=str(error))
        raise _unanswered() from error
    except GitHubError as error:
        log.warning("github did not answer", error=str(error))
        raise _unanswered() from error
    with writing():
        accounts.lock(account.id)
        db.session.execute(update(User).where(User.id == account.id).values(github_token=token))
        return _keep(account, user)


def look_up_login(settings: Settings, account: Account) -> Account:
    """The account with its GitHub login and id, asked for when it has a token but not both.

    An account whose token GitHub no longer takes is returned as it is. Takes at most three seconds.
    Raises Unavailable (`github_unavailable`) where GitHub does not answer.
    """
    if account.github_login and account.github_id is not None:
        return account
    with reading():
        token = db.session.scalar(select(User.github_token).where(User.id == account.id))
    if not token:
        return account
    try:
        user = _within(LOOK_UP_SECONDS, lambda: _user_of(settings, token))
    except TokenRefusedError:
        return account
    except GitHubError as error:
        log.warning("github login unknown", account_id=account.id, error=str(error))
        raise _unanswered() from error
    with writing():
        accounts.lock(account.id)
        # Connected anew in the meantime: what was asked belongs to the former token.
        is_same = select(User.id).where(User.id == account.id, exact(User.github_token) == token)
        if db.session.execute(is_same).first() is None:
            return accounts.get(account.id)
        return _keep(account, user)


def _need_configuration(settings: Settings) -> None:
    if not settings.github_client_id:
        raise Unavailable(
            "GitHub sign-in is not configured here.", code="github_not_configured", retry_after=3600
        )


def _sealer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.secret_key, salt="github-connection")


def _redirect_of(settings: Settings, account: Account, state: str) -> str:
    """The redirect address sealed in `state`. Raises Invalid when it is not this account's."""
    try:
        account_id, redirect_uri, _ = _sealer(settings).loads(state, max_age=STATE_SECONDS)
    except (BadSignature, UnicodeEncodeError):  # or too old, or half a surrogate pair
        account_id, redirect_uri = None, ""
    if account_id != account.id:
        raise Invalid.fields(state="Not made for this account, or too old; start again.")
    return str(redirect_uri)


def _session(*client: str | None, **options: Any) -> Any:
    # Authlib and requests are large, and few processes ever ask GitHub.
    from authlib.integrations.requests_client import OAuth2Session

    return OAuth2Session(*client, **options)


def _exchange(settings: Settings, *, code: str, redirect_uri: str) -> tuple[str, GitHubUser]:
    from authlib.integrations.base_client import OAuthError

    with _session(
        settings.github_client_id,
        settings.github_client_secret,
        redirect_uri=redirect_uri,
        token_endpoint_auth_method="client_secret_post",  # noqa: S106  a method's name
        default_timeout=CONNECT_SECONDS,
    ) as session:
        try:
            answer: dict[str, Any] = session.fetch_token(
                f"{settings.github_url}/login/oauth/access_token",
                grant_type="authorization_code",
                code=code,
                headers={"Accept": "application/json"},
                allow_redirects=False,
            )
        except OAuthError as error:
            raise RefusedError(error.error) from error
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise GitHubError("no access token in the answer")
    return token, _user_of(settings, token)


def _user_of(settings: Settings, token: str) -> GitHubUser:
    with _session(
        token={"access_token": token, "token_type": "bearer"}, default_timeout=CONNECT_SECONDS
    ) as session:
        answer = session.get(
            f"{settings.github_api_url}/user",
            headers={"Accept": "application/vnd.github+json"},
            allow_redirects=False,
        )
    if answer.status_code == 401:
        raise TokenRefusedError("the token is not taken")
    if answer.status_code != 200:
        raise GitHubError(f"status {answer.status_code} for the user")
    return _read_user(answer.json())


def _read_user(told: Any) -> GitHubUser:
    known = told if isinstance(told, dict) else {}
    user_id, login = known.get("id"), known.get("login")
    if type(user_id) is not int or not 0 < user_id < 1 << 63:
        raise GitHubError("no usable user id in the answer")
    if not isinstance(login, str) or not LOGIN.fullmatch(login):
        raise GitHubError("no usable login in the answer")
    return GitHubUser(user_id, login)


def _keep(account: Account, user: GitHubUser) -> Account:
    db.session.execute(update(User).where(User.id == account.id).values(github_login=user.login))
    accounts.keep_record(account.id, github_id=user.id)
    audit.record(
        "account.github_connected",
        by=account,
        subject=("account", account.id),
        github_login=user.login,
        github_id=user.id,
    )
    return accounts.get(account.id)


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The value of `call`, which is given up after `seconds`. Raises GitHubError, RefusedError.

    The client's own time limits hold between two bytes; an answer that trickles could take for
    ever. The thread that is given up ends with its connection.
    """
    answer: Future[T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001  raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=ask, name="github", daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError:
        raise GitHubError(f"no answer within {seconds:g} seconds") from None
    except (OSError, ValueError) as error:  # an OSError is what requests raises, too
        # Named by its kind only: the text may hold the address with the code.
        raise GitHubError(f"{type(error).__name__} while asking") from None


def _unanswered() -> Unavailable:
    return Unavailable(
        "GitHub did not answer; try again.", code="github_unavailable", retry_after=30
    )
