"""What is wrong is refused with its name: never a 500, never silence."""

import pytest

from mod_api.document import COMMITTED
from tests import factories
from tests.openapi import read

ALL = (
    "runs:read", "runs:write", "results:read", "system:read", "baselines:write", "runs:execute",
    "tokens:manage",
)  # fmt: skip
NOT_IDS = (
    "0", "-1", "+1", "2147483648", "1" * 20, "1" * 5000, "1_0", "%201", "1%20", "1.0", "1e3", "0x1",
    "\u0661", "\uff11", "\u00b2", "%00", "1%00", "1%0a", "%ff", "abc", "null", "%F0%9F%98%80",
)  # fmt: skip
RUN = {"repository": "CCExtractor/ccextractor", "commit_sha": "a" * 40, "platform": "linux"}


@pytest.fixture
def admin(sqlite_app) -> dict[str, str]:
    return factories.signed_in("admin", *ALL)


def post(client, path, admin, data, content_type="application/json"):
    return client.post(f"/api/v1{path}", data=data, content_type=content_type, headers=admin)


@pytest.mark.parametrize("text", NOT_IDS)
def test_an_id_is_ascii_digits_within_32_bits(client, admin, text) -> None:
    for path in ("/runs/{}", "/runs/{}/summary", "/runs/{}/progress", "/runs/{}/config"):
        response = client.get("/api/v1" + path.format(text), headers=admin)

        assert response.status_code == 400
        assert "run_id" in response.json["details"]["fields"]
    assert client.delete(f"/api/v1/auth/tokens/{text}", headers=admin).status_code == 400


def test_the_largest_id_is_an_id(client, admin) -> None:
    assert client.get("/api/v1/runs/2147483647", headers=admin).status_code == 404


@pytest.mark.parametrize("name", ["nonsense", "cls", "self", "fields", "message", "Limit", "", "é"])
@pytest.mark.parametrize("path", ["/runs", "/runs/1", "/runs/1/summary", "/system/queue"])
def test_unknown_query_parameters_are_named(client, admin, path, name) -> None:
    response = client.get(f"/api/v1{path}", query_string={name: "1"}, headers=admin)

    assert response.status_code == 400
    assert response.json["details"]["fields"].get(name or "body") or name == ""


@pytest.mark.parametrize("name", ["nonsense", "cls", "self", "message", "code", "", "é"])
def test_unknown_body_keys_are_named(client, admin, name) -> None:
    response = client.post("/api/v1/runs", json={**RUN, name: 1}, headers=admin)

    assert response.status_code == 400
    assert (name or "body") in response.json["details"]["fields"]


def test_an_unknown_name_is_refused_with_those_that_exist(client, admin) -> None:
    def refusal(answer) -> str:
        assert answer.status_code == 400
        ((name, message),) = answer.json["details"]["fields"].items()
        assert name in ("colour", "approvals.0.colour")
        return message

    query = refusal(client.get("/api/v1/branches?colour=1", headers=admin))
    body = refusal(client.post("/api/v1/runs", json={**RUN, "colour": 1}, headers=admin))
    none = refusal(client.get("/api/v1/runs/1/summary?colour=1", headers=admin))
    entry = {"sample_id": 1, "regression_id": 1, "output_id": 1, "reason": "The wording is right."}
    nested = refusal(
        client.post(
            "/api/v1/runs/1/baseline-approvals",
            json={"approvals": [{**entry, "colour": 1}]}, headers=admin,
        )
    )  # fmt: skip

    assert query == "Unknown field. There are: limit, offset, repository, name, active."
    assert "commit_sha" in body
    assert "regression_test_ids" in body
    assert none == "Unknown field. There are no query parameters here."
    assert "apply_to_variants" in nested


BOOLEANS = [
    ("/branches", "active"), ("/environments", "active"), ("/regression-tests", "active"),
    ("/runs/1/infrastructure-errors", "include_stack"), ("/auth/tokens", "all"),
    ("/runs/1/logs/stream", "from_beginning"),
]  # fmt: skip


OF_JOBS = [("/jobs/{job_id}/tests", "flaky"), ("/jobs/{job_id}/logs/stream", "from_beginning")]


def test_these_are_all_query_booleans() -> None:
    document = read(COMMITTED.read_text())
    found = {
        (path.replace("{run_id}", "1"), parameter["name"])
        for path, item in document["paths"].items()
        for operation in item.values()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", ())
        if parameter.get("schema", {}).get("type") == "boolean"
    }

    assert found == {*BOOLEANS, *OF_JOBS}


@pytest.mark.parametrize(("path", "name"), BOOLEANS)
def test_a_query_boolean_is_a_word_or_a_digit_in_any_case(client, admin, path, name) -> None:
    factories.run(progress=["testing", "completed"])

    def status(value: str) -> int:
        answer = client.get(f"/api/v1{path}", query_string={name: value}, headers=admin)
        return answer.status_code

    for words in (("true", "True", "TRUE", "1"), ("false", "False", "fAlSe", "0")):
        statuses = {status(word) for word in words}
        assert len(statuses) == 1
        assert 400 not in statuses
    for word in ("yes", "2", "", "t", "on", "01", "\uff11", "tru\u0065\u0301", " true"):
        answer = client.get(f"/api/v1{path}", query_string={name: word}, headers=admin)
        assert (answer.status_code, list(answer.json["details"]["fields"])) == (400, [name])


@pytest.mark.parametrize(
    ("value", "found"),
    [("True", 1), ("1", 1), ("TRUE", 1), ("False", 2), ("0", 2), ("FALSE", 2)],
)
def test_a_query_boolean_means_what_it_says(client, admin, value, found) -> None:
    factories.regression_test(active=True)
    for _ in range(2):
        factories.regression_test(active=False)

    answer = client.get(f"/api/v1/regression-tests?active={value}", headers=admin)

    assert answer.json["pagination"]["total"] == found


@pytest.mark.parametrize("wrong", ["limit=x", "limit=5&limit=5", "unknown=1"])
def test_a_query_reads_alike_however_often_it_is_asked(client, admin, wrong) -> None:
    for _ in range(2):
        assert client.get(f"/api/v1/runs?{wrong}", headers=admin).status_code == 400
        right = client.get("/api/v1/runs?limit=7&status=fail", headers=admin).json
        assert right["pagination"]["limit"] == 7
        other = client.get("/api/v1/audit-log?limit=7", headers=admin).json
        assert other["pagination"]["limit"] == 7


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=101", "limit"), ("limit=0", "limit"), ("limit=-1", "limit"), ("limit=1_0", "limit"),
        ("limit=%D9%A1", "limit"), ("limit=", "limit"), ("limit=1e1", "limit"),
        ("limit=%2B5", "limit"), ("limit=+5", "limit"), ("limit=99999999999999999999", "limit"),
        ("offset=-1", "offset"), ("offset=2147483648", "offset"), ("offset=x", "offset"),
        ("limit=5&limit=5", "limit"), ("cls=5&cls=5", "cls"), ("limit=%00", "query"),
        ("branch=%00", "query"), ("branch=%ff", "query"), ("%ff=1", "query"),
        ("status=passed", "status"), ("status=", "status"), ("status=PASS", "status"),
        ("platform=macos", "platform"), ("sort=id", "sort"), ("sort=--run_id", "sort"),
        ("commit_sha=abc", "commit_sha"), ("commit_sha=" + "g" * 40, "commit_sha"),
        ("commit_sha=" + "a" * 40 + "%0a", "commit_sha"), ("repository=a", "repository"),
        ("repository=a/b/c", "repository"), ("repository=a/b%0a", "repository"),
        ("pull_request=0", "pull_request"), ("pull_request=2147483648", "pull_request"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-02-30", "created_after"),
        ("created_after=2026-01-01T25:00:00Z", "created_after"),
        ("created_after=0000-01-01", "created_after"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before"),
        ("created_before=0001-01-01T00:00:00%2B14:00", "created_before"),
        ("created_before=2026-01-01T00:00:00Z%0a", "created_before"),
        ("branch=" + "b" * 101, "branch"),
    ],
)  # fmt: skip
def test_a_wrong_query_value_is_named(client, admin, query, field) -> None:
    response = client.get(f"/api/v1/runs?{query}", headers=admin)

    assert response.status_code == 400, response.json
    assert field in response.json["details"]["fields"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"1", b"null", b'"text"', b"true", b"{", b"{]", b"{}{}", b"\xff{}", b"nan",
        b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b"[" * 100_000,
        b'{"a":' * 100_000, b"{" + b'"repository":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"platform": "linux", "platform": "linux"}', b'{"cls": 1, "cls": 1}',
        b'{"branch": "\\u0000"}', b'{"branch": "\\ud800"}', b'{"\\u0000": 1}',
        b'{"pull_request": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}", b'{"a": 1e400000}',
    ],
)  # fmt: skip
def test_what_is_no_clean_json_object_is_refused(client, admin, body) -> None:
    response = post(client, "/runs", admin, body)

    assert response.status_code == 400
    assert response.json["details"]["fields"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"1", b"null", b'{"reason": 5}', b"\xff", b" ", b'{"reason":"\\u0000"}']
)
def test_malformed_json_on_an_optional_body_cancels_nothing(client, admin, raw, body) -> None:
    run = factories.run()

    response = post(client, f"/runs/{run.id}/cancel", admin, body)

    assert response.status_code == 400
    assert client.get(f"/api/v1/runs/{run.id}", headers=admin).json["status"] == "queued"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("repository", 1), ("repository", "a"), ("repository", "a/b\n"), ("repository", None),
        ("repository", "a/" + "b" * 100), ("commit_sha", "A" * 39), ("commit_sha", "z" * 40),
        ("commit_sha", "a" * 40 + "\n"), ("commit_sha", []), ("platform", "Linux"),
        ("platform", {}), ("branch", "a b"), ("branch", "b" * 101), ("branch", "x\n"),
        ("pull_request", 0), ("pull_request", 2**31), ("pull_request", "1"),
        ("pull_request", True), ("pull_request", 1.0), ("regression_test_ids", 1),
        ("regression_test_ids", [0]), ("regression_test_ids", ["1"]),
        ("regression_test_ids", [2**31]), ("regression_test_ids", [10**19]),
        ("regression_test_ids", [True]), ("regression_test_ids", [[1]]),
        ("regression_test_ids", [1, 1]), ("regression_test_ids", list(range(1, 502))),
        ("regression_test_ids", None), ("environment_id", 1), ("environment_id", "e" * 51),
    ],
)  # fmt: skip
def test_a_wrong_value_in_a_body_is_named(client, admin, key, value) -> None:
    response = client.post("/api/v1/runs", json={**RUN, key: value}, headers=admin)

    assert response.status_code == 400, response.json
    assert any(name.partition(".")[0] == key for name in response.json["details"]["fields"])


@pytest.mark.parametrize("key", ["repository", "commit_sha", "platform"])
def test_a_missing_value_in_a_body_is_named(client, admin, key) -> None:
    body = {name: value for name, value in RUN.items() if name != key}

    response = client.post("/api/v1/runs", json=body, headers=admin)

    assert response.status_code == 400
    assert list(response.json["details"]["fields"]) == [key]


@pytest.mark.parametrize("path", ["/runs", "/runs/1/cancel", "/runs/1/retry", "/auth/tokens"])
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/jsonp"])
def test_a_wrong_content_type_is_415(client, admin, path, kind) -> None:
    response = post(client, path, admin, b"{}", kind)

    assert response.status_code == 415
    assert response.json["code"] == "unsupported_media_type"


def test_a_charset_beside_the_content_type_is_taken(client, admin) -> None:
    run = factories.run()

    response = post(
        client, f"/runs/{run.id}/cancel", admin, b"{}", "application/json; charset=utf-8"
    )

    assert response.status_code == 202


@pytest.mark.parametrize("path", ["/runs", "/runs/1/cancel", "/auth/tokens"])
def test_a_body_over_the_limit_is_413(client, admin, path) -> None:
    body = b'{"reason": "' + b"x" * (1024 * 1024) + b'"}'

    response = post(client, path, admin, body)

    assert response.status_code == 413
    assert response.json["code"] == "payload_too_large"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/runs"), ("DELETE", "/auth/tokens/current"), ("GET", "/runs/1")]
)
def test_a_body_where_none_belongs_is_refused(client, admin, method, path) -> None:
    response = client.open(f"/api/v1{path}", method=method, data=b"x", headers=admin)

    assert response.status_code == 400
    assert client.get("/api/v1/runs", headers=admin).status_code == 200


def test_a_date_without_zone_is_utc(client, admin) -> None:
    run = factories.run()
    moment = run.created_at.replace(tzinfo=None)

    def ids(**query: str) -> list[int]:
        found = client.get("/api/v1/runs", query_string=query, headers=admin).json["data"]
        return [row["run_id"] for row in found]

    assert ids(created_after=f"{moment.isoformat()}") == []
    assert ids(created_before=f"{moment.isoformat()}.001") == [run.id]
    assert ids(created_before=f"{moment.isoformat()}.001Z") == [run.id]
    assert ids(created_before=f"{moment.isoformat()}.001+05:00") == []


@pytest.mark.parametrize("text", ["%00", "%ff", "%f0%28%8c%28", "..%2f..", "%2e%2e", "%0d%0aX:1"])
@pytest.mark.parametrize("path", ["/api/v1/{}", "/{}", "/api/v1/runs/1/{}", "/api/v1/docs/{}"])
def test_a_hostile_path_is_nothing(client, admin, path, text) -> None:
    response = client.get(path.format(text), headers=admin)

    assert response.status_code == 404
    assert response.json["code"] == "not_found"


@pytest.mark.parametrize("path", ["/api/v1//runs", "//api/v1/runs", "/api/v1/runs//summary"])
def test_empty_parts_of_a_path_are_nothing_and_redirect_nowhere(client, admin, path) -> None:
    response = client.get(path, headers={**admin, "Host": "evil.example"})

    assert response.status_code in (400, 404)
    assert b"evil.example" not in response.data + str(response.headers).encode()


@pytest.mark.parametrize("path", ["/runs/", "/system/health/", "/auth/tokens/"])
def test_a_trailing_slash_changes_nothing(client, admin, path) -> None:
    assert client.get(f"/api/v1{path}", headers=admin).status_code == 200


def test_many_query_parameters_and_long_names_are_refused_quickly(client, admin) -> None:
    query = "&".join(f"p{number}=1" for number in range(5000))

    assert client.get(f"/api/v1/runs?{query}", headers=admin).status_code == 400
    assert client.get(f"/api/v1/runs?{'x' * 50000}=1", headers=admin).status_code == 400
