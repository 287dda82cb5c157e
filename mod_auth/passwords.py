"""Stored passwords: SHA-crypt hashes that the existing site reads too (docs/adr/003-passwords.md).

A stored text is `$6$rounds=N$salt$digest` (sha512_crypt) or `$5$...` (sha256_crypt); without
`rounds=` it has 5,000. `$2b$N$...` is bcrypt with 2^N rounds, which is verified and never written.
"""

import enum
import re
from dataclasses import dataclass

from passlib.hash import bcrypt, sha256_crypt, sha512_crypt

MIN_ROUNDS = 1_000  # the algorithms' own least
MAX_ROUNDS = 10_000_000  # some seconds of work; a hash that asks for more verifies nothing
MAX_LENGTH = 128  # characters, as in the contract
IMPLICIT_ROUNDS = 5_000
BCRYPT_COSTS = range(4, 17)
BCRYPT_BYTES = 72  # bcrypt reads no further, and its library refuses a longer text


class Algorithm(enum.StrEnum):
    """The algorithm of a hash; the value is its identifier in the stored text."""

    sha256 = "5"
    sha512 = "6"
    bcrypt = "2b"


HANDLERS = {
    Algorithm.sha256: sha256_crypt,
    Algorithm.sha512: sha512_crypt,
    Algorithm.bcrypt: bcrypt,
}
STORED = re.compile(
    r"\$(?P<algorithm>[56])\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?"
    r"[./0-9A-Za-z]{0,16}\$(?P<digest>[./0-9A-Za-z]+)",
    re.ASCII,
)
# 22 characters of salt and 31 of digest, of which the last ones hold fewer than six bits.
BCRYPT = re.compile(
    r"\$2[aby]\$(?P<cost>[0-9]{2})\$"
    r"[./0-9A-Za-z]{21}[.Oeu][./0-9A-Za-z]{30}[.CGKOSWaeimquy26]",
    re.ASCII,
)
DIGEST_LENGTHS = {Algorithm.sha256: 43, Algorithm.sha512: 86}


@dataclass(frozen=True)
class Work:
    """The cost of one verification against a stored hash."""

    algorithm: Algorithm
    rounds: int


def work(stored: str) -> Work | None:
    """Return the cost of verifying against `stored`; None if it is no hash that we verify."""
    found = BCRYPT.fullmatch(stored)
    if found is not None:
        cost = int(found["cost"])
        return Work(Algorithm.bcrypt, 1 << cost) if cost in BCRYPT_COSTS else None
    found = STORED.fullmatch(stored)
    if found is None:
        return None
    algorithm = Algorithm(found["algorithm"])
    rounds = int(found["rounds"] or IMPLICIT_ROUNDS)
    if rounds > MAX_ROUNDS or len(found["digest"]) != DIGEST_LENGTHS[algorithm]:
        return None
    return Work(algorithm, rounds)


def can_be_password(text: str) -> bool:
    """Whether a text could be anybody's password: at most 128 characters, encodable, no NUL."""
    return 0 < len(text) <= MAX_LENGTH and "\0" not in text and _is_encodable(text)


def verify(text: str, stored: str) -> bool:
    """Whether `text` is the password of the hash `stored`. A hash or text that is none is wrong."""
    known = work(stored)
    if known is None or not can_be_password(text):
        return False
    handler = HANDLERS[known.algorithm]
    if known.algorithm is not Algorithm.bcrypt:
        return bool(handler.verify(text, stored))
    # A longer text is wrong even if its beginning is right, after the same work as any other.
    return bool(handler.verify(_cut(text), stored)) and len(text.encode()) <= BCRYPT_BYTES


def hash_password(text: str, rounds: int) -> str:
    """A new sha512_crypt hash of `text` with `rounds` rounds and a random salt.

    Raises ValueError for a text that cannot be a password.
    """
    if not can_be_password(text):
        raise ValueError("not a possible password")
    return str(sha512_crypt.using(rounds=rounds).hash(text))


def needs_rehash(stored: str, rounds: int) -> bool:
    """Whether `stored` is weaker than today's policy: sha512_crypt with at least `rounds`."""
    known = work(stored)
    return known is None or known.algorithm is not Algorithm.sha512 or known.rounds < rounds


def burn(text: str, spent: Work) -> None:
    """Do the work of hashing `text` and keep nothing of it.

    Fewer rounds than the algorithm's least cannot be done and are left out.
    """
    if spent.algorithm is Algorithm.bcrypt:
        # Rounds are a power of two: a sum of such powers is done one by one.
        for cost in BCRYPT_COSTS:
            if spent.rounds >> cost & 1:
                bcrypt.using(rounds=cost).hash(_cut(text))
    elif spent.rounds >= MIN_ROUNDS:
        HANDLERS[spent.algorithm].using(rounds=spent.rounds).hash(text)


def _cut(text: str) -> bytes:
    return text.encode()[:BCRYPT_BYTES]


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry
        return False
    return True
