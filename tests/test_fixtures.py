"""The ground that the other tests stand on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from config import ROOT
from tests import factories, servers
from tests.patience import PATIENCE_SECONDS
from tests.raw import Raw


@pytest.mark.usefixtures("app")
def test_a_foreign_program_reads_what_a_factory_wrote(raw: Raw) -> None:
    assert raw.execute("SELECT count(*) FROM test") == [(0,)]
    test = factories.regression_test(outputs=[factories.Expected(), factories.Expected()])
    run = factories.run(progress=["preparation", ("completed", "done")], tests=[test])
    factories.result(run, test, outputs={test.outputs[0]: factories.MATCH})
    factories.sentinel(run, test)

    assert raw.execute("SELECT status, message FROM test_progress ORDER BY id") == [
        ("preparation", ""),
        ("completed", "done"),
    ]
    assert raw.execute(
        "SELECT regression_test_output_id, got FROM test_result_file "
        "WHERE got LIKE '%rr%' OR regression_test_output_id = ? ORDER BY got IS NULL",
        [test.outputs[0].id],
    ) == [(-1, "error"), (test.outputs[0].id, None)]
    raw.execute(
        "INSERT INTO test (platform, test_type, branch, `commit`, pr_nr) "
        "VALUES ('linux', 'commit', '', '', 0)"
    )
    assert raw.execute("SELECT count(*) FROM run_record WHERE test_id = ?", [raw.last_id]) == [(1,)]


@pytest.mark.usefixtures("app")
def test_every_test_starts_with_empty_tables(raw: Raw) -> None:
    assert raw.execute("SELECT count(*) FROM test") == [(0,)]
    assert raw.execute("SELECT count(*) FROM run_record") == [(0,)]


def test_make_app_shares_the_database_and_has_other_settings(make_app, raw: Raw) -> None:
    app = make_app(rate_limit_read="3/minute")

    assert app.extensions["settings"].rate_limit_read == "3/minute"
    account = factories.account()
    assert raw.execute("SELECT name FROM user WHERE id = ?", [account.id]) == [(account.name,)]


def test_mariadb_has_a_clock_far_from_utc(mariadb: servers.MariaDB) -> None:
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT TIMESTAMPDIFF(HOUR, UTC_TIMESTAMP(), NOW())")
        assert cursor.fetchone() == (5,)


def test_redis_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("a", "1")
        assert client.get("a") == b"1"


TO_A_SERVER = {"finish", "report", "heartbeat"}


def test_no_test_drops_the_answer_to_a_runner() -> None:
    dropped = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in TO_A_SERVER
        and "held" in ast.unparse(node.value.func.value)
    ]

    assert dropped == []


def pytest_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


def test_a_test_that_hangs_is_ended_also_within_hypothesis(tmp_path: Path) -> None:
    hanging = tmp_path / "test_hanging.py"
    hanging.write_text(
        "from hypothesis import given, strategies\n"
        "@given(strategies.integers())\n"
        "def test_it(number: int) -> None:\n"
        "    while True:\n"
        "        pass\n"
    )

    done = pytest_run(f"--config-file={ROOT / 'pyproject.toml'}", "--timeout=2", str(hanging))

    assert done.returncode == 1
    assert " Timeout " in done.stdout


def test_slow_tests_that_are_left_out_are_counted() -> None:
    done = pytest_run("--collect-only", "-m", "not slow", "tests/mod_test/test_one_verdict.py")

    assert "2 slow tests are run by .ci/run or scripts/test --all" in done.stdout
