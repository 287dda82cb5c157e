"""The ground that the other tests stand on."""

import pytest
import redis

from tests import factories, servers
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
