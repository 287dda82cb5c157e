"""Rate limits of several processes, which Redis counts for all of them."""

import contextlib
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests import factories, servers
from tests.mod_api.limits import READ, codes
from tests.patience import tries
from tests.runners import API


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
            for _ in tries():
                with contextlib.suppress(redis.ConnectionError):
                    asked.ping()
                    break
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


@pytest.mark.redis
def test_without_redis_passwords_are_not_free_to_guess_and_work_goes_on(
    make_app, site, own_redis
) -> None:
    url, process = own_redis
    app = make_app(
        rate_limit_auth="3/15 minutes", rate_limit_read="9/minute", rate_limit_write="9/minute",
        redis_url=url,
    )  # fmt: skip
    client = app.test_client()
    person, test = factories.account("admin"), factories.regression_test()

    def sign_in(password: str, name: str, address: str) -> int:
        body = {"email": person.email, "password": password, "token_name": name}
        return client.post(
            f"{API}/auth/tokens", json=body, environ_base={"REMOTE_ADDR": address}
        ).status_code

    assert sign_in(person.password, "before", "192.0.2.1") == 201

    process.kill()
    process.wait()

    guesses = [sign_in("wrong password", "x", "192.0.2.1") for _ in range(9)]
    assert guesses == [401] * 3 + [429] * 6
    assert sign_in(person.password, "after", "192.0.2.2") == 201
    headers = factories.signed_in("admin", READ, "runs:write")
    body = {"commit_sha": "a" * 40, "platform": "linux", "regression_test_ids": [test.id]}
    body["repository"] = "CCExtractor/ccextractor"
    assert client.post(f"{API}/runs", json=body, headers=headers).status_code == 202
    assert codes(client, 10, headers=headers) == [200] * 9 + [429]


@pytest.mark.redis
def test_a_redis_that_is_back_counts_for_all_processes_again(
    make_app, site, own_redis, monkeypatch
) -> None:
    monkeypatch.setattr("mod_auth.shared_counters.PAUSE_SECONDS", 0.0)
    url, process = own_redis
    one, two = (make_app(rate_limit_read="4/minute", redis_url=url).test_client() for _ in range(2))
    headers = factories.signed_in("user", READ)
    process.send_signal(signal.SIGSTOP)
    assert codes(one, 1, headers=headers) == [200]

    process.send_signal(signal.SIGCONT)

    counted = [
        code
        for _ in range(4)
        for client in (one, two)
        for code in codes(client, 1, headers=headers)
    ]
    assert counted[:4] == [200] * 4
    assert counted[5:] == [429] * 3


@pytest.mark.redis
def test_a_redis_that_hangs_fails_none_of_the_requests_that_wait_for_it(
    make_app, site, own_redis
) -> None:
    url, process = own_redis
    app = make_app(rate_limit_read="50/minute", redis_url=url)
    headers = factories.signed_in("user", READ)
    assert codes(app.test_client(), 1, headers=headers) == [200]

    process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(codes, app.test_client(), 1, headers=headers) for _ in range(6)]

    assert [one.result() for one in asked] == [[200]] * 6
