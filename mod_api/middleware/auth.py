"""Who is asking, and may they: tokens, scopes and roles, declared beside the route.

`requires` both enforces and documents. Requests are refused in the order of docs/semantics.md: 401,
403 (scope, role), 429, then 400; what depends on the object itself is the service's.
"""

import functools
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar, cast

from flask import g, request

from database import begin_reading, end_reading, reading
from errors import Unauthorized
from mod_api.middleware import limits, parsing, resource
from mod_api.middleware.limits import Rate
from mod_auth import permissions, token_recheck, tokens
from mod_auth.accounts import Account
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_auth.tokens import Caller
from mod_ci import attempts, job_attempts
from mod_ci.attempts import AttemptCredential
from mod_ci.job_attempts import JobCredential

View = TypeVar("View", bound=Callable[..., Any])


def requires(
    scope: Scope | None, *roles: Role, own_resource: bool = False, rate: Rate | None = None
) -> Callable[[View], View]:
    """The operation needs a live token, with `scope`, of an account with one of `roles`.

    `scope` None: any live token. `own_resource`: an account without such a role may still act on
    what is its own, which the service decides; the roles are then only documented here.
    Raises Unauthorized, Forbidden, RateLimitExceeded, Invalid.
    """

    def allow() -> None:
        caller = authenticate()
        if scope is not None:
            caller.need(scope)
        if roles and not own_resource:
            permissions.need_role(caller.account, *roles)
        limits.check(rate)

    documented = _needing(scope)
    if roles:
        documented["x-required-roles"] = [role.value for role in roles]
    if own_resource:
        documented["x-own-resource"] = True
    return _guarded(allow, documented)


def requires_and_asks_again(scope: Scope, rate: Rate) -> Callable[[View], View]:
    """The operation needs a live token with `scope`, which it asks for again in its unit of work.

    A token that was good a moment ago is not asked for before: the view must make sure of it
    (`mod_auth.again`). Whatever else such a request is refused for, a token that is good no more
    is told first.
    """

    def allow() -> None:
        caller = token_recheck.recalled(_bearer())
        if caller is None:
            caller = authenticate()
            caller.need(scope)
            token_recheck.note(caller)
        else:
            _note_caller(caller)
            g.is_recalled = True
        limits.check(rate)

    def decorate(view: View) -> View:
        guarded = _guarded(allow, _needing(scope))(view)

        @functools.wraps(guarded)
        def asked(*args: Any, **kwargs: Any) -> Any:
            try:
                return guarded(*args, **kwargs)
            except Unauthorized:
                raise
            except Exception:  # whatever it is, it goes on once the token was asked for
                if g.get("is_recalled", False):
                    authenticate().need(scope)
                raise

        return cast(View, asked)

    return decorate


def open_to_all(rate: Rate | None = None, **documented: Any) -> Callable[[View], View]:
    """The operation needs no token. The short list of these is held by a test."""
    return _guarded(lambda: limits.check(rate), {"security": [], **documented})


def requires_attempt(*kinds: str) -> Callable[[View], View]:
    """The operation is an attempt's own: only its credential opens it, and only for it.

    `kinds`: "run", "job". The credential's beginning says which kind of attempt it is (ADR 040).
    """

    def allow() -> None:
        attempt_id = (request.view_args or {}).get("attempt_id")
        credential = _bearer()
        known: AttemptCredential | JobCredential | None = None
        kind = "job" if credential.startswith(job_attempts.CREDENTIAL_PREFIX) else "run"
        if kind not in kinds:
            raise Unauthorized(attempts.NOT_VALID)
        if kind == "job":
            with reading():
                known = job_attempts.authenticate(attempt_id, credential)
        elif request.method not in resource.READS:  # what writes asks again, under the run's lock
            known = attempts.recalled(attempt_id, credential)
        if known is None and kind == "run":
            with reading():
                known = attempts.authenticate(attempt_id, credential)
        if known is None:
            raise Unauthorized(attempts.NOT_VALID)
        g.attempt = known
        g.rate_key = f"{'job-' if kind == 'job' else ''}attempt:{known.attempt_id}"
        limits.check(Rate.runner)

    return _guarded(allow, {"security": [{"attemptCredential": []}]})


def authenticate() -> Caller:
    """The verified caller of this request. Raises Unauthorized."""
    credential = _bearer()
    if request.method in resource.READS:
        begin_reading()  # and the view goes on in the same snapshot
        caller = tokens.authenticate(credential)
    else:
        with reading():
            caller = tokens.authenticate(credential)
    if caller is None:
        raise Unauthorized
    _note_caller(caller)
    return caller


def _note_caller(caller: Caller) -> None:
    g.caller = caller
    g.rate_key = f"token:{caller.token_id}"


def current_caller() -> Caller:
    """Whose token opened this operation."""
    return cast(Caller, g.caller)


def current_account() -> Account:
    """The account behind the token that opened this operation."""
    return current_caller().account


def _bearer() -> str:
    kind, _, credential = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not credential.strip():
        raise Unauthorized
    g.credential_given = True
    return credential.strip()


def _needing(scope: Scope | None) -> dict[str, Any]:
    """What the document says of an operation that needs a token."""
    if scope is None:
        return {"security": [{"bearerAuth": []}]}
    return {"security": [{"bearerAuth": []}], "x-required-scope": scope.value}


def _guarded(allow: Callable[[], None], documented: dict[str, Any]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        described: dict[str, Any] = deepcopy(getattr(view, "_apidoc", {}))
        taken = [p["in"] for p in described.get("arguments", {}).get("parameters", ())]

        takes_body = "json" in taken or "requestBody" in described.get("manual_doc", {})

        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                allow()
                parsing.check_ids(kwargs)
                if "query" not in taken:
                    parsing.no_query()
                if not takes_body:
                    parsing.no_body()
                return view(*args, **kwargs)
            finally:
                end_reading()  # which authentication may have begun

        name = view.__name__.split("_")
        named = {"operationId": name[0] + "".join(part.title() for part in name[1:])}
        described["manual_doc"] = {**described.get("manual_doc", {}), **named, **documented}
        guarded._apidoc = described  # type: ignore[attr-defined]  # where flask-smorest looks
        return cast(View, guarded)

    return decorate
