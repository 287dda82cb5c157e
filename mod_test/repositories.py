"""Git repositories as the `fork` table keeps them: `https://github.com/OWNER/NAME.git`."""

import functools
import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.exc import IntegrityError

from database import db, fetch_values
from mod_test.models import Fork

STORED = re.compile(r"https://github\.com/([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?", re.ASCII)
PREFIX = "https://github.com/"


@functools.lru_cache(maxsize=1024)
def name_of(github: str | None) -> str | None:
    """OWNER/NAME of a stored address, or None when it is no repository on GitHub."""
    found = STORED.fullmatch(github or "")
    return found[1] if found else None


def is_named(name: str) -> ColumnElement[bool]:
    """Return whether a fork is the repository `name`; GitHub's names are compared without case."""
    return func.lower(Fork.github).in_(addresses_of(name))


def addresses_of(name: str) -> list[str]:
    """The addresses, in lower case, that a fork of the repository OWNER/NAME may have."""
    address = (PREFIX + name).lower()
    return [address, address + ".git"]


def ids_of(name: str) -> Sequence[int]:
    """The forks of the repository OWNER/NAME: few, and mostly one."""
    return fetch_values(_IDS_OF, {"addresses": addresses_of(name)})


_IDS_OF = (
    select(Fork.id)
    .where(func.lower(Fork.github).in_(bindparam("addresses", expanding=True)))
    .order_by(Fork.id)
)


def id_for(name: str) -> int:
    """The fork of the repository OWNER/NAME; it is added when nobody asked for one before."""
    known = select(Fork.id).where(is_named(name)).order_by(Fork.id).limit(1)
    found = db.session.scalar(known)
    if found is not None:
        return found
    fork = Fork(github=f"{PREFIX}{name}.git")
    try:
        with db.session.begin_nested():
            db.session.add(fork)
            db.session.flush()
    except IntegrityError:  # somebody else added it in between
        return db.session.scalars(known.with_for_update()).one()
    return fork.id
