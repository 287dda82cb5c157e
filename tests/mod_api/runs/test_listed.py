"""Runs are listed: filters, orders and pages."""

from datetime import UTC, datetime, timedelta

from tests import factories
from tests.mod_api.runs.asking import get, listed
from tests.runners import API, lose_lease, runner

STATUSES = ("queued", "running", "pass", "fail", "canceled", "error", "incomplete")


def test_each_of_the_seven_statuses_is_found_by_its_filter_and_by_no_other(
    app, client, reader, of_each_status
) -> None:
    for status in STATUSES:
        assert listed(client, reader, status=status) == [of_each_status[status]]
        assert get(client, reader, of_each_status[status])["status"] == status
        assert get(client, reader, of_each_status[status], "/summary")["status"] == status
    assert len(listed(client, reader)) == len(STATUSES)


def test_every_filter_is_exact(app, client, reader) -> None:
    plain = factories.run(branch="master", commit="a" * 40)
    upper = factories.run(branch="Master", commit="B" * 40, repository="ccextractor/CCExtractor")
    emoji = factories.run(branch="fix-\U0001f600", platform="windows", pull_request=7)
    other = factories.run(branch="fix-\U0001f601", repository="someone/ccextractor")
    spaced = factories.run(branch="master ", pull_request=8)

    assert listed(client, reader, branch="master") == [plain.id]
    assert listed(client, reader, branch="Master") == [upper.id]
    assert listed(client, reader, branch="master ") == [spaced.id]
    assert listed(client, reader, branch="fix-\U0001f600") == [emoji.id]
    assert listed(client, reader, commit_sha="A" * 40) == [plain.id]
    assert listed(client, reader, commit_sha="b" * 40) == [upper.id]
    assert listed(client, reader, repository="someone/CCExtractor") == [other.id]
    assert len(listed(client, reader, repository="CCExtractor/ccextractor")) == 4
    assert listed(client, reader, repository="someone/ccextracto_") == []
    assert listed(client, reader, platform="windows") == [emoji.id]
    assert listed(client, reader, pull_request=8) == [spaced.id]
    assert listed(client, reader, platform="windows", pull_request=8) == []


def test_created_filters_are_open_on_both_sides(app, client, reader) -> None:
    first = factories.run(created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    second = factories.run(created_at=datetime(2026, 3, 1, 13, tzinfo=UTC))

    assert listed(client, reader, created_after="2026-03-01T12:00:00Z") == [second.id]
    assert listed(client, reader, created_before="2026-03-01T13:00:00Z") == [first.id]
    assert listed(client, reader, created_after="2026-03-01T14:59:59+02:00") == [second.id]
    assert listed(client, reader, created_after="2026-03-01", created_before="2026-03-02") == [
        second.id,
        first.id,
    ]


def test_every_sort_is_a_total_order(app, client, reader) -> None:
    base = datetime(2026, 3, 1, tzinfo=UTC)
    ages = [5, 1, 3, 1, 4]
    runs = [
        factories.run(
            created_at=base + timedelta(hours=age),
            progress=[("preparation", "", base + timedelta(days=9 - age))] if age > 1 else [],
        )
        for age in ages
    ]
    ids = [run.id for run in runs]

    def order(*places: int) -> list[int]:
        return [ids[place] for place in places]

    assert listed(client, reader) == order(0, 4, 2, 3, 1)
    assert listed(client, reader, sort="created_at") == order(1, 3, 2, 4, 0)
    assert listed(client, reader, sort="-run_id") == ids[::-1]
    assert listed(client, reader, sort="run_id") == ids
    assert listed(client, reader, sort="-started_at")[:3] == order(2, 4, 0)
    assert [i for i in listed(client, reader, sort="started_at") if i not in order(1, 3)] == order(
        0, 4, 2
    )
    for sort in ("created_at", "-created_at", "started_at", "-started_at"):
        whole = listed(client, reader, sort=sort)
        walked = [
            run_id
            for offset in range(0, 5, 2)
            for run_id in listed(client, reader, sort=sort, limit=2, offset=offset)
        ]
        assert walked == whole


def test_pages_have_exact_totals_and_end(app, client, reader) -> None:
    for _ in range(5):
        factories.run()

    def page(**query) -> dict:
        return client.get(f"{API}/runs", query_string=query, headers=reader).json["pagination"]

    assert page(limit=2)["total"] == 5
    assert page(limit=2)["next_offset"] == 2
    assert page(limit=2, offset=4)["next_offset"] is None
    assert page(limit=2, offset=5)["next_offset"] is None
    assert page(limit=2, offset=100)["total"] == 5
    assert page(limit=5)["next_offset"] is None


def test_a_run_with_an_invalid_commit_or_fork_is_left_out_everywhere(
    app, client, reader, raw
) -> None:
    broken = [factories.run(commit="deadbeef"), factories.run(repository="a b/c")]

    assert listed(client, reader) == []
    for run in broken:
        assert client.get(f"{API}/runs/{run.id}", headers=reader).status_code == 404


def test_a_lost_lease_in_the_list_reads_as_in_the_run(app, client, reader, raw) -> None:
    run = factories.run()
    runner(client).claim()
    assert listed(client, reader, status="running") == [run.id]
    lose_lease(raw, run.id)

    assert listed(client, reader, status="running") == []
    assert listed(client, reader, status="queued") == [run.id]
