"""What is shown of one run: itself, its counts, its progress and its configuration."""

from datetime import UTC, datetime

import pytest

from tests import factories
from tests.mod_api.runs.asking import get
from tests.runners import API


def test_run_errors_say_yes_no_or_unknown(app, client, reader, of_each_status) -> None:
    told = {
        status: get(client, reader, run_id)["run_errors"]
        for status, run_id in of_each_status.items()
    }

    assert told == {
        "queued": "unknown", "running": "unknown", "canceled": "yes", "error": "yes", "pass": "no",
        "fail": "yes", "incomplete": "no",
    }  # fmt: skip
    rows = client.get(f"{API}/runs", headers=reader).json["data"]
    assert {row["status"]: row["run_errors"] for row in rows} == told


def test_counts_of_every_status_add_up(app, client, reader, of_each_status) -> None:
    for run_id in of_each_status.values():
        told = get(client, reader, run_id, "/summary")
        assert told["total_samples"] == (
            told["pass_count"]
            + told["fail_count"]
            + told["missing_output_count"]
            + told["skipped_count"]
        )


def test_a_run_shows_where_it_came_from_and_where_its_parts_are(app, client, reader, site) -> None:
    person = factories.account("tester", name="Ada")
    run = factories.run(
        progress=[("preparation", "", datetime(2026, 3, 1, tzinfo=UTC)),
                  ("completed", "", datetime(2026, 3, 1, 0, 1, 2, tzinfo=UTC))],
        created_at=datetime(2026, 2, 28, tzinfo=UTC), branch="", commit="C" * 40, pull_request=0,
        requested_by=person,
    )  # fmt: skip

    told = get(client, reader, run.id)

    assert told["commit_sha"] == "c" * 40
    assert told["commit_short"] == "c" * 8
    assert told["branch"] is None
    assert told["pull_request"] is None
    assert told["triggered_by"] == "Ada"
    assert told["created_at"] == told["queued_at"] == "2026-02-28T00:00:00.000Z"
    assert told["started_at"] == "2026-03-01T00:00:00.000Z"
    assert told["completed_at"] == "2026-03-01T00:01:02.000Z"
    assert told["duration_ms"] == 62_000
    assert told["links"]["self"] == f"/api/v1/runs/{run.id}"


@pytest.mark.parametrize("part", ["", "/summary", "/progress", "/config"])
def test_a_run_that_is_not_there_is_404_with_its_id(sqlite_app, client, reader, part) -> None:
    response = client.get(f"{API}/runs/4711{part}", headers=reader)

    assert (response.status_code, response.json["code"]) == (404, "not_found")
    assert response.json["details"] == {"resource": "run", "id": 4711}


def test_progress_begins_with_queued_and_filters(app, client, reader) -> None:
    run = factories.run(progress=["preparation", ("testing", "t"), ("canceled", "VM went away")])

    events = get(client, reader, run.id, "/progress")["data"]

    assert [event["status"] for event in events] == ["queued", "preparation", "testing", "error"]
    for status in ("queued", "testing", "error"):
        page = get(client, reader, run.id, f"/progress?status={status}")
        assert [event["status"] for event in page["data"]] == [status]
        assert page["pagination"]["total"] == 1
    assert get(client, reader, run.id, "/progress?status=canceled")["data"] == []
    assert [
        e["status"] for e in get(client, reader, run.id, "/progress?limit=1&offset=2")["data"]
    ] == ["testing"]


def test_a_long_message_is_cut_with_an_ellipsis(app, client, reader) -> None:
    run = factories.run(progress=[("preparation", "m" * 600)])

    message = get(client, reader, run.id, "/progress")["data"][1]["message"]

    assert (len(message), message[-1]) == (500, "…")


def test_a_config_shows_the_matrix_and_what_its_commands_share(app, client, reader) -> None:
    one = factories.regression_test(command="-autoprogram -out=srt -latin1")
    two = factories.regression_test(command="-out=srt -autoprogram -ucla")
    run = factories.run(tests=[one, two])

    config = get(client, reader, run.id, "/config")

    assert config["environment"]["platform"] == "linux"
    assert config["environment"]["active"] is True
    assert [row["regression_id"] for row in config["matrix"]] == [one.id, two.id]
    assert config["command_defaults"] == ["-autoprogram", "-out=srt"]
