"""Stored passwords: what is verified, what is outdated, what a failure costs."""

import pytest
from passlib.hash import bcrypt, sha256_crypt, sha512_crypt

from mod_auth import cost, passwords
from mod_auth.passwords import Algorithm, Work

GARBAGE = [
    "",
    "x",
    "$6$",
    "$6$rounds=5000",
    "$6$rounds=99999999999$abcdefgh$" + "a" * 86,
    "$6$rounds=20000000$abcdefgh$" + "a" * 86,
    "$6$rounds=0005000$abcdefgh$" + "a" * 86,
    "$6$rounds=999$abcdefgh$" + "a" * 86,
    "$6$rounds=abc$abcdefgh$" + "a" * 86,
    "$6$rounds=5000$abcdefgh$" + "a" * 85,
    "$5$rounds=5000$abcdefgh$" + "a" * 86,
    "$6$rounds=\u0665\u0660\u0660\u0660$abcdefgh$" + "a" * 86,
    "$6$abc$" + "é" * 86,
    "$2b$12$" + "a" * 53,
    "$2b$12$" + "." * 52,
    "$2b$03$" + "." * 53,
    "$2b$17$" + "." * 53,
    "$2b$99$" + "." * 53,
    "$2x$05$" + "." * 53,
    sha512_crypt.using(rounds=1000).hash("hunter2 hunter2") + "\n",
]


@pytest.mark.parametrize("algorithm", [sha256_crypt, sha512_crypt])
@pytest.mark.parametrize("rounds", [1000, 5000, 12_345])
def test_hashes_of_the_existing_site_are_verified(algorithm, rounds) -> None:
    stored = algorithm.using(rounds=rounds).hash("pässword")

    assert passwords.verify("pässword", stored)
    assert not passwords.verify("password", stored)


@pytest.mark.parametrize("ident", ["2a", "2b", "2y"])
def test_hashes_of_bcrypt_are_verified_and_outdated(ident) -> None:
    stored = bcrypt.using(rounds=5, ident=ident).hash("pässword")

    assert passwords.verify("pässword", stored)
    assert not passwords.verify("password", stored)
    assert passwords.work(stored) == Work(Algorithm.bcrypt, 32)
    assert passwords.needs_rehash(stored, 1000)


def test_a_hash_of_bcrypt_by_its_own_library_is_verified() -> None:
    stored = "$2b$04$vK5dGGwovvZdFd4/YR.JFeSjQVvRFwEQkx4FvIaJ9I50fko0BCaIG"  # of "a\0b"

    assert not passwords.verify("a", stored)
    assert not passwords.verify("a\0b", stored)  # nobody's password here


def test_bcrypt_takes_no_more_than_72_bytes_and_a_longer_text_is_wrong() -> None:
    fits = "é" * 36
    stored = bcrypt.using(rounds=4).hash(fits)

    assert passwords.verify(fits, stored)
    for longer in (fits + "x", fits + "é" * 50, "é" * 35 + "xé"):
        assert not passwords.verify(longer, stored)


@pytest.mark.parametrize("stored", GARBAGE)
def test_a_stored_text_that_is_no_hash_verifies_nothing(stored: str) -> None:
    assert not passwords.verify("hunter2 hunter2", stored)
    assert passwords.work(stored) is None
    assert passwords.needs_rehash(stored, 1000)


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 129, "x" * 1_000_000, "\ud800"])
def test_a_text_that_can_be_no_password_is_just_wrong(text: str) -> None:
    stored = sha512_crypt.using(rounds=1000).hash("right")

    assert not passwords.verify(text, stored)
    with pytest.raises(ValueError, match="not a possible password"):
        passwords.hash_password(text, 1000)


def test_a_new_hash_is_one_that_the_existing_site_reads() -> None:
    stored = passwords.hash_password("right", 1500)

    assert stored.startswith("$6$rounds=1500$")
    assert sha512_crypt.verify("right", stored)
    assert passwords.hash_password("right", 1500) != stored


def test_another_algorithm_and_fewer_rounds_are_outdated_and_more_rounds_are_not() -> None:
    assert passwords.needs_rehash(sha256_crypt.using(rounds=9000).hash("a"), 2000)
    assert passwords.needs_rehash(sha512_crypt.using(rounds=1999).hash("a"), 2000)
    assert not passwords.needs_rehash(sha512_crypt.using(rounds=2000).hash("a"), 2000)
    assert not passwords.needs_rehash(sha512_crypt.using(rounds=2001).hash("a"), 2000)


def test_the_cost_of_a_hash_is_read_from_its_text() -> None:
    assert passwords.work(sha256_crypt.using(rounds=1234).hash("a")) == Work(Algorithm.sha256, 1234)
    # 5,000 rounds are not written
    assert passwords.work("$6$abcdefgh$" + "a" * 86) == Work(Algorithm.sha512, 5000)


def test_the_ceiling_is_above_the_costliest_hash_of_each_algorithm() -> None:
    hashes = [
        sha512_crypt.using(rounds=3000).hash("a"),
        sha256_crypt.using(rounds=4000).hash("a"),
        sha256_crypt.using(rounds=2000).hash("a"),
        "$6$rounds=999999999$abcdefgh$" + "a" * 86,
    ]

    assert cost.ceiling_of(hashes, 1000) == {Algorithm.sha512: 4000, Algorithm.sha256: 5000}
    assert cost.ceiling_of(hashes, 9000) == {Algorithm.sha512: 10_000, Algorithm.sha256: 5000}
    with_bcrypt = [bcrypt.using(rounds=rounds).hash("a") for rounds in (4, 6)]
    assert cost.ceiling_of(with_bcrypt, 1000) == {Algorithm.sha512: 2000, Algorithm.bcrypt: 64}
    assert cost.ceiling_of([], 1000) == {Algorithm.sha512: 2000}
