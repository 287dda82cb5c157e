"""Who an attempt is: what its credential opens, and what opens it."""

import hashlib

import pytest

from tests import factories
from tests.runners import API, Runner, accepted
from tests.sql import counted


def test_a_credential_opens_its_own_attempt_only(app, client, ours, test_) -> None:
    first = factories.run(tests=[test_])
    factories.run(tests=[test_])
    one, other = ours.claim(), ours.claim()
    assert one.run_id == first.id

    one.headers, other.headers = other.headers, one.headers

    for response in (one.heartbeat(), other.finish(), one.append(0, b"x\n"), one.report(test_.id)):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_credential_that_was_good_is_looked_at_with_every_write(app, held, test_, raw) -> None:
    """Processes remember it; another one may have changed or removed the attempt meanwhile."""
    assert held.heartbeat().status_code == 200
    raw.execute("UPDATE run_attempt SET credential_hash = ?", ["0" * 64])

    assert held.heartbeat().status_code == 401
    assert held.append(0, b"x\n").status_code == 401
    assert held.report(test_.id).status_code == 401
    assert held.finish().status_code == 401
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    assert raw.execute("SELECT ended_at FROM run_attempt") == [(None,)]


def test_a_credential_of_an_attempt_that_is_gone_opens_nothing(app, held, test_, raw) -> None:
    assert held.heartbeat().status_code == 200
    raw.execute("DELETE FROM run_attempt")

    assert held.heartbeat().status_code == 401
    assert held.append(0, b"x\n").status_code == 401
    assert held.report(test_.id).status_code == 401
    assert held.finish().status_code == 401


def test_a_run_that_gets_another_id_is_followed(app, held, test_, raw) -> None:
    """By raw SQL only; another run may have its old id by then."""
    assert held.heartbeat().status_code == 200
    raw.execute("UPDATE test SET id = id + 1000 WHERE id = ?", [held.run_id])
    other = factories.run(tests=[test_])
    raw.execute("UPDATE test SET id = ? WHERE id = ?", [held.run_id, other.id])

    assert held.report(test_.id).status_code == 503
    assert held.report(test_.id).status_code == 200
    assert raw.execute("SELECT test_id FROM test_result") == [(held.run_id + 1000,)]


def test_an_attempt_asks_for_its_credential_once(app, held, test_) -> None:
    accepted(held.heartbeat())
    with counted(app) as statements:
        assert held.report(test_.id).status_code == 200

    assert len([text for text in statements if "credential_hash" in text]) == 1


def test_a_credential_opens_nothing_else(sqlite_app, client, held) -> None:
    for path in ("/runs", f"/runs/{held.run_id}", "/auth/tokens", "/system/queue"):
        assert client.get(f"{API}{path}", headers=held.headers).status_code == 401
    assert Runner(client, held.headers).ask().status_code == 401


def test_a_token_opens_no_attempt(sqlite_app, client, ours, held) -> None:
    held.headers = ours.headers

    assert held.heartbeat().status_code == 401
    assert held.finish().status_code == 401


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer ", "Basic x", "Bearer spca_x", "Bearer é"])
def test_no_credential_is_401(sqlite_app, client, held, text) -> None:
    held.headers = {"Authorization": text}

    assert held.heartbeat().status_code == 401


@pytest.mark.parametrize("text", ["0", "x", "99999999999", "2147483647", "%00"])
def test_an_attempt_that_cannot_be_is_401(sqlite_app, client, held, text) -> None:
    held.claim["attempt_id"] = text

    assert held.heartbeat().status_code == 401


def test_the_credential_is_kept_as_its_hash_only(app, client, held, raw) -> None:
    ((kept,),) = raw.execute("SELECT credential_hash FROM run_attempt")

    assert kept == hashlib.sha256(held.claim["credential"].encode()).hexdigest()
