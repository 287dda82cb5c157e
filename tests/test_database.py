"""What `database` promises: both databases keep, compare and lock alike."""

# ruff: noqa: RUF001  letters that only look alike are what is tested

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from flask import Flask

from database import (
    ASCII_LOWER,
    contains_text,
    db,
    exact,
    fetch_value,
    keep,
    reading,
    utc_after,
    utc_now,
    writing,
)
from mod_auth.models import User
from mod_sample.models import Sample
from mod_test.models import Platform, Progress, Run, RunRecord, TestStatus
from tests import factories
from tests.conftest import Site, only_on_mariadb
from tests.raw import Raw

NAMES = (
    "100%", "100 percent", "a_b", "aXb", "a\\b", "a/b", 'say "hi"', "it's", "🎬 film", "🎭 film",
    "STRASSE", "straße", "ÉCOLE", "école", "Ecole", "naïve", "naive", "  spaces ", "tab\tin", "",
    "two\nlines", "K", "K", "İ", "ＦＵＬＬ", "%%", "__", "\\\\", "[a-z]", "a*b", "null\N{NULL}byte",
)  # fmt: skip
NEEDLES = (
    "%", "_", "\\", "\\\\", "'", '"', "🎬", "🎭", "strasse", "STRASSE", "straße", "É", "é", "e",
    "naive", "NAÏVE", "naïve", " ", "\t", "\n", "k", "K", "i", "ｆｕｌｌ", "[a-z]", "a*b", "a?b",
    "%b", "\N{NULL}", "percent", "PERCENT", ";", "--", "{x}", ":x", "%s", "?",
)  # fmt: skip


def ascii_lower(text: str) -> str:
    return text.encode().lower().decode()


@pytest.fixture
def names(app: Flask) -> Iterator[None]:
    with app.app_context():
        with writing():
            db.session.add_all(
                Sample(sha=f"{place}", extension="ts", original_name=name)
                for place, name in enumerate(NAMES)
            )
        yield


def found(condition: sa.ColumnElement[bool]) -> set[str]:
    with reading():
        return set(db.session.scalars(sa.select(Sample.original_name).where(condition)))


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("needle", NEEDLES, ids=ascii)
def test_contains_is_about_text_and_ignores_the_case_of_ascii_letters(needle: str) -> None:
    expected = {name for name in NAMES if ascii_lower(needle) in ascii_lower(name)}

    assert found(contains_text(Sample.original_name, needle.translate(ASCII_LOWER))) == expected


@pytest.mark.usefixtures("names")
def test_exact_is_equal_to_the_byte() -> None:
    for name in NAMES:
        assert found(exact(Sample.original_name) == name) == {name}
        assert found(exact(Sample.original_name) == name + " ") == set()


@pytest.mark.usefixtures("names")
def test_exact_finds_any_of_several() -> None:
    assert found(exact(Sample.original_name).in_(["école", "k"])) == {"école"}


def test_an_enum_is_kept_as_its_word(app: Flask, raw: Raw) -> None:
    run = factories.run(platform=Platform.windows)

    assert raw.execute("SELECT platform FROM test") == [("windows",)]
    with app.app_context(), reading():
        assert db.session.get_one(Run, run.id).platform is Platform.windows


def test_a_word_that_an_enum_does_not_know_reads_as_none(app: Flask, raw: Raw) -> None:
    run = factories.run()
    raw.execute("UPDATE test SET platform = 'amiga'")

    with app.app_context(), reading():
        assert db.session.get_one(Run, run.id).platform is None


def test_a_word_that_an_enum_does_not_know_is_not_written(app: Flask) -> None:
    run = factories.run()

    with app.app_context(), pytest.raises(sa.exc.StatementError, match="amiga"), writing():
        db.session.execute(sa.update(Run).where(Run.id == run.id).values(platform="amiga"))


def test_moments_are_kept_in_utc_whatever_the_zones(app: Flask, raw: Raw) -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2026, 1, 1, 3, 4, 5, 678_900, tzinfo=tokyo)
    run = factories.run(created_at=at, progress=[("completed", "", at)])

    ((kept,),) = raw.execute("SELECT created_at FROM run_record WHERE test_id = ?", [run.id])
    assert str(kept) == "2025-12-31 18:04:05.678000"
    with app.app_context(), reading():
        assert db.session.get_one(RunRecord, run.id).created_at == at.replace(microsecond=678_000)
        progress = db.session.scalars(sa.select(Progress)).one()
        assert progress.timestamp == datetime(2025, 12, 31, 18, 4, 5, tzinfo=UTC)


def test_a_moment_without_zone_is_refused(app: Flask) -> None:
    run = factories.run()

    with app.app_context(), pytest.raises(sa.exc.StatementError, match="has no zone"), writing():
        record = db.session.get_one(RunRecord, run.id)
        record.created_at = datetime(2026, 1, 1)  # noqa: DTZ001  that is the point
        db.session.flush()


def test_what_a_foreign_program_wrote_reads_in_utc(app: Flask, raw: Raw) -> None:
    run = factories.run()
    raw.execute(
        "INSERT INTO test_progress (test_id, status, timestamp, message) "
        "VALUES (?, 'testing', '2026-03-01 12:00:00', '')",
        [run.id],
    )

    with app.app_context(), reading():
        progress = db.session.scalars(sa.select(Progress)).one()
        assert progress.timestamp == datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert progress.status is TestStatus.testing


def test_the_databases_clock_is_utc_and_compares_with_kept_moments(app: Flask) -> None:
    run = factories.run(created_at=datetime.now(UTC))

    with app.app_context():
        with reading():
            clock, later = db.session.execute(sa.select(utc_now(), utc_after(90))).one()
        assert abs(clock - datetime.now(UTC)) < timedelta(minutes=5)
        assert timedelta(seconds=89) < later - clock < timedelta(seconds=91)
        for past, future in ((-300, 300), (-3600, 7200)):
            with writing():
                db.session.execute(
                    sa.update(RunRecord)
                    .where(RunRecord.test_id == run.id)
                    .values(created_at=utc_after(past), lease_expires_at=utc_after(future))
                )
            with reading():
                assert db.session.scalars(
                    sa.select(RunRecord.test_id).where(
                        RunRecord.created_at < utc_now(), RunRecord.lease_expires_at > utc_now()
                    )
                ).all() == [run.id]


def test_the_trigger_and_the_application_mean_the_same_clock(app: Flask, raw: Raw) -> None:
    raw.execute(
        "INSERT INTO test (platform, test_type, branch, `commit`, pr_nr) "
        "VALUES ('linux', 'commit', '', '', 0)"
    )

    with app.app_context(), reading():
        created_at = db.session.get_one(RunRecord, raw.last_id).created_at
    assert abs(created_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_what_is_raised_while_writing_undoes_all_of_it(app: Flask, raw: Raw) -> None:
    with app.app_context(), pytest.raises(KeyError), writing():
        db.session.add(User(name="half", password=""))
        db.session.flush()
        raise KeyError

    assert raw.execute("SELECT count(*) FROM user") == [(0,)]


def test_writing_starts_anew_after_whatever_was_open(app: Flask, raw: Raw) -> None:
    with app.app_context():
        db.session.add(User(name="forgotten", password=""))
        db.session.flush()
        with writing():
            db.session.add(User(name="meant", password=""))

    assert raw.execute("SELECT name FROM user") == [("meant",)]


def test_what_is_kept_outlives_what_is_raised(app: Flask, raw: Raw) -> None:
    count = sa.select(sa.func.count()).select_from(User)
    with app.app_context(), pytest.raises(KeyError), writing():
        db.session.add(User(name="kept", password=""))
        keep()
        db.session.add(User(name="not kept", password=""))
        db.session.flush()
        assert fetch_value(count) == 2
        raise KeyError

    assert raw.execute("SELECT name FROM user") == [("kept",)]


@pytest.mark.parametrize("unit", [reading, writing])
def test_no_unit_of_work_begins_within_one_that_writes(
    app: Flask, raw: Raw, unit: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    with app.app_context(), writing():
        db.session.add(Sample(sha="1", extension="ts", original_name="kept"))
        with pytest.raises(RuntimeError, match="another unit of work is writing"), unit():
            pass

    assert raw.execute("SELECT original_name FROM sample") == [("kept",)]


def test_a_session_alone_does_not_end_a_unit_of_work(app: Flask, raw: Raw) -> None:
    with app.app_context(), pytest.raises(KeyError), writing():
        db.session.add(User(name="half", password=""))
        db.session.commit()
        raise KeyError

    assert raw.execute("SELECT count(*) FROM user") == [(0,)]


def test_a_unit_gives_its_connection_back_whatever_happens(app: Flask) -> None:
    with app.app_context():
        for error in (None, KeyError):
            with contextlib.suppress(KeyError), writing():
                db.session.add(User(name=f"a{error}", password=""))
                if error is not None:
                    raise error
            assert db.engine.pool.checkedout() == 0


@only_on_mariadb
def test_a_connection_that_dies_right_after_commit_leaves_its_place_in_the_pool(
    app: Flask, raw: Raw
) -> None:
    def kill(connection: Any, record: object) -> None:
        raw.execute(f"KILL {connection.thread_id()}")

    with app.app_context():
        sa.event.listen(db.engine, "checkin", kill, insert=True)
        try:
            with writing(patience=1):
                db.session.add(Sample(sha="1", extension="ts", original_name="kept"))
        finally:
            sa.event.remove(db.engine, "checkin", kill)

        assert db.engine.pool.checkedout() == 0
        with reading():
            assert db.session.scalars(sa.select(Sample.original_name)).all() == ["kept"]


def test_a_reader_sees_one_snapshot(app: Flask, raw: Raw) -> None:
    count = sa.select(sa.func.count()).select_from(User)
    with app.app_context():
        with reading():
            assert db.session.scalar(count) == 0
            raw.execute("INSERT INTO user (name, password) VALUES ('new', '')")
            assert db.session.scalar(count) == 0
        with reading():
            assert db.session.scalar(count) == 1


def test_a_writer_reads_after_its_lock_what_the_lock_protects(app: Flask, raw: Raw) -> None:
    """Decision 5: a snapshot from before the lock would decide on a state that is gone."""
    run = factories.run()
    with app.app_context(), writing():
        # On MariaDB this read would fix a snapshot at REPEATABLE READ. On SQLite the write lock
        # is already taken, and nobody else can change anything.
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Progress)) == 0
        statement = (
            "INSERT INTO test_progress (test_id, status, timestamp, message) "
            "VALUES (?, 'canceled', '2026-01-01 00:00:00', '')"
        )
        if raw.is_sqlite:
            raw.execute("PRAGMA busy_timeout = 50")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                raw.execute(statement, [run.id])
        else:
            raw.execute(statement, [run.id])
        db.session.execute(sa.select(Run.id).where(Run.id == run.id).with_for_update())
        seen = db.session.scalar(sa.select(sa.func.count()).select_from(Progress))

    assert seen == (0 if raw.is_sqlite else 1)


def test_a_locked_run_waits_for_whoever_has_it(app: Flask, site: Site) -> None:
    run = factories.run()
    with contextlib.closing(Raw(site.url)) as other, app.app_context(), writing():
        db.session.execute(sa.select(Run.id).where(Run.id == run.id).with_for_update())
        if other.is_sqlite:
            other.execute("PRAGMA busy_timeout = 50")
        else:
            other.execute("SET innodb_lock_wait_timeout = 1")

        with pytest.raises((sqlite3.OperationalError, pymysql.err.OperationalError), match="ock"):
            other.execute("UPDATE test SET branch = 'x' WHERE id = ?", [run.id])


def test_after_writing_a_reader_has_its_snapshot_again(app: Flask, raw: Raw) -> None:
    """The isolation of a writer must not stay with its connection."""
    with app.app_context():
        with writing():
            db.session.add(User(name="a", password=""))
        count = sa.select(sa.func.count()).select_from(User)
        with reading():
            assert db.session.scalar(count) == 1
            raw.execute("INSERT INTO user (name, password) VALUES ('b', '')")
            assert db.session.scalar(count) == 1


def test_a_writer_that_first_reads_waits_for_another_and_does_not_fail(
    app: Flask, raw: Raw
) -> None:
    """On SQLite a reader that turns writer fails at once, however long it would wait."""
    raw.execute("BEGIN IMMEDIATE" if raw.is_sqlite else "BEGIN")
    raw.execute("INSERT INTO user (name, password) VALUES ('foreign', '')")
    commit = threading.Timer(0.3, raw.execute, ["COMMIT"])
    commit.start()

    with app.app_context(), writing():
        db.session.scalar(sa.select(sa.func.count()).select_from(User))
        db.session.add(User(name="ours", password=""))

    commit.join()
    assert sorted(raw.execute("SELECT name FROM user")) == [("foreign",), ("ours",)]


def test_foreign_keys_hold_on_both_databases(app: Flask) -> None:
    with app.app_context(), pytest.raises(sa.exc.IntegrityError), writing():
        db.session.add(
            Progress(test_id=1, status=TestStatus.testing, timestamp=datetime.now(UTC), message="")
        )


def test_the_id_of_a_deleted_row_is_not_given_again(app: Flask, raw: Raw) -> None:
    first = factories.account().id
    raw.execute("DELETE FROM user WHERE id = ?", [first])

    assert factories.account().id > first


@pytest.mark.mariadb
def test_connections_speak_utf8_and_read_one_snapshot(sites) -> None:
    with sites("mariadb").app.app_context(), reading():
        settings = db.session.execute(
            sa.text("SELECT @@character_set_connection, @@tx_isolation, @@time_zone")
        ).one()

    assert tuple(settings)[:2] == ("utf8mb4", "REPEATABLE-READ")
