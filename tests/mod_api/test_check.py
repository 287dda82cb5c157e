"""`flask check`, through its command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests import factories
from tests.raw import Raw

RUN = (
    "INSERT INTO test (platform, test_type, token, fork_id, branch, `commit`, pr_nr) "
    "VALUES (?, 'commit', ?, ?, 'master', ?, 0)"
)


def check(app: Flask) -> Result:
    return app.test_cli_runner().invoke(args=["check"])


def lines(result: Result, subject: str) -> list[tuple[str, str]]:
    """The level and the message of each line on a subject."""
    found = [line.split(None, 2) for line in result.stdout.splitlines()]
    return [(level, message) for level, about, message in found if about == subject]


def test_an_installation_that_lacks_nothing_passes(app: Flask) -> None:
    factories.account(role="admin")

    result = check(app)

    assert result.exit_code == 0
    assert not [line for line in result.stdout.splitlines() if line.startswith("fail")]
    assert lines(result, "accounts") == [("ok", "1 can administer.")]
    assert lines(result, "runs") == [("ok", "0 are shown.")]
    assert [level for level, _ in lines(result, "triggers")] == ["ok", "ok"]


def test_a_server_starts_without_its_repository_folder_and_says_so(
    sqlite_app: Flask, make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    app = make_app(sample_repository=tmp_path / "file" / "repository")
    headers = factories.signed_in("contributor", "runs:read")

    assert app.test_client().get("/api/v1/runs", headers=headers).status_code == 200
    assert app.test_client().get("/api/v1/system/health").status_code == 503
    result = check(app)
    assert result.exit_code == 1
    assert [level for level, _ in lines(result, "folder")] == ["fail"]


def test_a_disabled_admin_does_not_count(app: Flask) -> None:
    account = factories.account(role="admin")
    app.test_cli_runner().invoke(args=["accounts", "disable", account.email])

    assert lines(check(app), "accounts")[0][0] == "warn"


def test_runs_that_are_left_out_are_counted_by_their_reason(app: Flask, raw: Raw) -> None:
    raw.execute("INSERT INTO fork (github) VALUES ('https://example.org/strange.git')")
    strange = raw.last_id
    factories.run()
    good = raw.execute("SELECT fork_id FROM test")[0][0]
    ids = []
    for number, (platform, fork, commit) in enumerate(
        [("linux", good, "HEAD"), ("linux", strange, "a" * 40), ("beos", good, "b" * 40)]
    ):
        raw.execute(RUN, [platform, f"token {number}", fork, commit])
        ids.append(raw.last_id)

    result = check(app)

    assert result.exit_code == 0
    told = lines(result, "runs")
    assert told[-1] == ("ok", "1 are shown.")
    for (level, message), what, run_id in zip(
        told, ("commit", "repository", "platform"), ids, strict=False
    ):
        assert level == "warn"
        assert message.startswith("1 have ")
        assert what in message
        assert message.endswith(f"such as {run_id}.")


@pytest.mark.parametrize(
    ("overrides", "subject", "told"),
    [
        ({"git_base_url": "file:///nowhere"}, "GIT_BASE_URL", "no folder"),
        ({"redis_url": "redis://127.0.0.1:1", "rate_limit_read": "9/minute"}, "limits", "Redis"),
    ],
)
def test_what_does_not_work_fails_the_check(
    make_app: Callable[..., Flask], overrides: dict[str, str], subject: str, told: str
) -> None:
    result = check(make_app(**overrides))

    assert result.exit_code == 1
    ((level, message),) = lines(result, subject)
    assert level == "fail"
    assert told in message


def test_several_processes_without_a_shared_store_fail_the_check(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    assert lines(check(make_app(rate_limit_read="9/minute")), "processes")[0][0] == "fail"
    assert lines(check(make_app()), "processes")[0][0] == "ok"


def test_a_database_that_is_not_upgraded_is_named(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    result = check(make_app(database_url=f"sqlite:///{tmp_path / 'new.sqlite'}"))

    assert result.exit_code == 1
    assert lines(result, "migrations")[0][0] == "fail"
    ((level, message),) = lines(result, "tables")
    assert (level, "run_record" in message) == ("fail", True)


def test_a_database_that_is_away_is_one_line(make_app: Callable[..., Flask]) -> None:
    result = check(make_app(database_url="mysql+pymysql://me:hidden@127.0.0.1:1/site"))

    assert result.exit_code == 1
    ((level, message),) = lines(result, "database")
    assert (level, "cannot be reached" in message) == ("fail", True)


def test_no_secret_is_shown(make_app: Callable[..., Flask]) -> None:
    result = check(
        make_app(
            secret_key="very-secret-" * 4,
            database_url="mysql+pymysql://me:hidden@127.0.0.1:1/site",
            git_base_url="https://me:hidden@git.example.org",
            github_client_id="id",
            github_client_secret="hidden",
        )
    )

    assert "hidden" not in result.output
    assert "very-secret" not in result.output
    assert "SECRET_KEY is set" in result.stdout
