"""Where the platform is and with which token: from the environment, else from `ci login`."""

import json
import os
from pathlib import Path
from typing import Any

from ccextractor_ci.failures import NotAllowed
from ccextractor_ci.transport import site_of

URL, TOKEN = "CI_PLATFORM_URL", "CI_PLATFORM_TOKEN"


def file_of_logins() -> Path:
    """Where `ci login` keeps tokens: `$XDG_CONFIG_HOME/ccextractor-ci/logins.json`."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "ccextractor-ci" / "logins.json"


def find(url: str | None = None) -> tuple[str, str | None]:
    """The site and the token, if there is one: of `url`, the environment, else the last login.

    A token that was kept is used for the site that it was made for, and for no other.
    Raises NotAllowed when no site is known.
    """
    kept = _kept()
    given = url or os.environ.get(URL)
    if given:
        try:
            site = site_of(given)
        except ValueError as problem:
            raise NotAllowed(f"{problem}.") from None
    else:
        site = str(kept.get("site") or "")
    if not site:
        raise NotAllowed(f"No platform is known: `ci login --url ADDRESS` first, or set {URL}.")
    tokens = kept.get("tokens")
    own = tokens.get(site) if isinstance(tokens, dict) else None
    return site, os.environ.get(TOKEN) or own


def keep(site: str, token: str) -> Path:
    """Keep a token where only this user reads it; it is the one of the last login. The file."""
    kept = _kept()
    tokens = kept.get("tokens")
    _write({"site": site, "tokens": {**(tokens if isinstance(tokens, dict) else {}), site: token}})
    return file_of_logins()


def forget(site: str) -> None:
    """Forget a site's token."""
    kept = _kept()
    tokens = kept.get("tokens")
    left = {name: token for name, token in (tokens or {}).items() if name != site}
    _write({"site": kept.get("site"), "tokens": left})


def _kept() -> dict[str, Any]:
    try:
        kept = json.loads(file_of_logins().read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(kept: dict[str, object]) -> None:
    path = file_of_logins()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.touch(0o600, exist_ok=False)  # nobody else reads it at any moment
    fresh.write_text(json.dumps(kept))
    fresh.replace(path)
