"""Limits failed sign-ins per address and per account, without letting a stranger lock anybody out.

The rules and their reasons are in docs/adr/004-sign-in-limits.md.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from limits import RateLimitItem

from errors import RateLimited, Unauthorized, Unavailable
from mod_auth.accounts import Account
from mod_auth.counters import Slot, Store
from mod_auth.sign_in import RETRY_AFTER, sign_in

IPV6_SITE_BITS = 64  # what one customer has: within it addresses cost nothing


@dataclass(frozen=True)
class Throttle:
    """`limit` failures per window, for each address and for each account, counted in `store`.

    `secret` keys the names of the counters, which therefore tell no e-mail address.
    """

    store: Store
    limit: RateLimitItem
    secret: str

    @property
    def once(self) -> RateLimitItem:
        return type(self.limit)(1, self.limit.multiples)

    def of_address(self, address: str) -> str:
        return self._key("address", network_of(address))

    def of_account(self, email: str) -> str:
        return self._key("account", email.lower())

    def of_pair(self, email: str, address: str) -> str:
        return self._key("pair", email.lower(), network_of(address))

    def _key(self, *parts: str) -> str:
        text = "\0".join(("sign-in", *parts)).encode(errors="surrogatepass")
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()


class _Exhausted(Exception):
    """All slots of a limit are used by failures."""


def throttled_sign_in(
    email: str, password: str, *, address: str, rounds: int, throttle: Throttle | None
) -> Account:
    """`sign_in`, refused after too many failures; `throttle` None lifts the limit.

    A slot is reserved before the password is verified, and given back unless it was wrong: parallel
    guesses are limited too, and a successful sign-in costs nothing.

    Raises RateLimited, what `sign_in` raises, and Unavailable while sign-ins that are under way
    have reserved all that is left. Like `sign_in` it must not be called within a transaction.
    """
    if throttle is None:
        return sign_in(email, password, rounds=rounds)
    is_over = False
    try:
        with _reserved(throttle, throttle.of_address(address), throttle.limit):
            try:
                with _reserved(throttle, throttle.of_account(email), throttle.limit):
                    return sign_in(email, password, rounds=rounds)
            except _Exhausted:
                is_over = True
            with _reserved(throttle, throttle.of_pair(email, address), throttle.once):
                return sign_in(email, password, rounds=rounds)
    except _Exhausted:
        raise _limited(throttle, email, address) from None
    except Unauthorized:
        if is_over:
            raise _limited(throttle, email, address) from None
        raise


def failures_of(throttle: Throttle, address: str) -> Slot:
    """The state of an address's limit, for the headers of an answer."""
    return throttle.store.look(throttle.of_address(address), throttle.limit)


def network_of(address: str) -> str:
    """The name under which an address counts: itself, or the /64 of an IPv6 address."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, IPV6_SITE_BITS), strict=False))
    return str(known)


@contextmanager
def _reserved(throttle: Throttle, key: str, limit: RateLimitItem) -> Iterator[None]:
    """Reserve a slot; a wrong password within uses it, anything else gives it back."""
    slot = throttle.store.take(key, limit, reserve=True)
    if not slot.granted:
        if slot.is_exhausted:
            raise _Exhausted
        raise Unavailable("Too many sign-ins at once; try again.", retry_after=RETRY_AFTER)
    is_used = False
    try:
        yield
    except Unauthorized:
        is_used = True
        raise
    finally:
        throttle.store.settle(slot, is_used=is_used)


def _limited(throttle: Throttle, email: str, address: str) -> RateLimited:
    """The refusal, with the time after which the next attempt is verified."""
    look = throttle.store.look
    of_address = look(throttle.of_address(address), throttle.limit)
    of_account = look(throttle.of_account(email), throttle.limit)
    of_pair = look(throttle.of_pair(email, address), throttle.once)
    waits = [1]
    if of_address.is_exhausted:
        waits.append(of_address.retry_after)
    if of_account.is_exhausted and of_pair.is_exhausted:
        waits.append(min(of_account.retry_after, of_pair.retry_after))
    return RateLimited(
        "Too many failed sign-ins; try again later.",
        retry_after=max(waits),
        limit=throttle.limit.amount,
        window=f"{throttle.limit.get_expiry()}s",
    )
