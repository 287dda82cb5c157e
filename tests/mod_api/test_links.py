"""What links begin with, and that no forged host gets into them."""

import pytest

from tests import factories
from tests.runners import API


@pytest.mark.parametrize(
    "host", ["evil.example", "ci.example.org.evil.example", "ci.example.org:80@evil", "é", "a b"]
)
def test_a_forged_host_enters_no_answer(make_app, site, host) -> None:
    client = make_app(trusted_hosts=("ci.example.org",)).test_client()
    run = factories.run()
    headers = {**factories.signed_in("user", "runs:read"), "Host": host.encode().decode("latin-1")}

    for path in (f"/runs/{run.id}", "/runs", "/nothing", "/runs/", "//runs"):
        response = client.get(f"{API}{path}", headers=headers)
        text = response.text + str(response.headers)
        assert "evil" not in text
        assert response.status_code < 500


def test_links_are_absolute_where_the_host_is_trusted_or_set(make_app, site) -> None:
    run = factories.run()
    headers = {**factories.signed_in("user", "runs:read"), "Host": "ci.example.org"}

    def link(**settings) -> str:
        client = make_app(**settings).test_client()
        return client.get(f"{API}/runs/{run.id}", headers=headers).json["links"]["self"]

    assert link() == f"/api/v1/runs/{run.id}"
    assert link(trusted_hosts=("ci.example.org",)) == f"http://ci.example.org/api/v1/runs/{run.id}"
    assert link(trusted_hosts=(".example.org",)) == f"http://ci.example.org/api/v1/runs/{run.id}"
    assert link(public_url="https://x.org/ci") == f"https://x.org/ci/api/v1/runs/{run.id}"
