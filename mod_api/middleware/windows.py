"""Where a page by offset or by cursor begins, with the key that its cursors are signed with."""

from mod_api import application
from mod_api.services.keyset import Window


def window(limit: int, offset: int, cursor: str | None) -> Window:
    """The window that a request's `limit`, `offset` and `cursor` ask for."""
    settings = application.settings()
    return Window(limit, settings.secret_key.encode(), offset, cursor)
