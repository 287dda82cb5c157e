"""The audit log: who did what, appended and never changed."""

import json
import re
from typing import TYPE_CHECKING

from sqlalchemy import insert

from database import db, utc_now
from mod_auth.models import AuditEvent

if TYPE_CHECKING:  # accounts write to the log, and the log names accounts
    from mod_auth.accounts import Account

MAX_TEXT = 2_000
HIDDEN = "[secret]"
# Reasons and names are people's own texts, and people paste: our credentials, GitHub's, hashes.
SECRETS = re.compile(
    r"sp(?:ci|ca)_[A-Za-z0-9_-]{20,}"
    r"|whsec_[A-Za-z0-9+/=]{20,}"
    r"|g(?:h[opusr]|ithub_pat)_[A-Za-z0-9_]{20,}"
    r"|\$[56]\$(?:rounds=\d+\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{43,86}"
    r"|\$2[aby]\$\d\d\$[./0-9A-Za-z]{53}"
)


def record(
    action: str, *, by: "Account | None", subject: tuple[str, int | None], **details: object
) -> None:
    """Append that `by` (None: the command line) did `action` to `subject`, a kind and its id.

    `details` are JSON values. What looks like a credential in them is replaced, and a text of more
    than 2,000 characters is cut.
    """
    kind, subject_id = subject
    shown = {
        name: shortened(hidden(value)) if isinstance(value, str) else value
        for name, value in details.items()
    }
    db.session.execute(
        insert(AuditEvent).values(
            at=utc_now(),
            account_id=by.id if by else None,
            account_name=by.name if by else None,
            action=action,
            subject_type=kind,
            subject_id=subject_id,
            details=hidden(json.dumps(shown, ensure_ascii=False)),
        )
    )


def hidden(text: str) -> str:
    """`text` with everything that looks like a credential replaced."""
    return SECRETS.sub(HIDDEN, text)


def shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
