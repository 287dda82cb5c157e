"""Rate limits, headers and refusals that every request passes."""

import contextlib
import itertools
import subprocess
import time

import pytest
import redis
from flask import Flask

from mod_auth.scopes import Scope
from tests import factories, servers
from tests.runners import API, Runner

READ = "runs:read"


def codes(client, count: int, path: str = f"{API}/runs", **options) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(count)]


@pytest.fixture
def limited(make_app, site) -> Flask:
    return make_app(rate_limit_read="3/minute", rate_limit_write="2/minute")


def test_a_token_has_its_own_limit_which_the_headers_tell(limited) -> None:
    client = limited.test_client()
    mine, other = (factories.signed_in("user", READ) for _ in range(2))

    answers = [client.get(f"{API}/runs", headers=mine) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    for answer in answers:
        assert 0 <= int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 61
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert refused.json["code"] == "rate_limited"
    assert refused.json["details"]["limit"] == 3
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
        client.get("/"),
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


def test_sign_ins_are_limited_per_address(make_app, site) -> None:
    client = make_app(rate_limit_auth="3/minute").test_client()

    def ask(address: str) -> int:
        person = factories.account()
        body = {"email": person.email, "password": person.password, "token_name": "a"}
        return client.post(
            f"{API}/auth/tokens", json=body, environ_base={"REMOTE_ADDR": address}
        ).status_code

    assert [ask("192.0.2.1") for _ in range(4)] == [201, 201, 201, 429]
    assert ask("192.0.2.2") == 201


@pytest.mark.parametrize(("method", "path"), [("POST", "/auth/tokens"), ("GET", "/system/health")])
def test_one_customers_network_counts_as_one_address(make_app, site, method, path) -> None:
    client = make_app(rate_limit_auth="3/minute", rate_limit_read="3/minute").test_client()

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


# The order of refusal


def test_the_order_of_refusal(make_app, site) -> None:
    app = make_app(rate_limit_write="3/minute")
    client = app.test_client()
    run = factories.run(requested_by=factories.account("user"))
    url = f"{API}/runs/{run.id}/cancel"
    malformed = {"data": b"{", "content_type": "application/json"}

    assert client.post(url, **malformed).status_code == 401
    no_scope = factories.signed_in("admin", READ)
    assert client.post(url, headers=no_scope, **malformed).status_code == 403
    stranger = factories.signed_in("user", "runs:write")
    assert client.post(url, headers=stranger, **malformed).status_code == 400
    missing = f"{API}/runs/4711/cancel"
    assert client.post(missing, headers=stranger, json={"reason": 5}).status_code == 400
    assert client.post(missing, headers=stranger).status_code == 404
    assert client.post(url, headers=stranger, **malformed).status_code == 429
    assert client.post(url, headers=no_scope, **malformed).status_code == 403
    other = factories.signed_in("user", "runs:write")
    assert client.post(url, headers=other).status_code == 403


# Shared counts


def test_two_processes_share_their_counts_over_redis(make_app, site, redis_url) -> None:
    one, two = (
        make_app(rate_limit_read="4/minute", redis_url=redis_url).test_client() for _ in range(2)
    )
    headers = factories.signed_in("user", READ)

    answers = [client.get(f"{API}/runs", headers=headers) for client in (one, two) * 3]

    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that the test may take away."""
    if servers.missing_redis():
        pytest.skip(servers.missing_redis())
    port = servers.free_port()
    command = [servers.program("redis-server"), "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--appendonly", "no", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as asked:
            for _ in range(200):
                with contextlib.suppress(redis.ConnectionError):
                    asked.ping()
                    break
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


@pytest.mark.redis
def test_a_redis_that_goes_away_takes_nothing_with_it(make_app, site, own_redis) -> None:
    url, process = own_redis
    client = make_app(
        rate_limit_read="3/minute", rate_limit_write="50/minute", redis_url=url
    ).test_client()
    headers = factories.signed_in("user", READ)
    assert codes(client, 1, headers=headers) == [200]

    process.kill()
    process.wait()

    after = codes(client, 5, headers=headers)
    assert after[0] == 200
    assert set(after) <= {200, 429}
    assert after[-1] == 429  # this process counts for itself
    health = client.get(f"{API}/system/health", environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert health.status_code == 200
    assert health.json["status"] == "degraded"


# Headers


@pytest.mark.parametrize(
    "host", ["evil.example", "ci.example.org.evil.example", "ci.example.org:80@evil", "é", "a b"]
)
def test_a_forged_host_enters_no_answer(make_app, site, host) -> None:
    client = make_app(trusted_hosts=("ci.example.org",)).test_client()
    run = factories.run()
    headers = {**factories.signed_in("user", READ), "Host": host.encode().decode("latin-1")}

    for path in (f"/runs/{run.id}", "/runs", "/nothing", "/runs/", "//runs"):
        response = client.get(f"{API}{path}", headers=headers)
        text = response.text + str(response.headers)
        assert "evil" not in text
        assert response.status_code < 500


def test_links_are_absolute_where_the_host_is_trusted_or_set(make_app, site) -> None:
    run = factories.run()
    headers = {**factories.signed_in("user", READ), "Host": "ci.example.org"}

    def link(**settings) -> str:
        client = make_app(**settings).test_client()
        return client.get(f"{API}/runs/{run.id}", headers=headers).json["links"]["self"]

    assert link() == f"/api/v1/runs/{run.id}"
    assert link(trusted_hosts=("ci.example.org",)) == f"http://ci.example.org/api/v1/runs/{run.id}"
    assert link(trusted_hosts=(".example.org",)) == f"http://ci.example.org/api/v1/runs/{run.id}"
    assert link(public_url="https://x.org/ci") == f"https://x.org/ci/api/v1/runs/{run.id}"


@pytest.mark.parametrize("given", ["abc-123", "", "a b", "x" * 65, "a\tb", "é"])
def test_a_request_id_is_kept_where_it_is_harmless(sqlite_app, client, given) -> None:
    response = client.get(
        f"{API}/system/health", headers={"X-Request-Id": given.encode().decode("latin-1")}
    )

    told = response.headers["X-Request-Id"]
    assert (told == given) is (given == "abc-123")
    assert told


def test_head_is_a_get_without_its_body_and_options_tells_the_methods(sqlite_app, client) -> None:
    headers = factories.signed_in("user", READ)
    run = factories.run()

    for path in (f"/runs/{run.id}", "/runs", "/runs/4711", "/runs/0"):
        got = client.get(f"{API}{path}", headers=headers)
        head = client.head(f"{API}{path}", headers=headers)
        assert (head.status_code, head.data) == (got.status_code, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
    options = client.options(f"{API}/runs/{run.id}")
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", "))
    assert client.head(f"{API}/runs").status_code == 401


def test_a_method_that_is_not_taken_is_405_naming_those_that_are(sqlite_app, client) -> None:
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        response = client.open(f"{API}/runs", method=method)

        assert (response.status_code, response.json["code"]) == (405, "method_not_allowed")
        assert "GET" in response.headers["Allow"]


def test_an_error_of_ours_is_500_in_the_one_shape_with_the_requests_id(
    sqlite_app, client, raw
) -> None:
    headers = factories.signed_in("user", READ)
    run = factories.run(progress=["preparation"])
    raw.execute("UPDATE test_progress SET timestamp = 'no time at all'")

    response = client.get(f"{API}/runs/{run.id}/progress", headers=headers)

    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert response.json["details"]["request_id"] == response.headers["X-Request-Id"]
    assert "no time" not in response.text
