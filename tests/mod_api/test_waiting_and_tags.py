"""`GET /runs/{id}?wait=`, `GET /runs?include=summary`, and answers that are still the same."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_api.services import waiting
from tests import factories
from tests.factories import MATCH, Expected, digest
from tests.patience import until
from tests.raw import Raw
from tests.sql import counted

Get = Callable[..., Any]
ENDED = ("preparation", "testing", "completed")


@pytest.fixture
def get(app: Flask, client: FlaskClient) -> Get:
    token = factories.signed_in("user", "runs:read")

    def get(path: str, headers: dict[str, str] | None = None, /, **query: Any) -> Any:
        return client.get(
            f"/api/v1{path}", query_string=query or None, headers={**token, **(headers or {})}
        )

    return get


@contextlib.contextmanager
def all_places_taken(app: Flask) -> Iterator[None]:
    """Nobody else may wait meanwhile."""
    most = app.extensions["settings"].max_waiters
    for _ in range(most):
        waiting.waiters.enter(most)
    try:
        yield
    finally:
        for _ in range(most):
            waiting.waiters.leave()


def test_a_wait_answers_when_the_status_changes(get: Get) -> None:
    run = factories.run()
    before = waiting.waiters.count

    def begin() -> None:
        until(lambda: waiting.waiters.count > before)
        factories.event(run, "testing")

    later = threading.Thread(target=begin)
    later.start()
    answer = get(f"/runs/{run.id}", wait=30)
    later.join()

    assert answer.json["status"] == "running"


def test_a_wait_answers_at_once_where_the_caller_knows_another_status_or_the_run_has_ended(
    get: Get, app: Flask
) -> None:
    ended, live = factories.run(progress=ENDED), factories.run(progress=["testing"])

    with all_places_taken(app):  # so that nobody could wait
        answers = [
            get(f"/runs/{ended.id}", wait=30),
            get(f"/runs/{live.id}", wait=30, status="queued"),
        ]

    assert [answer.json["status"] for answer in answers] == ["error", "running"]
    assert get(f"/runs/{live.id}", wait=1, status="running").json["status"] == "running"
    assert get("/runs/999999", wait=30).status_code == 404
    assert get(f"/runs/{live.id}", wait=31).status_code == 400


def test_waits_share_their_places_with_claims(get: Get, app: Flask) -> None:
    run = factories.run()
    with all_places_taken(app):
        answer = get(f"/runs/{run.id}", wait=5)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert get(f"/runs/{run.id}", wait=1).status_code == 200


def test_the_list_includes_each_run_s_summary_where_it_is_asked_for(get: Get, app: Flask) -> None:
    test = factories.regression_test()
    for number in range(3):
        run = factories.run(progress=ENDED, tests=[test])
        factories.result(run, test, exit_code=number % 2)

    with counted(app) as statements:
        listed = get("/runs", include="summary").json["data"]

    assert len(statements) <= 8
    for run_shown in listed:
        assert run_shown["summary"] == get(f"/runs/{run_shown['run_id']}/summary").json
    assert all("summary" not in run for run in get("/runs").json["data"])
    assert get("/runs", include="everything").status_code == 400


def test_an_answer_that_is_still_the_same_is_not_sent_again(
    get: Get, sample_repository: Path
) -> None:
    baseline = factories.stored_output(sample_repository, b"captions")
    test = factories.regression_test(outputs=[Expected(correct=baseline)])
    before, run = factories.run(progress=ENDED), factories.run(progress=ENDED)
    for each in (before, run):
        factories.result(each, test)

    for path in (
        f"/runs/{run.id}",
        f"/runs/{run.id}/summary",
        f"/runs/{run.id}/config",
        f"/runs/{run.id}/samples",
        f"/runs/{run.id}/samples/{test.id}",
        f"/runs/{run.id}/compare?to={before.id}",
        "/samples",
        f"/samples/{test.sample.id}",
    ):
        first = get(path)
        tag = first.headers["ETag"]
        again = get(path, {"If-None-Match": tag})
        assert not tag.startswith("W/"), path
        assert (again.status_code, again.data) == (304, b""), path
        assert again.headers["ETag"] == tag
        assert get(path, {"If-None-Match": '"other"'}).json == first.json
        assert get(path, {"If-None-Match": f'"other", {tag}'}).status_code == 304


def test_a_tag_never_outlives_its_answer(get: Get, raw: Raw) -> None:
    test = factories.regression_test()
    got = digest("what came out")
    run = factories.run(progress=ENDED, tests=[test])
    factories.result(run, test, outputs={test.output: got})
    paths = [
        f"/runs/{run.id}",
        f"/runs/{run.id}/summary",
        f"/runs/{run.id}/samples",
        f"/runs/{run.id}/samples/{test.id}",
    ]

    def change(what: Callable[[], object]) -> None:
        before = {path: get(path) for path in paths}
        what()
        for path in paths:
            now = get(path, {"If-None-Match": before[path].headers["ETag"]})
            assert (now.status_code, now.json != before[path].json) == (200, True), path

    change(lambda: factories.accept_variant(test.output.id, got))
    change(lambda: raw.execute("DELETE FROM regression_test_output_files"))
    change(lambda: raw.execute("UPDATE test_result_file SET got = ?", (MATCH,)))
    change(lambda: raw.execute("DELETE FROM test_result"))


def test_an_unchanged_answer_carries_the_headers_of_limits(make_app: Callable[..., Flask]) -> None:
    app = make_app(rate_limit_read="100/minute")
    headers = factories.signed_in("user", "runs:read")
    client = app.test_client()
    tag = client.get("/api/v1/samples", headers=headers).headers["ETag"]

    again = client.get("/api/v1/samples", headers={**headers, "If-None-Match": tag})

    assert again.status_code == 304
    assert again.headers["X-RateLimit-Limit"] == "100"
    assert again.headers["Cache-Control"] == "private, no-cache"
