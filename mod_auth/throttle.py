"""Limits failed sign-ins per account, without letting a stranger lock an account out.

Attempts per address are limited by the API itself, before this (docs/adr/004-sign-in-limits.md).
"""

import hashlib
import hmac
import ipaddress
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

from errors import RateLimited, Unauthorized, Unavailable
from mod_auth.accounts import Account
from mod_auth.sign_in import sign_in

IPV6_SITE_BITS = 64  # what one customer has: within it addresses cost nothing


@dataclass(frozen=True)
class Throttle:
    """`limit` failures per account and window, counted where `limiter` keeps its counts.

    `secret` keys the names of the counters, which therefore tell no e-mail address.
    """

    limiter: FixedWindowRateLimiter
    limit: RateLimitItem
    secret: str


def throttled_sign_in(
    email: str, password: str, *, address: str, rounds: int, throttle: Throttle | None
) -> Account:
    """`sign_in`, refused when the account has seen too many failures; None lifts the limit.

    Over the limit each address still has one verification per window: whoever knows the password
    gets in. Unknown addresses of e-mail are counted like known ones.

    Raises RateLimited (`retry_after` in seconds), what `sign_in` raises, and Unavailable when the
    counts cannot be reached. Like `sign_in` it must not be called within a transaction.
    """
    if throttle is None:
        return sign_in(email, password, rounds=rounds)
    account_key = _key(throttle, "account", email.lower())
    address_key = _key(throttle, "address", email.lower(), network_of(address))
    try:
        # Counted before it is verified, and given back on success: attempts side by side count too.
        is_within = throttle.limiter.hit(throttle.limit, account_key)
        is_admitted = is_within or throttle.limiter.hit(_once(throttle.limit), address_key)
    except _store_errors(throttle) as error:
        raise _unreachable() from error
    if not is_admitted:
        raise _limited(throttle, account_key)
    is_refused = False
    try:
        return sign_in(email, password, rounds=rounds)
    except Unauthorized as refusal:
        is_refused = True
        if is_within:
            raise
        raise _limited(throttle, account_key) from refusal
    finally:
        if not is_refused:
            _give_back(throttle, account_key, address_key)


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, IPV6_SITE_BITS), strict=False))
    return str(known)


def _once(limit: RateLimitItem) -> RateLimitItem:
    return type(limit)(1, limit.multiples, namespace=limit.namespace)


def _key(throttle: Throttle, *parts: str) -> str:
    text = "\0".join(("sign-in", *parts)).encode(errors="surrogatepass")
    return hmac.new(throttle.secret.encode(), text, hashlib.sha256).hexdigest()


def _give_back(throttle: Throttle, account_key: str, address_key: str) -> None:
    try:
        throttle.limiter.hit(throttle.limit, account_key, cost=-1)
        throttle.limiter.clear(_once(throttle.limit), address_key)
    except _store_errors(throttle):
        return  # one attempt too many is counted; nobody is refused for that now


def _limited(throttle: Throttle, account_key: str) -> RateLimited:
    try:
        resets_at = throttle.limiter.get_window_stats(throttle.limit, account_key).reset_time
    except _store_errors(throttle) as error:
        raise _unreachable() from error
    seconds = max(1, math.ceil(resets_at - time.time()))
    return RateLimited(
        "Too many failed sign-ins for this account; try again later.", retry_after=seconds
    )


def _store_errors(throttle: Throttle) -> tuple[type[Exception], ...]:
    own = throttle.limiter.storage.base_exceptions
    return (StorageError, *(own if isinstance(own, tuple) else (own,)))


def _unreachable() -> Unavailable:
    return Unavailable("Sign-in is not possible at the moment.", retry_after=5)
