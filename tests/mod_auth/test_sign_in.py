"""Signing in: right and wrong passwords, and what a failure gives away."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime

import bcrypt as bcrypt_library
import pytest
from flask import Flask
from passlib.handlers import sha2_crypt
from passlib.hash import bcrypt, sha256_crypt, sha512_crypt

from errors import DomainError, Unauthorized, Unavailable
from mod_auth import cost
from mod_auth import sign_in as signing_in
from mod_auth.models import Role
from mod_auth.sign_in import sign_in
from tests import factories
from tests.patience import PATIENCE_SECONDS
from tests.raw import Raw

ROUNDS = 1200
RIGHT = factories.PASSWORD


@pytest.fixture(autouse=True)
def forgotten_ceiling() -> None:
    """The ceiling is remembered for a minute, and tests empty the tables in between."""
    cost._known.clear()


@pytest.fixture
def rounds_done(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Rounds that the library really executed, by algorithm."""
    done: Counter[str] = Counter()
    real: Callable[..., str] = sha2_crypt._raw_sha2_crypt

    def counted(pwd: object, salt: str, rounds: int, use_512: bool = False) -> str:
        done["sha512" if use_512 else "sha256"] += rounds
        return real(pwd, salt, rounds, use_512)

    monkeypatch.setattr(sha2_crypt, "_raw_sha2_crypt", counted)
    hashed = bcrypt_library.hashpw

    def counted_too(password: bytes, salt: bytes) -> bytes:
        done["bcrypt"] += 1 << int(salt[4:6])
        return hashed(password, salt)

    monkeypatch.setattr(bcrypt_library, "hashpw", counted_too)
    yield done


def refused(email: str, password: str) -> DomainError:
    with pytest.raises(Unauthorized) as caught:
        sign_in(email, password, rounds=ROUNDS)
    return caught.value


def test_the_right_password_signs_in_whatever_the_case_of_the_address(app: Flask) -> None:
    mine = factories.account(Role.tester, email="Ann.Lee@Example.org", github_login="annlee")
    factories.account(email="ann.leo@example.org")

    with app.app_context():
        for email in ("Ann.Lee@Example.org", "ann.lee@example.org", "ANN.LEE@EXAMPLE.ORG"):
            account = sign_in(email, RIGHT, rounds=ROUNDS)
            assert (account.id, account.role, account.github_login) == (
                mine.id,
                Role.tester,
                "annlee",
            )
            assert not account.is_disabled


def test_an_address_that_only_looks_alike_is_unknown(app: Flask) -> None:
    factories.account(email="jose@example.org")

    with app.app_context():
        for email in ("josé@example.org", "jose@example.org ", "jose@example.org\0", "jos\ud800"):
            assert refused(email, RIGHT).code == "invalid_credentials"


def test_every_failure_has_the_same_answer_and_costs_the_same_rounds(
    app: Flask, raw: Raw, rounds_done: Counter[str]
) -> None:
    hashes = {
        "cheap": sha512_crypt.using(rounds=1000).hash(RIGHT),
        "implicit": sha512_crypt.using(rounds=5000).hash(RIGHT),
        "costliest": sha512_crypt.using(rounds=7777).hash(RIGHT),
        "other": sha256_crypt.using(rounds=6001).hash(RIGHT),
        "other-cheap": sha256_crypt.using(rounds=1001).hash(RIGHT),
        "garbage": "no hash at all",
        "bcrypt": bcrypt.using(rounds=7).hash(RIGHT),
        "bcrypt-cheap": bcrypt.using(rounds=4).hash(RIGHT),
    }
    emails = [factories.account(password_hash=stored).email for stored in hashes.values()]
    empty = factories.account()
    raw.execute("UPDATE user SET password = '' WHERE id = ?", [empty.id])
    disabled = factories.account(
        password_hash=hashes["implicit"], disabled_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    attempts = [(email, "wrong") for email in [*emails, empty.email, "nobody@example.org"]]
    attempts += [(email, RIGHT + "x" * 80) for email in emails[-2:]]  # over bcrypt's 72 bytes
    attempts += [
        (one.email, password) for one in (disabled, empty) for password in ("wrong", RIGHT)
    ]
    rounds_done.clear()

    seen = []
    with app.app_context():
        for email, password in attempts:
            error = refused(email, password)
            seen.append(
                (error.status, error.code, error.message, error.details, *rounds_done.items())
            )
            rounds_done.clear()

    expected = (
        401,
        "invalid_credentials",
        "Email or password is incorrect.",
        {},
        ("sha512", 7777 + 1000),
        ("sha256", 6001 + 1000),
        ("bcrypt", 1 << 7),
    )
    assert [tuple(sorted(map(str, one))) for one in seen] == [
        tuple(sorted(map(str, expected)))
    ] * len(attempts)


def test_a_text_that_is_nobodys_password_gets_the_same_answer(app: Flask) -> None:
    mine = factories.account()

    with app.app_context():
        for text in ("", "a\0b", "x" * 200, "\ud800"):
            for email in (mine.email, "nobody@example.org"):
                assert refused(email, text).code == "invalid_credentials"


@pytest.mark.parametrize(
    "outdated",
    [
        sha256_crypt.using(rounds=5000),
        sha512_crypt.using(rounds=1000),
        bcrypt.using(rounds=5),
        bcrypt.using(rounds=5, ident="2y"),
    ],
)
def test_an_outdated_hash_is_replaced_on_sign_in(app: Flask, raw: Raw, outdated) -> None:
    mine = factories.account(password_hash=outdated.hash(RIGHT))

    with app.app_context():
        sign_in(mine.email, RIGHT, rounds=ROUNDS)
        ((stored,),) = raw.execute("SELECT password FROM user WHERE id = ?", [mine.id])
        assert stored.startswith(f"$6$rounds={ROUNDS}$")
        assert sha512_crypt.verify(RIGHT, stored)

        sign_in(mine.email, RIGHT, rounds=ROUNDS)
        assert raw.execute("SELECT password FROM user WHERE id = ?", [mine.id]) == [(stored,)]


def test_a_failed_sign_in_replaces_nothing(app: Flask, raw: Raw) -> None:
    mine = factories.account()
    before = raw.execute("SELECT password FROM user WHERE id = ?", [mine.id])

    with app.app_context():
        refused(mine.email, "wrong")

    assert raw.execute("SELECT password FROM user WHERE id = ?", [mine.id]) == before


def test_a_password_changed_while_its_former_hash_is_replaced_stays(
    app: Flask, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = factories.account()
    changed = sha512_crypt.using(rounds=1000).hash("the new one")
    real: Callable[..., str] = sha2_crypt._raw_sha2_crypt

    def meanwhile(pwd: object, salt: str, rounds: int, use_512: bool = False) -> str:
        if rounds == ROUNDS:  # the new hash is being made
            raw.execute("UPDATE user SET password = ? WHERE id = ?", [changed, mine.id])
        return real(pwd, salt, rounds, use_512)

    monkeypatch.setattr(sha2_crypt, "_raw_sha2_crypt", meanwhile)
    with app.app_context():
        sign_in(mine.email, RIGHT, rounds=ROUNDS)

    assert raw.execute("SELECT password FROM user WHERE id = ?", [mine.id]) == [(changed,)]


def test_nobody_waits_for_a_lock_while_a_password_is_hashed(
    app: Flask, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = factories.account()
    other = factories.account()
    real: Callable[..., str] = sha2_crypt._raw_sha2_crypt
    raw.execute("PRAGMA busy_timeout = 0" if raw.is_sqlite else "SET innodb_lock_wait_timeout = 1")
    written = []

    def meanwhile(pwd: object, salt: str, rounds: int, use_512: bool = False) -> str:
        raw.execute("UPDATE user SET github_login = 'x' WHERE id IN (?, ?)", [mine.id, other.id])
        written.append(rounds)
        return real(pwd, salt, rounds, use_512)

    monkeypatch.setattr(sha2_crypt, "_raw_sha2_crypt", meanwhile)
    with app.app_context():
        sign_in(mine.email, RIGHT, rounds=ROUNDS)
        refused(mine.email, "wrong")

    assert len(written) >= 4


def test_only_a_few_wait_for_their_turn_and_the_rest_are_refused_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = factories.account()
    go_on = threading.Event()
    monkeypatch.setattr(signing_in, "_verified", lambda *_: go_on.wait(PATIENCE_SECONDS) and None)

    def attempt(_: int) -> tuple[int, int | None]:
        with app.app_context(), pytest.raises((Unauthorized, Unavailable)) as caught:
            sign_in(mine.email, "wrong", rounds=ROUNDS)
        return caught.value.status, caught.value.details.get("retry_after")

    with ThreadPoolExecutor(16) as pool:
        attempts = [pool.submit(attempt, number) for number in range(16)]
        refused_at_once = [
            one.result() for one in itertools.islice(as_completed(attempts, PATIENCE_SECONDS), 12)
        ]
        are_waiting = sum(not one.done() for one in attempts)
        go_on.set()
        answers = Counter(one.result() for one in attempts)

    assert refused_at_once == [(503, 5)] * 12
    assert are_waiting == 4
    assert answers == {(503, 5): 12, (401, None): 4}
