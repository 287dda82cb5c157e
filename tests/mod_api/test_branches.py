"""Branches that runs were started of."""

from datetime import timedelta

import pytest

from database import now
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_test.rollup import rebuild
from tests import factories
from tests.factories import MAIN_REPOSITORY, commit_of
from tests.sql import counted

FORK = "jane/ccextractor"


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in(Role.user, Scope.RUNS_READ)


def branches(client, reader, **query) -> list[tuple]:
    page = client.get("/api/v1/branches", query_string=query, headers=reader).json
    assert page["pagination"]["total"] == len(page["data"])
    return [
        (row["repository"], row["name"], row["head_sha"], row["active"]) for row in page["data"]
    ]


def test_a_branch_is_at_its_newest_runs_commit(app, client, reader) -> None:
    today = now()
    for text in ("old", "new"):
        factories.run(commit=commit_of(text), created_at=today)
    factories.run(repository=FORK, commit=commit_of("fork").upper(), created_at=today)
    factories.run(branch="topic/a", commit=commit_of("topic"), created_at=today)

    found = branches(client, reader)

    assert found == [
        (MAIN_REPOSITORY, "master", commit_of("new"), True),
        (MAIN_REPOSITORY, "topic/a", commit_of("topic"), True),
        (FORK, "master", commit_of("fork"), True),
    ]


def test_a_branch_is_active_while_it_has_a_run_of_the_last_90_days(app, client, reader) -> None:
    factories.run(branch="gone", created_at=now() - timedelta(days=91))
    factories.run(branch="used", created_at=now() - timedelta(days=300))
    factories.run(branch="used", created_at=now() - timedelta(days=89))

    assert [(name, active) for _, name, _, active in branches(client, reader)] == [
        ("gone", False),
        ("used", True),
    ]
    assert [name for _, name, *_ in branches(client, reader, active="true")] == ["used"]
    assert [name for _, name, *_ in branches(client, reader, active="false")] == ["gone"]


def test_names_that_differ_in_case_only_are_two_branches(app, client, reader) -> None:
    for branch in ("Topic", "topic", "tOpic"):
        factories.run(branch=branch)

    assert [name for _, name, *_ in branches(client, reader)] == ["Topic", "tOpic", "topic"]


def test_one_repository_spelled_in_two_ways_is_one(app, client, reader, raw) -> None:
    first = factories.run(commit=commit_of("one"))
    raw.execute("INSERT INTO fork (github) VALUES ('https://github.com/CCExtractor/ccextractor')")
    plain = raw.last_id
    second = factories.run(commit=commit_of("two"))
    raw.execute("UPDATE test SET fork_id = ? WHERE id = ?", [plain, second.id])

    ((repository, _, head, _),) = branches(client, reader)

    assert (repository, head) == (MAIN_REPOSITORY, second.commit)
    assert first.commit != second.commit


def test_runs_without_a_branch_or_a_valid_commit_show_no_branch(app, client, reader) -> None:
    factories.run(branch="")
    factories.run(branch="broken", commit="no commit")

    assert branches(client, reader) == []


def test_filters_are_text(app, client, reader) -> None:
    for branch in ("feature/100%_done", "feature/other", "FEATURE/caps"):
        factories.run(branch=branch)
    factories.run(branch="feature/mine", repository=FORK)

    def names(**query) -> list[str]:
        return [name for _, name, *_ in branches(client, reader, **query)]

    ours = ["FEATURE/caps", "feature/100%_done", "feature/other"]
    assert names(name="Feature/") == [*ours, "feature/mine"]
    assert names(name="%_") == ["feature/100%_done"]
    assert names(name="_o") == names(name="'") == names(name="\\") == []
    assert names(repository=FORK) == names(repository=FORK.upper()) == ["feature/mine"]
    assert names(repository="nobody/here") == []


def test_a_branch_reads_the_same_whether_its_runs_are_kept_or_derived(
    app, client, reader, raw
) -> None:
    long = "topic/" + "x" * 120
    old = now() - timedelta(days=300)
    for branch in ("master", "Topic", "topic", "tÖpic", long + "a", long + "b", "z" * 100):
        factories.run(branch=branch, progress=["completed"], created_at=old)
    factories.run(branch="topic", commit=commit_of("new"), progress=["completed"], created_at=old)
    factories.run(branch="used", progress=["completed"], created_at=now())
    factories.run(branch="used", progress=["completed"], created_at=old)
    fork = factories.run(repository=FORK, progress=["completed"], created_at=now())
    plain = factories.run(commit=commit_of("plain"), progress=["completed"], created_at=now())
    factories.run(branch="", progress=["completed"])
    raw.execute("INSERT INTO fork (github) VALUES ('https://github.com/ccextractor/CCExtractor')")
    raw.execute("UPDATE test SET fork_id = ? WHERE id = ?", [raw.last_id, plain.id])
    queries: list[dict] = [{}, {"active": "true"}, {"active": "false"}, {"name": "xA"}]
    queries += [{"repository": FORK}, {"name": "TOPIC"}]
    derived = [branches(client, reader, **query) for query in queries]

    with app.app_context():
        list(rebuild.rebuild())

    assert [branches(client, reader, **query) for query in queries] == derived
    names = [name for _, name, *_ in derived[0]]
    assert {"z" * 100, "tÖpic", "Topic", "topic"} < set(names)
    assert names == [*sorted(names[:-1]), "master"]
    assert len([name for name in names if name.startswith("topic/x")]) == 2
    assert ("master", commit_of("plain"), True) in [row[1:] for row in derived[0]]
    assert len(derived[3]) == 1

    raw.execute("UPDATE test SET branch = 'moved' WHERE id = ?", [fork.id])

    assert [name for _, name, *_ in branches(client, reader, repository=FORK)] == ["moved"]


def test_pages_are_the_whole_list(app, client, reader) -> None:
    for number in range(5):
        factories.run(branch=f"branch-{number}")
    whole = branches(client, reader)

    walked, offset = [], 0
    while offset is not None:
        page = client.get(f"/api/v1/branches?limit=2&offset={offset}", headers=reader).json
        walked += [row["name"] for row in page["data"]]
        assert page["pagination"]["total"] == 5
        offset = page["pagination"]["next_offset"]

    assert walked == [name for _, name, *_ in whole]


@pytest.mark.parametrize("query", ["active=2", "repository=nobody", "name=a&name=b", "branch=x"])
def test_wrong_filters_are_refused(sqlite_app, client, reader, query) -> None:
    assert client.get(f"/api/v1/branches?{query}", headers=reader).status_code == 400


def test_many_branches_cost_as_many_statements_as_one(app, client, reader) -> None:
    costs = []
    for number in range(40):
        factories.run(branch=f"branch-{number}")
        if number in (0, 39):
            with counted(app) as statements:
                branches(client, reader)
            costs.append(len(statements))

    assert costs[0] == costs[1] <= 8
