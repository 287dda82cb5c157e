"""`ci login` and `ci logout`."""

import getpass
import re
import socket
import sys

from ccextractor_ci import failures, settings
from ccextractor_ci.cli.session import Session
from ccextractor_ci.transport import Transport, site_of

SCOPES = [
    "runs:read",
    "runs:write",
    "results:read",
    "baselines:write",
    "system:read",
    "jobs:read",
    "jobs:write",
]


def login(session: Session) -> int:
    """Take a token, or make one by e-mail and password; see that it holds, and keep it."""
    options, output = session.options, session.output
    try:
        site = site_of(options.url or _ask("Address of the platform: "))
    except ValueError as problem:
        raise failures.Refused(f"{problem}.") from None
    token = _made(site, options) if options.email else _secret("Token: ")
    Transport(site, token).json("GET", "/runs", {"limit": 1})
    path = settings.keep(site, token)
    output.notice(f"{site} will be used. The token is kept in {path}, for you alone to read.")
    return 0


def logout(session: Session) -> int:
    """End the token at the platform, and forget it here."""
    site = session.transport.site
    try:
        session.transport.json("DELETE", "/auth/tokens/current")
    except failures.NotAllowed as failure:
        if failure.status != 401:
            raise
        session.output.notice("The token had ended already.")
    settings.forget(site)
    session.output.notice(f"The token for {site} is forgotten.")
    return 0


def _made(site: str, options: object) -> str:
    """A new token of the account, with the scopes that the commands need."""
    name = getattr(options, "name", None) or f"ci-{socket.gethostname()}"
    body = {
        "email": getattr(options, "email", None),
        "password": _secret("Password: "),
        "token_name": re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:50],
        "expires_in_days": getattr(options, "days", 90),
        "scopes": SCOPES,
    }
    return str(Transport(site).json("POST", "/auth/tokens", body=body)["token"])


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise failures.Refused("Which platform? `ci login --url ADDRESS`.")
    return input(prompt).strip()


def _secret(prompt: str) -> str:
    """Read what is typed unseen, or piped in. Raises Refused when that is nothing."""
    told = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()
    if not told.strip():
        raise failures.Refused("Nothing was given.")
    return told.strip()
