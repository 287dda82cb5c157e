"""The header that tells a browser under which name to save a file."""

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST = 200


def attachment(filename: str) -> str:
    """The value of Content-Disposition for a file of this name (RFC 6266).

    Any text will do: what could end the header, leave a folder or confuse an old browser
    does not come through.
    """
    printable = "".join(c for c in filename if c.isprintable() and c not in '/\\"')
    name = printable[-_LONGEST:].strip(" .") or "download"
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{_PLAIN.sub('_', name)}\"; filename*=UTF-8''{encoded}"
