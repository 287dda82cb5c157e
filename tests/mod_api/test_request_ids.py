"""The id of a request: in its answer, and in what is told of an error of ours."""

import pytest

from tests import factories
from tests.runners import API


@pytest.mark.parametrize("given", ["abc-123", "", "a b", "x" * 65, "a\tb", "é"])
def test_a_request_id_is_kept_where_it_is_harmless(sqlite_app, client, given) -> None:
    response = client.get(
        f"{API}/system/health", headers={"X-Request-Id": given.encode().decode("latin-1")}
    )

    told = response.headers["X-Request-Id"]
    assert (told == given) is (given == "abc-123")
    assert told


def test_an_error_of_ours_is_500_in_the_one_shape_with_the_requests_id(
    sqlite_app, client, raw
) -> None:
    headers = factories.signed_in("user", "runs:read")
    run = factories.run(progress=["preparation", "testing", "completed"])
    factories.result(run, factories.regression_test())
    raw.execute("UPDATE test_result SET runtime = 'no number'")

    response = client.get(f"{API}/runs/{run.id}/samples", headers=headers)

    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert response.json["details"]["request_id"] == response.headers["X-Request-Id"]
    assert "no time" not in response.text
