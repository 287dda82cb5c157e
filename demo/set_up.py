"""Everything that a start needs in the database and in files; a second start finds it done.

Each step is done whole or not at all, so a set-up that was broken off is simply gone on with.
"""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from config import INSTANCE
from database import db, migrating, reading, writing
from demo import ports
from demo.content import Demo, build, seed
from demo.place import DEMO, NotHere, Place
from demo.telling import say, step
from errors import Conflict
from mod_auth import accounts, passwords, tokens
from mod_auth.models import Role, User
from mod_auth.scopes import Scope
from run import create_app

DAYS = 365
RUNNER_TOKEN = INSTANCE / "runner-token"
PERSON_TOKEN = INSTANCE / "demo-token"
# All that a person may do: claiming runs is for runners.
PERSON_SCOPES = tuple(scope for scope in Scope if scope is not Scope.RUNS_EXECUTE)


@dataclass(frozen=True)
class Site:
    """What the set-up made. Passwords are by role; `own_token` is this script's."""

    demo: Demo
    passwords: dict[Role, str]
    token: str
    own_token: str


def set_up(place: Place) -> Site:
    """Make what is missing. Raises NotHere when something is in the way."""
    if not place.port_was_given and place.settings.port != ports.FIRST:
        say(f"Port {ports.FIRST} is taken: the site takes {place.settings.port}.")
    for name in place.ignored:
        say(f"({name} is set, and not used here: the demonstration keeps to {INSTANCE}.)")
    try:
        with step("Demonstration data: captions, an extractor in a git repository"):
            demo = build(DEMO)
        return _fill(place, demo)
    except (OSError, SQLAlchemyError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise NotHere(f"the set-up does not work: {first}") from error
    except Conflict as error:
        raise NotHere(
            f"{INSTANCE} holds another installation. {error.message} The demonstration would "
            "mix its own with them; use another clone."
        ) from None


def _fill(place: Place, demo: Demo) -> Site:
    app = create_app(place.settings)
    with app.app_context():
        with step("Database"):
            migrating.upgrade()
        with step("Samples, regression tests and baselines"):
            seed.store_files(demo, app.extensions["repository"])
            with writing():
                seed.insert_rows(demo)
        with step("Accounts and tokens"):
            chosen = {role: _password(place, role) for role in Role}
            for role in Role:
                _account(role, chosen[role], place.settings.password_rounds)
            with writing():
                _keep(RUNNER_TOKEN, _new_token(Role.admin, "demo-runner", [Scope.RUNS_EXECUTE]))
                own = _new_token(Role.contributor, "demo-script", PERSON_SCOPES)
                token = _kept_token()
        db.engine.dispose()
    return Site(demo, chosen, token, own)


def email(role: Role) -> str:
    """The address of the account with this role; no mail reaches it."""
    return f"{role}@demo.invalid"


def _password(place: Place, role: Role) -> str:
    """The role's password: random, and the same as long as this installation keeps its secret."""
    key = place.settings.secret_key.encode()
    digest = hmac.digest(key, f"password of the demo's {role}".encode(), hashlib.sha256)
    return base64.b32encode(digest).decode().lower()[:16]


def _account(role: Role, password: str, rounds: int) -> None:
    name = f"demo-{role}"
    with reading():
        row = accounts.row_of(email(role))
    if row is not None and passwords.verify(password, row.password or ""):
        return
    hashed = accounts.hash_for(name, email(role), password, rounds=rounds)
    with writing():
        if row is None:
            accounts.create(name, email(role), hashed, role)
            return
        db.session.execute(update(User).where(User.id == row.id).values(password=hashed))


def _new_token(role: Role, name: str, scopes: tuple[Scope, ...] | list[Scope]) -> str:
    """A new token of this name; the one that had it opens nothing any more."""
    account = accounts.find(email(role))
    if account is None:
        raise LookupError(f"no account {email(role)}")
    live = [t for t in tokens.list_tokens(account) if t.name == name and t.revoked_at is None]
    for token in live:
        tokens.revoke(account, token.id)
    return tokens.issue(account, name, scopes, DAYS, on_command_line=True).text


def _kept_token() -> str:
    """The person's token: that of the last start while it is as good, else a new one."""
    try:
        text = PERSON_TOKEN.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    caller = tokens.authenticate(text)
    if caller is None or set(caller.scopes) != set(PERSON_SCOPES):
        text = _new_token(Role.admin, "demo", PERSON_SCOPES)
        _keep(PERSON_TOKEN, text)
    return text


def _keep(path: Path, text: str) -> None:
    """Write a secret that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text + "\n")
    draft.replace(path)
