"""Of several reasons to refuse a request, which one its answer gives."""

from tests import factories
from tests.runners import API


def test_the_order_of_refusal(make_app, site) -> None:
    app = make_app(rate_limit_write="3/minute")
    client = app.test_client()
    run = factories.run(requested_by=factories.account("user"))
    url = f"{API}/runs/{run.id}/cancel"
    malformed = {"data": b"{", "content_type": "application/json"}

    assert client.post(url, **malformed).status_code == 401
    no_scope = factories.signed_in("admin", "runs:read")
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
