"""HEAD, OPTIONS, and methods that are not taken."""

from tests import factories
from tests.runners import API


def test_head_is_a_get_without_its_body_and_options_tells_the_methods(sqlite_app, client) -> None:
    headers = factories.signed_in("user", "runs:read")
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
