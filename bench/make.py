"""Makes a database of a given size, or finds the one that is there already.

What is in it depends on the size only, and what happened in a run on its number only. A database of
the same size and generator is kept: it is migrated, and rolled up again with --rebuild.
"""

import argparse
import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL, make_url

from bench import contents, definitions, histories
from bench.definitions import Definitions, Rows
from bench.loading import connect_arguments, loading
from bench.places import Place, add_options, described, places
from database import db, migrating, reading
from mod_test.rollup import rebuild, triggers
from run import create_app

VERSION = 3  # of what is generated: another one is made anew
UNFINISHED = "unfinished"  # the size of a database that is being made
UNKNOWN_DATABASE = 1049  # as MariaDB says it
MARKER = "bench_database"
FOUND = "SELECT size, version FROM bench_database"
MARKS = (
    "CREATE TABLE IF NOT EXISTS bench_database (size VARCHAR(20), version INTEGER)",
    "DELETE FROM bench_database",
    "INSERT INTO bench_database (size, version) VALUES (:size, :version)",
)
LOGGED_RUNS = 250
REBUILD_SECONDS, MAKE_SECONDS = 300, 600


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument("--again", action="store_true", help="make it anew in any case")
    parser.add_argument("--rebuild", action="store_true", help="rebuild the rollup in any case")


def main(asked: argparse.Namespace) -> int:
    """Make the database; 1 when a bound of the time it takes is broken."""
    with places(asked, asked.size) as (place,):
        return 0 if made(place, again=asked.again, rebuilt=asked.rebuild) else 1


def made(place: Place, *, again: bool = False, rebuilt: bool = False) -> bool:
    """Make the database at `place` unless it is there; whether it took as long as it may."""
    began = time.monotonic()
    is_there = _is_of(place, (place.size.name, VERSION)) and not again
    if not is_there:
        _empty(make_url(place.url))
    app = _application(place)
    with app.app_context():
        try:
            if not is_there:
                _mark(UNFINISHED)
            migrating.upgrade()
            if is_there:
                print(f"{described(place.url)} has {place.size.name} already.")
            else:
                _fill(place)
                _mark(place.size.name)
            seconds = 0.0 if _is_rolled_up(place) and not rebuilt else _rolled_up()
        finally:
            db.engine.dispose()
    took = time.monotonic() - began
    print(f"{described(place.url)}: {took:.0f} s in all; files in {place.repository}")
    return seconds <= REBUILD_SECONDS and took <= MAKE_SECONDS


def _application(place: Place) -> Flask:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return create_app(place.settings)


def _is_of(place: Place, wanted: tuple[str, int]) -> bool:
    """Return whether a benchmark has made the database of this size, by this generator.

    One that is neither a benchmark's nor absent or empty is refused, and so is what does not tell.
    """
    url = make_url(place.url)
    if url.drivername == "sqlite" and not Path(str(url.database)).exists():
        return False
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            tables = {*inspector.get_table_names(), *inspector.get_view_names()}
            if not tables:
                return False
            if MARKER not in tables:
                raise SystemExit(f"{described(place.url)} has tables that no benchmark made.")
            return connection.execute(sa.text(FOUND)).first() == wanted
    except sa.exc.DBAPIError as error:
        if error.orig is not None and error.orig.args[0] == UNKNOWN_DATABASE:
            return False
        raise SystemExit(f"{described(place.url)} cannot be read: {error.orig}") from None
    finally:
        engine.dispose()


def _empty(url: URL) -> None:
    """Make an empty database in the place of one that `_is_of` has looked at."""
    if url.drivername == "sqlite":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        for end in ("", "-wal", "-shm"):
            Path(f"{url.database}{end}").unlink(missing_ok=True)
        return
    with pymysql.connect(**{**connect_arguments(url), "database": None}) as connection:
        cursor = connection.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS `{url.database}`")
        cursor.execute(
            f"CREATE DATABASE `{url.database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        )


def _fill(place: Place) -> None:
    wanted = Definitions(place.size)
    _store_files(place, wanted)
    with db.engine.begin() as connection:
        triggers.drop(connection)
    began = time.monotonic()
    counts: dict[str, int] = {}
    with loading(make_url(place.url)) as loader:
        for rows in _rows(place, wanted):
            loader.add(rows)
            for table, of_table in rows.items():
                counts[table] = counts.get(table, 0) + len(of_table)
        print(f"generated: {time.monotonic() - began:.0f} s", flush=True)
        loader.execute(
            "UPDATE regression_test SET last_passed_on_linux = ?, last_passed_on_windows = ? "
            "WHERE id = ?",
            histories.newest_rows(wanted),
        )
    print(f"loaded {sum(counts.values()):,} rows: {time.monotonic() - began:.0f} s in all")
    for table in ("test", "test_result", "test_result_file", "customized_test", "result_record"):
        print(f"  {table}: {counts[table]:,}")


def _rows(place: Place, wanted: Definitions) -> Iterator[Rows]:
    """The rows of all tables, parents first."""
    yield definitions.rows(wanted)
    ids = histories.Ids()
    for number in range(1, place.size.runs + 1):
        run = histories.facts(number, place.size)
        rows = histories.rows(run, wanted, ids)
        if number <= LOGGED_RUNS and run.ours and run.course == "completed":
            log = contents.log(number, [test.id for test in wanted.active])
            rows["run_log"] = [
                (number, len(log), hashlib.sha256(log).hexdigest(), definitions.moment(run.created))
            ]
            _store(place, f"LogFiles/{number}.txt", log)
        yield rows


def _store_files(place: Place, wanted: Definitions) -> None:
    for key, output_id, change in definitions.files(wanted):
        _store(place, key, contents.captions(output_id, change))
    for sample in definitions.rows(wanted)["sample"]:
        _store(place, f"TestFiles/{sample[1]}.ts", contents.media(int(str(sample[0]))))


def _store(place: Place, key: str, content: bytes) -> None:
    path = place.repository / key
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _rolled_up() -> float:
    """Rebuild the rollup as `flask rollup rebuild` does; the seconds it took."""
    began = time.monotonic()
    if not rebuild.prepare():
        raise SystemExit("This account may not create triggers: nothing would be kept.")
    done = max((runs for _, runs in rebuild.rebuild()), default=0)
    seconds = time.monotonic() - began
    print(f"rollup of {done:,} runs rebuilt: {seconds:.1f} s", flush=True)
    return seconds


def _is_rolled_up(place: Place) -> bool:
    """Return whether every run is kept: a migration may have emptied what is."""
    size = place.size
    with reading():
        kept = db.session.scalar(sa.text("SELECT COUNT(*) FROM run_rollup"))
    return bool(kept == size.runs)


def _mark(size: str) -> None:
    """Say in the database what it is, so that it is found again, and may be made anew."""
    values = {"size": size, "version": VERSION}
    with db.engine.begin() as connection:
        for statement in MARKS:
            connection.execute(sa.text(statement), values if ":size" in statement else {})
