"""Engines and their connections: options, what a connection begins with, and its triggers."""

import functools
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Dialect, Engine, PoolResetState, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DisconnectionError

from database import giving_way, moments
from database.timing import time_statements
from database.units import COMMITTED, PIPELINED, db

SQLITE_BUSY_SECONDS = 30


def init_database(app: Flask, url: str) -> None:
    """Bind `db` to an application and make its connections behave alike on every database."""
    parts = make_url(url)
    if parts.drivername == "sqlite":
        Path(parts.database or "").parent.mkdir(parents=True, exist_ok=True)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    if parts.drivername != "sqlite":
        app.config["SQLALCHEMY_BINDS"] = {PIPELINED: {"url": url, **pipelined_options(url)}}
    db.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            prepare(engine)
            time_statements(engine)


def engine_options(url: str) -> dict[str, Any]:
    """Pool and dialect options of an engine for `url`."""
    # Functions of ours hide the columns that join two tables from SQLAlchemy's search for products.
    if make_url(url).drivername == "sqlite":
        return {
            "enable_from_linting": False,
            "connect_args": {"timeout": SQLITE_BUSY_SECONDS},
            "pool_size": 20,
            "max_overflow": 40,
        }
    driver = make_url(url).get_driver_name()
    return {
        "enable_from_linting": False,
        "pool_recycle": 1800,
        "pool_size": 20,
        "max_overflow": 40,
        "pool_reset_on_return": None,  # `_reset_mysql` does it
        "isolation_level": "REPEATABLE READ",
        "connect_args": {
            "charset": "utf8mb4",
            "connect_timeout": 5,
            "read_timeout": 60,
            "write_timeout": 60,
            **({"multi_statements": False} if driver == "mysqldb" else {}),
            **moments.conversions(driver),
        },
    }


def pipelined_options(url: str) -> dict[str, Any]:
    """Options of the engine whose connections allow several statements in one text (`Batch`)."""
    options = engine_options(url)
    arguments = {**options["connect_args"], "client_flag": FOUND_ROWS | MULTI_STATEMENTS}
    arguments.pop("multi_statements", None)
    return {
        **options,
        "paramstyle": "format",
        "pool_size": 5,
        "isolation_level": "READ COMMITTED",
        "execution_options": {PIPELINED: True},
        "connect_args": arguments,
    }


USED, ASKED_AFTER_SECONDS = "used at", 2.0
IMPATIENT = "waits for locks less than others do"
# The client's flags in MariaDB's protocol.
FOUND_ROWS, MULTI_STATEMENTS = 1 << 1, 1 << 16


def prepare(engine: Engine) -> None:
    """Make transactions begin as `writing` asks, SQLite keep foreign keys, and changes of MariaDB's
    tables give way."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _connected_sqlite)
        event.listen(engine, "begin", _begun_sqlite)
        event.listen(engine, "checkin", _patient_again_sqlite)
    else:
        event.listen(engine, "checkout", functools.partial(_checked_out_mysql, engine.dialect))
        event.listen(engine, "connect", _connected_mysql)
        event.listen(engine, "do_execute", giving_way.execute)
        event.listen(engine, "begin", _begun_mysql)
        event.listen(engine, "reset", _reset_mysql)
        event.listen(engine, "checkin", functools.partial(_patient_again_mysql, engine.dialect))
        event.listen(engine, "checkin", _checked_in_mysql)


def _connected_mysql(connection: Any, record: Any) -> None:
    # MariaDB reads EXISTS as IN, and then reads the whole inner table, 2 million rows, for what an
    # index finds for a page of outer rows. MySQL does not know the switch.
    if "MariaDB" in connection.get_server_info():
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION optimizer_switch = 'exists_to_in=off'")


def _checked_in_mysql(connection: Any, record: Any) -> None:
    record.info[USED] = time.monotonic()


def _checked_out_mysql(dialect: Dialect, connection: Any, record: Any, proxy: Any) -> None:
    """Ask a connection that nobody has used for a while whether it is there, rather than let a
    request find out; one that is in use needs no such question."""
    if time.monotonic() - record.info.get(USED, float("inf")) < ASKED_AFTER_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error  # the pool connects anew


def _connected_sqlite(connection: Any, record: Any) -> None:
    # The driver must not begin on its own: it would begin late, as a reader.
    connection.isolation_level = None
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begun_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes = options.get("writes", False)
    if (seconds := options.get("patience")) is not None:
        connection.info[IMPATIENT] = True
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {seconds * 1000}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begun_mysql(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.info.pop(COMMITTED, None)
    is_pipelined = options.get(PIPELINED)  # always READ COMMITTED
    if options.get("writes") and not options.get("snapshot") and not is_pipelined:
        # For this transaction only: SQLAlchemy's own option changes the session, changes it back,
        # and commits both times.
        _send_mysql(connection, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    if (seconds := options.get("patience")) is not None:
        connection.info[IMPATIENT] = True
        _send_mysql(connection, f"SET SESSION innodb_lock_wait_timeout = {seconds}")


def _send_mysql(connection: Connection, text: str) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(text)


def _reset_mysql(connection: Any, record: Any, reset: PoolResetState) -> None:
    """Roll back what a connection that comes back has left open: nothing after its COMMIT."""
    is_done = record.info.pop(COMMITTED, False) or reset.transaction_was_reset
    if not is_done and not reset.terminate_only:
        connection.rollback()


def _patient_again_sqlite(connection: Any, record: Any) -> None:
    if connection is not None and record.info.pop(IMPATIENT, False):
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}").close()


def _patient_again_mysql(dialect: Dialect, connection: Any, record: Any) -> None:
    if connection is not None and record.info.pop(IMPATIENT, False):
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = DEFAULT")
        except dialect.loaded_dbapi.Error:
            # What was done is committed or rolled back. Raised here, the pool would wait for this
            # connection for ever.
            record.invalidate()


def has_trigger(name: str) -> bool:
    """Whether the database has a trigger of this name that this account may know of."""
    if db.engine.dialect.name == "sqlite":
        found = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = :name"
    else:
        found = (
            "SELECT 1 FROM information_schema.triggers "
            "WHERE trigger_schema = DATABASE() AND trigger_name = :name"
        )
    return db.session.execute(text(found), {"name": name}).first() is not None
