"""Rate limits of several processes, which Redis counts for all of them."""

import contextlib
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests import factories, servers
from tests.mod_api.limits import READ, codes
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
