"""A start that is sent twice with one key starts one run."""

from datetime import UTC, datetime, timedelta

import pytest

from tests import factories
from tests.mod_api.runs.asking import NEW
from tests.runners import API


def test_a_key_answers_with_the_same_run_and_refuses_another_body(app, client, tester, raw) -> None:
    factories.regression_test()
    keyed = {**tester, "Idempotency-Key": "abc"}

    first = client.post(f"{API}/runs", json=NEW, headers=keyed)
    again = client.post(f"{API}/runs", json=NEW, headers=keyed)
    other = client.post(f"{API}/runs", json={**NEW, "platform": "windows"}, headers=keyed)
    another = client.post(f"{API}/runs", json=NEW, headers={**tester, "Idempotency-Key": "abcd"})

    assert again.json == first.json
    assert again.status_code == 202
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert another.json["run_id"] != first.json["run_id"]
    assert raw.execute("SELECT count(*) FROM test") == [(2,)]


def test_keys_are_an_accounts_own(app, client, tester, raw) -> None:
    factories.regression_test()
    other = factories.signed_in("tester", "runs:write")

    runs = {
        client.post(f"{API}/runs", json=NEW, headers={**headers, "Idempotency-Key": "abc"}).json[
            "run_id"
        ]
        for headers in (tester, other)
    }

    assert len(runs) == 2


def test_a_request_that_failed_gives_its_key_back(app, client, tester) -> None:
    keyed = {**tester, "Idempotency-Key": "abc"}
    assert client.post(f"{API}/runs", json=NEW, headers=keyed).status_code == 422
    factories.regression_test()

    assert client.post(f"{API}/runs", json=NEW, headers=keyed).status_code == 202


def test_a_key_at_work_is_409_and_one_whose_request_died_is_taken_over(
    app, client, tester, raw
) -> None:
    factories.regression_test()
    keyed = {**tester, "Idempotency-Key": "abc"}
    first = client.post(f"{API}/runs", json=NEW, headers=keyed)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
    raw.execute("UPDATE idempotency_key SET run_id = NULL, created_at = ?", [now])

    at_work = client.post(f"{API}/runs", json=NEW, headers=keyed)
    assert at_work.status_code == 409
    assert at_work.json["details"]["retry_after"] > 0
    assert "Retry-After" not in at_work.headers  # which 429 and 503 have
    earlier = (datetime.now(UTC) - timedelta(minutes=2)).strftime("%Y-%m-%d %H:%M:%S.000000")
    raw.execute("UPDATE idempotency_key SET created_at = ?", [earlier])
    taken_over = client.post(f"{API}/runs", json=NEW, headers=keyed)
    assert taken_over.status_code == 202
    assert taken_over.json["run_id"] != first.json["run_id"]


def test_a_key_lives_for_a_day(app, client, tester, raw) -> None:
    factories.regression_test()
    keyed = {**tester, "Idempotency-Key": "abc"}
    client.post(f"{API}/runs", json=NEW, headers=keyed)
    raw.execute("UPDATE idempotency_key SET created_at = '2026-01-01 00:00:00.000000'")

    other = client.post(f"{API}/runs", json={**NEW, "platform": "windows"}, headers=keyed)

    assert other.status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256])
def test_a_key_is_1_to_255_visible_characters(sqlite_app, client, tester, key) -> None:
    response = client.post(
        f"{API}/runs",
        json=NEW,
        headers={**tester, "Idempotency-Key": key.encode().decode("latin-1")},
    )

    assert response.status_code == 400
    assert "Idempotency-Key" in response.json["details"]["fields"]
