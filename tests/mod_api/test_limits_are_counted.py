"""Rate limits as they are by default, on, which most other tests lift."""

from collections.abc import Callable

from flask import Flask

from tests import factories

HEALTH = "/api/v1/system/health"
NOWHERE = "/api/v1/nowhere"


def test_the_same_operation_is_counted_again_and_again(make_app: Callable[..., Flask]) -> None:
    client = make_app(rate_limit_read="3/minute").test_client()

    answers = [client.get(HEALTH) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]


def test_what_matches_no_route_counts_with_the_rest(make_app: Callable[..., Flask]) -> None:
    client = make_app(rate_limit_read="2/minute").test_client()

    statuses = [client.get(path).status_code for path in (NOWHERE, NOWHERE, HEALTH)]

    assert statuses == [404, 404, 429]


def test_each_token_has_a_limit_of_its_own(make_app: Callable[..., Flask]) -> None:
    client = make_app(rate_limit_read="1/minute").test_client()
    texts = [factories.token_for(factories.account(), "runs:read") for _ in range(2)]

    statuses = [
        client.get("/api/v1/runs", headers={"Authorization": f"Bearer {text}"}).status_code
        for text in (*texts, *texts)
    ]

    assert statuses == [200, 200, 429, 429]
