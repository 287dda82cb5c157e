"""Failed sign-ins are limited per account, and nobody is locked out by a stranger."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
import redis
from flask import Flask
from limits import RateLimitItem, parse
from passlib.handlers import sha2_crypt

from errors import DomainError, RateLimited, Unauthorized
from mod_auth import cost
from mod_auth.accounts import Account
from mod_auth.counters import MemoryStore, Store
from mod_auth.shared_counters import RedisStore, SharedStore
from mod_auth.throttle import Throttle, network_of, throttled_sign_in
from tests import factories, servers
from tests.patience import PATIENCE_SECONDS, until

LIMIT = parse("3/15 minutes")
RIGHT = factories.PASSWORD
NOBODY = "nobody@example.org"


@pytest.fixture(autouse=True)
def forgotten_ceiling() -> None:
    cost._known.clear()


def made_of(store: Store, limit: RateLimitItem = LIMIT) -> Throttle:
    return Throttle(store, limit, "a secret")


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def throttle(request: pytest.FixtureRequest) -> Throttle:
    if request.param == "redis":
        return made_of(RedisStore(request.getfixturevalue("redis_url")))
    return made_of(MemoryStore())


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every password that is really hashed."""
    done: list[int] = []
    real: Callable[..., str] = sha2_crypt._raw_sha2_crypt

    def counted(pwd: object, salt: str, rounds: int, use_512: bool = False) -> str:
        done.append(rounds)
        return real(pwd, salt, rounds, use_512)

    monkeypatch.setattr(sha2_crypt, "_raw_sha2_crypt", counted)
    return done


def attempt(
    throttle: Throttle | None, email: str, password: str = "wrong", address: str = "192.0.2.1"
) -> Account | int:
    """The account, or the status of the refusal."""
    try:
        return throttled_sign_in(email, password, address=address, rounds=1000, throttle=throttle)
    except DomainError as error:
        return error.status


def exhaust(throttle: Throttle, email: str) -> None:
    for number in range(LIMIT.amount):
        assert attempt(throttle, email, address=f"198.51.100.{number}") == 401


def test_a_wrong_password_over_the_limit_is_limited_and_says_for_how_long(
    sqlite_app: Flask, throttle: Throttle
) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        with pytest.raises(RateLimited) as caught:
            throttled_sign_in(
                mine.email, "wrong", address="192.0.2.1", rounds=1000, throttle=throttle
            )

    assert 1 <= caught.value.details["retry_after"] <= 900


def test_a_stranger_cannot_lock_an_account_out(sqlite_app: Flask, throttle: Throttle) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        for number in range(10):
            assert attempt(throttle, mine.email, address=f"203.0.113.{number}") == 429

        for _ in range(3):  # a success leaves the address its try
            account = attempt(throttle, mine.email, RIGHT, address="192.0.2.1")
            assert isinstance(account, Account)
            assert account.id == mine.id


def test_the_second_try_of_an_address_over_the_limit_is_not_even_verified(
    sqlite_app: Flask, throttle: Throttle, verifications: list[int]
) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        assert attempt(throttle, mine.email) == 429
        verifications.clear()
        assert attempt(throttle, mine.email, RIGHT) == 429
        assert attempt(throttle, mine.email.upper(), RIGHT) == 429
        assert verifications == []

        assert isinstance(attempt(throttle, mine.email, RIGHT, "192.0.2.2"), Account)


def test_a_success_clears_nothing_for_others(sqlite_app: Flask, throttle: Throttle) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        assert attempt(throttle, mine.email, address="203.0.113.1") == 429
        assert isinstance(attempt(throttle, mine.email, RIGHT), Account)

        assert attempt(throttle, mine.email, RIGHT, "203.0.113.1") == 429
        assert attempt(throttle, mine.email, address="203.0.113.2") == 429


def test_successes_are_not_counted(sqlite_app: Flask, throttle: Throttle) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        for _ in range(3 * LIMIT.amount):
            assert isinstance(attempt(throttle, mine.email, RIGHT), Account)
        exhaust(throttle, mine.email)


def test_an_unknown_address_is_limited_like_a_known_one(
    sqlite_app: Flask, throttle: Throttle
) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        seen = [
            [attempt(throttle, email, address=f"{net}.{number // 2}") for number in range(9)]
            for net, email in (("192.0.2", mine.email), ("198.51.100", NOBODY))
        ]

    assert seen[0] == seen[1]
    assert 401 in seen[0]
    assert 429 in seen[0]


def test_accounts_do_not_share_their_limit(sqlite_app: Flask, throttle: Throttle) -> None:
    mine, other = factories.account(), factories.account()

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        assert attempt(throttle, mine.email) == 429

        assert attempt(throttle, other.email) == 401


def test_no_address_and_no_email_is_in_the_store(sqlite_app: Flask, redis_url: str) -> None:
    mine = factories.account()
    throttle = made_of(RedisStore(redis_url))

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        attempt(throttle, mine.email)

    addresses = LIMIT.amount + 1
    with redis.Redis.from_url(redis_url) as client:
        names = [name.decode() for name in client.scan_iter()]
        assert len(names) == addresses + 2  # the account, and its one try over the limit
        assert all(0 < client.ttl(name) <= 900 for name in names)
    assert not any(mine.email in name or "192.0.2" in name for name in names)


def test_without_redis_failures_are_counted_in_memory(sqlite_app: Flask) -> None:
    mine = factories.account()
    away = RedisStore(f"redis://127.0.0.1:{servers.free_port()}")
    throttle = made_of(SharedStore(away, MemoryStore()))

    with sqlite_app.app_context():
        exhaust(throttle, mine.email)
        assert attempt(throttle, mine.email) == 429
        assert attempt(throttle, mine.email, RIGHT) == 429
        assert isinstance(attempt(throttle, mine.email, RIGHT, "192.0.2.2"), Account)


def test_failures_of_one_address_are_limited_whatever_the_account(
    sqlite_app: Flask, throttle: Throttle, verifications: list[int]
) -> None:
    accounts = [factories.account() for _ in range(LIMIT.amount + 1)]

    with sqlite_app.app_context():
        for mine in accounts[:-1]:
            assert attempt(throttle, mine.email) == 401
        verifications.clear()
        assert attempt(throttle, accounts[-1].email) == 429
        assert attempt(throttle, accounts[-1].email, RIGHT) == 429
        assert verifications == []

        assert attempt(throttle, accounts[-1].email, address="192.0.2.2") == 401


def test_guesses_side_by_side_are_limited_as_those_in_a_row(
    sqlite_app: Flask, throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = factories.account()
    verified = []

    def slow(email: str, password: str, *, rounds: int) -> Account:
        verified.append(email)
        all_asked.wait(PATIENCE_SECONDS)
        raise Unauthorized

    monkeypatch.setattr("mod_auth.throttle.sign_in", slow)
    all_asked = threading.Barrier(LIMIT.amount + 1)

    def guess(number: int) -> int | Account:
        with sqlite_app.app_context():
            return attempt(throttle, mine.email, address=f"192.0.2.{number}")

    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(guess, number) for number in range(12)]
        refused = [
            one.result() for one in itertools.islice(as_completed(asked, PATIENCE_SECONDS), 9)
        ]
        all_asked.wait(PATIENCE_SECONDS)
        answers = Counter(one.result() for one in asked)

    assert refused == [503] * 9
    assert answers == {401: LIMIT.amount, 503: 9}
    assert len(verified) == LIMIT.amount


def test_a_reservation_that_outlives_its_window_changes_nothing_in_the_next(
    throttle: Throttle,
) -> None:
    store, short = throttle.store, parse("2/second")
    late = store.take("key", short, reserve=True)
    until(lambda: store.look("key", short).reserved == 0)
    store.take("key", short, reserve=False)

    store.settle(late, is_used=False)

    assert store.look("key", short).used == 1
    assert store.look("key", short).reserved == 0


def test_without_a_limit_every_attempt_is_verified(sqlite_app: Flask) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        assert [attempt(None, mine.email) for _ in range(9)] == [401] * 9
        assert isinstance(attempt(None, mine.email, RIGHT), Account)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address", "no address"),
    ],
)
def test_an_ipv6_site_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
