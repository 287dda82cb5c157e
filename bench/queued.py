"""Queued runs for a measurement: in a database of `make` for as long as it takes, then gone."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from time import perf_counter
from typing import Any

import pymysql
from sqlalchemy.engine import make_url

from bench.loading import connect_arguments
from bench.places import Place

# By these the rows of a measurement that was broken off are found again.
BRANCH, MACHINE = "bench-queue", "bench-queue-"
BATCH = 100


@dataclass(frozen=True)
class Queued:
    """The queued runs and the regression tests that each of them is of."""

    runs: Sequence[int]
    tests: Sequence[int]
    tokens: Mapping[int, str]


def connected(place: Place) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """A plain connection to MariaDB that begins transactions as the application's do."""
    return pymysql.connect(**{**connect_arguments(make_url(place.url)), "autocommit": False})


@contextlib.contextmanager
def queued(place: Place, count: int) -> Iterator[Queued]:
    """`count` queued runs of Linux more, each of all active regression tests, as POST makes them.

    The runs that wait already are left alone: meanwhile they have a machine of the existing
    scheduler. All of it is undone at the end, and what an earlier end left behind, too.
    """
    with contextlib.closing(connected(place)) as connection:
        _undo(connection)
        try:
            yield _insert(connection, count)
        finally:
            connection.rollback()
            _undo(connection)


def send(
    connection: HTTPConnection, method: str, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes, float]:
    """Status and body of the answer, and the ms that it took until its last byte was there."""
    began = perf_counter()
    connection.request(method, url, body=body, headers=dict(headers))
    response = connection.getresponse()
    data = response.read()
    return response.status, data, (perf_counter() - began) * 1000


def _insert(connection: Any, count: int) -> Queued:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO gcp_instance (name, test_id, timestamp) SELECT CONCAT(%s, t.id), t.id, "
            "UTC_TIMESTAMP() FROM open_run o JOIN test t ON t.id = o.test_id",
            (MACHINE,),
        )
        cursor.execute("SELECT MIN(id) FROM fork WHERE github LIKE 'https://github.com/%'")
        ((fork_id,),) = cursor.fetchall()
        cursor.execute(
            "SELECT id FROM regression_test WHERE COALESCE(active, 1) = 1 AND sample_id IS NOT NULL"
        )
        tests = [regression_id for (regression_id,) in cursor.fetchall()]
        cursor.executemany(
            "INSERT INTO test (platform, test_type, token, fork_id, branch, `commit`, pr_nr) "
            "VALUES ('linux', 'commit', %s, %s, %s, %s, 0)",
            [(_digest(number), fork_id, BRANCH, _digest(number)[:40]) for number in range(count)],
        )
        cursor.execute("SELECT id, token FROM test WHERE branch = %s ORDER BY id", (BRANCH,))
        tokens = dict(cursor.fetchall())
        connection.commit()
        runs = list(tokens)
        for begin in range(0, count, BATCH):
            rows = [(run, test) for run in runs[begin : begin + BATCH] for test in tests]
            cursor.executemany(
                "INSERT INTO customized_test (test_id, regression_id) VALUES (%s, %s)", rows
            )
            connection.commit()
        # They speak of open runs only; the first reader would settle them.
        _forget_marks(connection, cursor, runs)
    return Queued(runs, tests, tokens)


def _undo(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM gcp_instance WHERE name LIKE %s", (MACHINE + "%",))
        cursor.execute("SELECT id FROM test WHERE branch = %s ORDER BY id", (BRANCH,))
        runs = [run_id for (run_id,) in cursor.fetchall()]
        connection.commit()
        for begin in range(0, len(runs), BATCH):
            some = runs[begin : begin + BATCH]
            for statement in (
                "DELETE FROM customized_test WHERE test_id IN %s",
                "DELETE FROM test WHERE id IN %s",
            ):
                cursor.execute(statement, (some,))
            connection.commit()
        _forget_marks(connection, cursor, runs)
        # Of an end that was broken off: what concerns runs that are gone.
        cursor.execute(
            "SELECT DISTINCT m.run_id FROM rollup_mark m LEFT JOIN test t ON t.id = m.run_id "
            "WHERE m.run_id IS NOT NULL AND t.id IS NULL"
        )
        _forget_marks(connection, cursor, [run_id for (run_id,) in cursor.fetchall()])


def _forget_marks(connection: Any, cursor: Any, runs: Sequence[int]) -> None:
    for begin in range(0, len(runs), BATCH):
        some = runs[begin : begin + BATCH]
        cursor.execute("DELETE FROM rollup_mark WHERE run_id IN %s", (some,))
        connection.commit()


def _digest(number: int) -> str:
    return hashlib.sha256(f"queued for a benchmark {number}".encode()).hexdigest()
