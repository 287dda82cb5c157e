"""Environments: one per platform; their ids are what a new run may name."""

from datetime import UTC, datetime, timedelta

import pytest

from mod_auth.models import Role
from mod_auth.scopes import Scope
from tests import factories
from tests.sql import counted

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in(Role.user, Scope.RUNS_READ)


def environments(client, reader, **query) -> list[dict]:
    page = client.get("/api/v1/environments", query_string=query, headers=reader).json
    assert page["pagination"]["total"] == len(page["data"])
    return page["data"]


def test_there_is_one_environment_per_platform(app, client, reader) -> None:
    unknown = {"active": True, "runner_label": None, "average_duration_ms": None}

    assert environments(client, reader) == [
        {"environment_id": "linux", "platform": "linux", **unknown},
        {"environment_id": "windows", "platform": "windows", **unknown},
    ]


def test_a_platform_in_maintenance_is_not_active(app, client, reader, raw) -> None:
    raw.execute("INSERT INTO maintenance_mode (platform, disabled) VALUES ('windows', 1)")
    raw.execute("INSERT INTO maintenance_mode (platform, disabled) VALUES ('linux', 0)")

    def ids(**query) -> list[str]:
        return [row["environment_id"] for row in environments(client, reader, **query)]

    assert ids(active="true") == ids(platform="linux") == ["linux"]
    assert ids(active="false") == ["windows"]
    assert ids(active="false", platform="linux") == []


def test_durations_are_the_mean_of_completed_runs_of_the_platform(app, client, reader) -> None:
    for minutes in (10, 20):
        progress = [
            ("preparation", "", START),
            ("testing", "", START + timedelta(minutes=1)),
            ("completed", "", START + timedelta(minutes=minutes)),
        ]
        factories.run(progress=progress)
    factories.run(progress=[("preparation", "", START), ("canceled", "", START)])
    factories.run(progress=["preparation"])

    linux, windows = environments(client, reader)

    assert linux["average_duration_ms"] == 15 * 60_000
    assert windows["average_duration_ms"] is None


def test_the_label_is_that_of_the_runner_that_claimed_last(app, client, reader, raw) -> None:
    run = factories.run()
    for number, name in enumerate(("first", "last"), start=1):
        raw.execute(
            "INSERT INTO run_attempt (test_id, number, platform, runner_name, credential_hash,"
            " claimed_at, deadline_at) VALUES (?, ?, 'linux', ?, '', '2026-01-01', '2026-01-02')",
            [run.id, number, name],
        )

    linux, windows = environments(client, reader)

    assert (linux["runner_label"], windows["runner_label"]) == ("last", None)


def test_the_ids_are_what_a_new_run_may_name(app, client) -> None:
    factories.regression_test()
    headers = factories.signed_in(Role.tester, Scope.RUNS_READ, Scope.RUNS_WRITE)
    body = {"repository": factories.MAIN_REPOSITORY, "commit_sha": "a" * 40}

    for row in environments(client, headers):
        body |= {"platform": row["platform"], "environment_id": row["environment_id"]}
        assert client.post("/api/v1/runs", json=body, headers=headers).status_code == 202
    refused = client.post("/api/v1/runs", json={**body, "environment_id": "amiga"}, headers=headers)

    assert refused.status_code == 422


def test_pages_select(app, client, reader) -> None:
    page = client.get("/api/v1/environments?limit=1&offset=1", headers=reader).json

    assert [row["environment_id"] for row in page["data"]] == ["windows"]
    assert page["pagination"] == {"limit": 1, "offset": 1, "total": 2, "next_offset": None}


def test_the_list_costs_few_statements(app, client, reader) -> None:
    with counted(app) as statements:
        environments(client, reader)

    assert len(statements) <= 6
