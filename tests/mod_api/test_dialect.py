"""What the official client `sp` reads beside the contract, by docs/sp.md."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import Expected
from tests.mod_api.compared import BAD, GOOD, Compared, compared
from tests.sql import counted

ENDED = ("preparation", "testing", "completed")
Get = Callable[..., Any]


@pytest.fixture
def everything(site: Any) -> dict[str, str]:
    return factories.signed_in("contributor", "runs:read", "results:read")


@pytest.fixture
def case(app: Flask, sample_repository: Path) -> Compared:
    return compared(sample_repository, expected=GOOD, actual=BAD)


def nested(case: Compared, part: str, **ids: int) -> str:
    of = {"sample": case.test.sample.id, "test": case.test.id, "output": case.output.id, **ids}
    return (
        f"/api/v1/runs/{case.run.id}/samples/{of['sample']}/regression-tests/{of['test']}"
        f"/outputs/{of['output']}/{part}"
    )


@pytest.mark.parametrize(
    ("pull_request", "kind", "page"), [(0, "commit", "commit/{commit}"), (7, "pr", "pull/7")]
)
def test_a_run_says_what_asked_for_it(
    app: Flask, get: Get, pull_request: int, kind: str, page: str
) -> None:
    run = factories.run(pull_request=pull_request)

    for shown in (get(f"/runs/{run.id}"), get("/runs")["data"][0]):
        assert (shown["pr_number"], shown["test_type"]) == (pull_request or None, kind)
        address = f"https://github.com/{run.repository}/{page.format(commit=run.commit)}"
        assert shown["github_link"] == address


def test_only_a_result_has_a_regression_test_id(app: Flask, get: Get) -> None:
    """A run that died early must not read as if it had mended what it did not run."""
    here, later = factories.regression_test(), factories.regression_test()
    run = factories.run(progress=ENDED, tests=[here, later])
    factories.result(run, here, exit_code=3, expected_rc=2)

    of_here, of_later = get(f"/runs/{run.id}/samples")["data"]

    assert (of_here["regression_test_id"], of_here["expected_rc"]) == (here.id, 2)
    assert (of_later["regression_test_id"], of_later["regression_id"]) == (None, later.id)
    assert of_here["sample_name"] == here.sample.name
    single = get(f"/runs/{run.id}/samples/{later.id}")
    assert single["regression_test_id"] is None


def test_outputs_that_differ_come_first(app: Flask, get: Get) -> None:
    test = factories.regression_test(outputs=[Expected(), Expected(), Expected()])
    run = factories.run(progress=ENDED, tests=[test])
    first, second, third = test.outputs
    got = factories.digest("something else")
    factories.result(
        run, test, outputs={first: factories.MATCH, second: factories.MATCH, third: got}
    )

    shown = get(f"/runs/{run.id}/samples/{test.id}")["outputs"]

    assert [output["output_id"] for output in shown] == [third.id, first.id, second.id]


def test_entries_tests_and_samples_have_the_other_names_too(app: Flask, get: Get) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED, tests=[test])
    factories.result(run, test)

    entry = get(f"/samples/{test.sample.id}/history")["data"][0]
    defined = get(f"/regression-tests/{test.id}")
    sample = get(f"/samples/{test.sample.id}")

    assert entry["regression_test_id"] == test.id
    assert defined["regression_test_id"] == test.id
    assert (defined["expected_rc"], defined["sample_name"]) == (0, test.sample.name)
    assert (sample["sha"], sample["original_name"]) == (sample["sha256"], sample["name"])


def test_an_output_has_a_nested_path(
    case: Compared, client: FlaskClient, everything: dict[str, str]
) -> None:
    for part in ("expected", "actual", "diff"):
        short = client.get(case.url(part), headers=everything).json
        whole = client.get(nested(case, part), headers=everything).json
        for side in (short, whole):
            for links in (side, side.get("expected"), side.get("actual")):
                if isinstance(links, dict):
                    links.pop("download_url", None)  # sealed anew each time
        assert whole == ({**short, "format": "structured"} if part == "diff" else short)


def test_a_unified_difference_is_the_content(
    case: Compared, client: FlaskClient, everything: dict[str, str]
) -> None:
    shown = client.get(nested(case, "diff") + "?format=unified", headers=everything).json

    assert (shown["format"], shown["content"]) == ("unified", shown["unified"])
    assert shown["content"].startswith("---")


def test_a_match_is_answered_with_the_expected_file(
    app: Flask, sample_repository: Path, client: FlaskClient, everything: dict[str, str]
) -> None:
    case = compared(sample_repository, expected=GOOD, actual=None)

    shown = client.get(nested(case, "actual") + "?format=text", headers=everything)

    assert shown.status_code == 200
    assert shown.json["content"].encode() == GOOD


@pytest.mark.parametrize("part", ["expected", "actual", "diff"])
@pytest.mark.parametrize("wrong", ["sample", "test", "output"])
def test_a_child_of_another_parent_is_not_found(
    case: Compared, client: FlaskClient, everything: dict[str, str], part: str, wrong: str
) -> None:
    other = factories.regression_test()
    ids = {"sample": other.sample.id, "test": other.id, "output": other.output.id}

    answer = client.get(nested(case, part, **{wrong: ids[wrong]}), headers=everything)

    assert answer.status_code == 404


def test_the_caller_sees_their_account_and_scopes(app: Flask, client: FlaskClient) -> None:
    account = factories.account("tester", email="me@example.org")
    headers = factories.bearer(factories.token_for(account, "results:read", "runs:read"))

    told = client.get("/api/v1/auth/me", headers=headers).json

    assert told == {
        "user_id": account.id,
        "name": account.name,
        "email": "me@example.org",
        "role": "tester",
        "scopes": ["results:read", "runs:read"],
    }


def test_a_token_without_scopes_may_ask_who_it_is(app: Flask, client: FlaskClient) -> None:
    headers = factories.bearer(factories.token_for(factories.account("user")))

    assert client.get("/api/v1/auth/me", headers=headers).status_code == 200
    assert client.get("/api/v1/auth/me").status_code == 401


def test_categories_count_their_tests(app: Flask, get: Get) -> None:
    news, empty = factories.category("news"), factories.category("an empty one", "No tests.")
    for active in (True, False):
        factories.regression_test(categories=[news], active=active)

    assert get("/categories")["data"] == [
        {"id": empty, "name": "an empty one", "description": "No tests.", "test_count": 0},
        {"id": news, "name": "news", "description": "", "test_count": 2},
    ]


def test_tags_are_listed_by_name(app: Flask, get: Get) -> None:
    second, first = factories.tag("roll-up"), factories.tag("608", "Line 21")

    page = get("/tags", limit=1)

    assert page["data"] == [{"id": first, "name": "608", "description": "Line 21"}]
    assert page["pagination"]["total"] == 2
    assert get("/tags", offset=1)["data"] == [{"id": second, "name": "roll-up", "description": ""}]


def test_labels_cost_as_many_statements_however_many_there_are(app: Flask, get: Get) -> None:
    for path in ("/categories", "/tags"):
        sent = []
        for many in (1, 6):
            for number in range(many):
                factories.category(f"{path} {many} {number}")
                factories.tag(f"{path} {many} {number}")
            get(path)
            with counted(app) as statements:
                get(path)
            sent.append(len(statements))
        assert sent[0] == sent[1]
