"""Rate limits: for whom a request counts, and what a refusal tells."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from mod_auth.scopes import Scope
from tests import factories, servers
from tests.mod_api.limits import READ, codes
from tests.runners import API, Runner


@pytest.fixture
def limited(make_app, site) -> Flask:
    return make_app(rate_limit_read="3/minute", rate_limit_write="2/minute")


def test_a_token_has_its_own_limit_which_the_headers_tell(limited) -> None:
    client = limited.test_client()
    mine, other = (factories.signed_in("user", READ) for _ in range(2))

    before = int(time.time())
    answers = [client.get(f"{API}/runs", headers=mine) for _ in range(4)]
    after = time.time()

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    for answer in answers:
        assert before <= int(answer.headers["X-RateLimit-Reset"]) <= after + 61
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert refused.json["code"] == "rate_limited"
    assert refused.json["details"] == {
        "retry_after": int(refused.headers["Retry-After"]), "limit": 3, "window": "60s",
    }  # fmt: skip
    assert codes(client, 1, headers=other) == [200]


def test_reads_and_writes_count_apart(limited) -> None:
    client = limited.test_client()
    headers = factories.signed_in("admin", READ, "runs:write")
    assert codes(client, 4, headers=headers)[-1] == 429

    posts = [client.post(f"{API}/runs/4711/cancel", headers=headers).status_code for _ in range(3)]

    assert posts == [404, 404, 429]


def test_without_a_token_the_address_counts(limited) -> None:
    client = limited.test_client()
    here, there = ({"REMOTE_ADDR": address} for address in ("192.0.2.1", "192.0.2.2"))
    path = f"{API}/system/health"

    assert codes(client, 4, path, environ_base=here) == [200, 200, 200, 429]
    assert codes(client, 1, path, environ_base=there) == [200]


def test_a_forwarded_address_is_believed_only_behind_trusted_proxies(make_app, site) -> None:
    path = f"{API}/system/health"
    plain = make_app(rate_limit_read="2/minute").test_client()
    behind = make_app(rate_limit_read="2/minute", trusted_proxies=1).test_client()

    def three(client) -> list[int]:
        return [
            client.get(path, headers={"X-Forwarded-For": f"10.9.9.9, 10.0.0.{number}"}).status_code
            for number in range(3)
        ]

    assert three(plain) == [200, 200, 429]
    assert three(behind) == [200, 200, 200]
    forged = [
        behind.get(path, headers={"X-Forwarded-For": f"10.0.0.{number}, 10.1.1.1"}).status_code
        for number in range(3)
    ]
    assert forged == [200, 200, 429]


def test_every_response_of_every_cause_carries_the_headers(limited) -> None:
    client = limited.test_client()
    headers = factories.signed_in("user", READ)
    answers = [
        client.get(f"{API}/runs", headers=headers),
        client.get(f"{API}/runs?limit=101", headers=headers),
        client.get(f"{API}/runs"),
        client.get(f"{API}/system/queue", headers=headers),
        client.get(f"{API}/nothing"),
        client.delete(f"{API}/runs"),
        client.get("/nothing"),
        client.options(f"{API}/runs"),
        client.get(f"{API}/docs"),
        client.head(f"{API}/runs", headers=headers),
    ]

    expected = [200, 400, 401, 403, 404, 405, 404, 200]
    assert [answer.status_code for answer in answers][:8] == expected
    for answer in answers:
        for name in ("Limit", "Remaining", "Reset"):
            assert f"X-RateLimit-{name}" in answer.headers, answer.request.path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Request-Id"]
        assert "Server" not in answer.headers or "Python" not in answer.headers["Server"]


def test_without_limits_no_header_speaks_of_any(sqlite_app, client) -> None:
    headers = factories.signed_in("user", READ)

    for answer in (client.get(f"{API}/runs", headers=headers), client.get(f"{API}/runs")):
        assert not [name for name, _ in answer.headers if name.startswith("X-RateLimit")]


def test_one_limit_off_leaves_the_others(make_app, site) -> None:
    client = make_app(rate_limit_write="1/minute").test_client()
    headers = factories.signed_in("admin", READ, "runs:write")

    assert codes(client, 5, headers=headers) == [200] * 5
    post = [client.post(f"{API}/runs/1/cancel", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in post] == [404, 429]


def test_attempts_count_for_themselves(make_app, site) -> None:
    factories.run(), factories.run()
    client = make_app(rate_limit_runner="3/minute", rate_limit_write="1/minute").test_client()
    ours = Runner(client, factories.signed_in("admin", Scope.RUNS_EXECUTE))
    one, other = ours.claim(), ours.claim()

    assert [one.heartbeat().status_code for _ in range(4)] == [200, 200, 200, 429]
    assert other.heartbeat().status_code == 200


def test_each_run_has_a_limit_for_its_worker_and_wrong_tokens_count_for_the_address(
    make_app, site
) -> None:
    one, other = factories.run(), factories.run()
    client = make_app(rate_limit_runner="2/minute").test_client()

    def post(run_id: object, token: object) -> int:
        answer = client.post(f"/progress-reporter/{run_id}/{token}", data={"type": "equality"})
        return answer.status_code

    assert [post(one.id, one.token) for _ in range(3)] == [200, 200, 429]
    assert [post(run_id, "wrong") for run_id in (one.id, other.id, "x" * 2000)] == [200, 200, 429]
    assert post(other.id, other.token) == 200


def sign_in(client, person, password: str | None = None, address: str = "192.0.2.1"):
    body = {"email": person.email, "password": password or person.password}
    body["token_name"] = f"name-{next(numbers)}"
    return client.post(f"{API}/auth/tokens", json=body, environ_base={"REMOTE_ADDR": address})


numbers = itertools.count()


def test_failed_sign_ins_are_limited_per_address(make_app, site) -> None:
    client = make_app(rate_limit_auth="3/minute").test_client()
    people = [factories.account() for _ in range(4)]

    failed = [sign_in(client, one, "wrong password") for one in people]

    assert [answer.status_code for answer in failed] == [401, 401, 401, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in failed] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in failed} == {"3"}
    assert sign_in(client, people[3]).status_code == 429
    assert sign_in(client, people[3], address="192.0.2.2").status_code == 201


def test_successful_sign_ins_cost_nothing(make_app, site) -> None:
    client = make_app(rate_limit_auth="3/15 minutes", rate_limit_write="3/minute").test_client()
    person = factories.account()

    signed_in = [sign_in(client, person) for _ in range(8)]
    failed = [sign_in(client, person, "wrong password") for _ in range(4)]

    assert [answer.status_code for answer in signed_in] == [201] * 8
    assert {answer.headers["X-RateLimit-Remaining"] for answer in signed_in} == {"3"}
    assert [answer.status_code for answer in failed] == [401, 401, 401, 429]


def test_sign_ins_that_are_no_sign_ins_count_as_writes_of_the_address(make_app, site) -> None:
    client = make_app(rate_limit_auth="1/minute", rate_limit_write="2/minute").test_client()

    statuses = [client.post(f"{API}/auth/tokens", json={}).status_code for _ in range(3)]

    assert statuses == [400, 400, 429]


def test_nobody_waits_for_a_refusal_when_many_sign_in_at_once(make_app, site) -> None:
    app = make_app(rate_limit_auth="5/15 minutes")
    person = factories.account()

    def ask(_: int):
        return sign_in(app.test_client(), person)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))

    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) < 20
    for answer in refused:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5" == str(answer.json["details"]["retry_after"])
    assert sign_in(app.test_client(), person).headers["X-RateLimit-Remaining"] == "5"


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def counted(request) -> dict[str, str]:
    """Settings: where requests are counted."""
    if request.param == "redis":
        return {"redis_url": request.getfixturevalue("redis_url")}
    return {}


def ask_read(client):
    headers = factories.signed_in("user", READ)
    return lambda: client.get(f"{API}/runs", headers=headers)


def ask_write(client):
    headers = factories.signed_in("admin", "runs:write")
    return lambda: client.post(f"{API}/runs/4711/cancel", headers=headers)


def ask_runner(client):
    factories.run()
    held = Runner(client, factories.signed_in("admin", Scope.RUNS_EXECUTE)).claim()
    return held.heartbeat


def ask_auth_of_address(client):
    return lambda: sign_in(client, factories.account(), "wrong password")


def ask_auth_of_account(client):
    person = factories.account()
    return lambda: sign_in(client, person, "wrong password", f"192.0.2.{next(numbers)}")


@pytest.mark.parametrize(
    ("limit", "asking"),
    [
        ("rate_limit_read", ask_read),
        ("rate_limit_write", ask_write),
        ("rate_limit_runner", ask_runner),
        ("rate_limit_auth", ask_auth_of_address),
        ("rate_limit_auth", ask_auth_of_account),
    ],
)
def test_a_client_that_waits_as_long_as_it_is_told_is_served(
    make_app, site, counted, limit, asking
) -> None:
    ask = asking(make_app(**{limit: "2/2 seconds"}, **counted).test_client())
    answers = [ask()]
    while answers[-1].status_code != 429:
        assert "Retry-After" not in answers[-1].headers
        answers.append(ask())
    refused = answers[-1]
    wait = int(refused.headers["Retry-After"])
    assert refused.json["details"]["retry_after"] == wait
    assert 1 <= wait <= 3

    time.sleep(wait)

    assert ask().status_code == answers[0].status_code


@pytest.mark.parametrize("path", ["/runs", "/runs/1/cancel", "/attempts/1/heartbeat", "/attempts"])
def test_without_a_database_a_client_is_told_to_come_back_in_seconds(make_app, path) -> None:
    url = f"mysql+pymysql://me:secret@127.0.0.1:{servers.free_port()}/site"
    limits = dict.fromkeys(
        ("rate_limit_read", "rate_limit_write", "rate_limit_runner"), "100/15 minutes"
    )
    client = make_app(database_url=url, **limits).test_client()
    headers = factories.bearer("spci_" + "a" * 43)

    answer = client.open(
        f"{API}{path}", method="GET" if path == "/runs" else "POST", headers=headers
    )

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2" == str(answer.json["details"]["retry_after"])


def test_retry_after_of_a_503_is_the_bodys_and_other_statuses_have_none(make_app, site) -> None:
    limits = dict.fromkeys(("rate_limit_read", "rate_limit_write"), "100/minute")
    client = make_app(**limits).test_client()
    headers = factories.signed_in("user", READ, "tokens:manage")

    unavailable = client.get(f"{API}/auth/github", headers=headers)
    others = [
        client.get(f"{API}/runs", headers=headers),
        client.get(f"{API}/runs?limit=0", headers=headers),
        client.get(f"{API}/runs"),
        client.get(f"{API}/nothing"),
        client.delete(f"{API}/runs"),
    ]

    assert unavailable.status_code == 503
    assert unavailable.headers["Retry-After"] == "3600"
    assert unavailable.json["details"]["retry_after"] == 3600
    assert [answer.status_code for answer in others] == [200, 400, 401, 404, 405]
    assert not [answer for answer in others if "Retry-After" in answer.headers]


@pytest.mark.parametrize(("method", "path"), [("POST", "/auth/tokens"), ("GET", "/system/health")])
def test_one_customers_network_counts_as_one_address(make_app, site, method, path) -> None:
    client = make_app(rate_limit_write="3/minute", rate_limit_read="3/minute").test_client()

    def ask(address: str) -> bool:
        answer = client.open(
            f"{API}{path}", method=method, json={}, environ_base={"REMOTE_ADDR": address}
        )
        return answer.status_code == 429

    assert [ask(f"2001:db8::{number}") for number in range(1, 5)] == [False] * 3 + [True]
    assert not ask("2001:db8:0:1::1")


def test_a_stranger_cannot_lock_an_account_out(make_app, site) -> None:
    client = make_app(rate_limit_auth="3/minute").test_client()
    person = factories.account()
    names = (f"name-{number}" for number in itertools.count())

    def ask(password: str, address: str) -> int:
        body = {"email": person.email, "password": password, "token_name": next(names)}
        return client.post(
            f"{API}/auth/tokens", json=body, environ_base={"REMOTE_ADDR": address}
        ).status_code

    guesses = [ask("wrong password", f"192.0.2.{number}") for number in range(8)]

    assert guesses[:3] == [401] * 3
    assert set(guesses[3:]) == {429}
    assert ask(person.password, "198.51.100.7") == 201
