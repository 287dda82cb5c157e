"""The page that a request asks for, by offset or cursor, with the key that signs its cursors."""

from mod_api import application
from mod_api.services.keyset import PageRequest


def window(limit: int, offset: int, cursor: str | None) -> PageRequest:
    """Return the page that `limit`, `offset` and `cursor` ask for."""
    settings = application.settings()
    return PageRequest(limit, settings.secret_key.encode(), offset, cursor)
