"""Loading many rows quickly: into an empty database, without triggers, checks or sessions."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import pymysql
from sqlalchemy.engine import URL

from bench.definitions import Row, Rows

COLUMNS = {
    "user": "id name email github_login password role",
    "api_token": "id user_id token_name token_hash token_prefix scopes_json created_at expires_at "
    "revoked_at",
    "sample": "id sha extension original_name",
    "tag": "id name description",
    "sample_tag_association": "sample_id tag_id",
    "ccextractor_version": "id version released commit",
    "upload": "id user_id sample_id version_id platform parameters notes",
    "category": "id name description",
    "regression_test": "id sample_id command input_type output_type expected_rc active description",
    "regression_test_category": "regression_id category_id",
    "regression_test_output": "id regression_id correct correct_extension expected_filename ignore",
    "regression_test_output_files": "id file_hashes regression_test_output_id",
    "baseline_approval": "id run_id sample_id regression_id output_id extension mode "
    "apply_to_variants file_hash replaced_hash reason requester_id requester_name requester_email "
    "created_at undoes_id",
    "baseline_decision": "approval_id decision account_id account_name account_email by_requester "
    "reason decided_at",
    "baseline_change": "id approval_id regression_id output_id replaced_hash new_hash variant_id",
    "fork": "id github",
    "maintenance_mode": "id platform disabled",
    "test": "id platform test_type token fork_id branch commit pr_nr",
    "run_record": "test_id created_at attempts lost_attempts lease_expires_at held_progress_id "
    "retry_of reason environment_id failed_attempts",
    "run_log": "test_id size sha256 kept_at",
    "test_fork": "id user_id test_id",
    "customized_test": "id test_id regression_id",
    "test_progress": "id test_id status timestamp message",
    "progress_record": "progress_id cause account_id attempt_id step",
    "run_attempt": "id test_id number platform runner_name account_id credential_hash claimed_at "
    "deadline_at stage running_tests ended_at end_reason error_type error_message error_stack",
    "test_result": "test_id regression_test_id runtime exit_code expected_rc",
    "test_result_file": "test_id regression_test_id regression_test_output_id expected got",
    "result_record": "id test_id regression_test_id attempt_id outcome signal message tail "
    "started_at recorded_at",
    "gcp_instance": "name test_id timestamp timestamp_prep_finished",
    "audit_event": "id at account_id account_name action subject_type subject_id details",
}
# What a migration or a trigger has put there already.
REPLACED = ("run_record", "maintenance_mode")
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})
LEFT_AS_IT_IS = ("test_result", "test_result_file", "customized_test")  # no text but hashes


class Loader(Protocol):
    """Takes rows by table, in any order of the tables."""

    def add(self, rows: Rows) -> None:
        """Load these rows, at once or at the end."""

    def execute(self, statement: str, rows: Sequence[Row] = ()) -> None:
        """A statement at the end of loading, once for each of `rows`; `?` are its values."""


@contextlib.contextmanager
def loading(url: URL) -> Iterator[Loader]:
    """Load into the empty tables at `url`; at the end everything is committed."""
    with _into_sqlite(url) if url.drivername == "sqlite" else _into_mariadb(url) as loader:
        yield loader


class SqliteLoader:
    """Inserts at once, in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        for table in REPLACED:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  a name of ours

    def add(self, rows: Rows) -> None:
        for table, of_table in rows.items():
            if not of_table:
                continue
            columns = COLUMNS[table].split()
            names = ", ".join(f'"{name}"' for name in columns)
            values = ", ".join("?" * len(columns))
            replace = "OR REPLACE " if table in REPLACED else ""
            self.connection.executemany(
                f'INSERT {replace}INTO "{table}" ({names}) VALUES ({values})',  # noqa: S608  ours
                of_table,
            )

    def execute(self, statement: str, rows: Sequence[Row] = ()) -> None:
        self.connection.executemany(statement, rows or [()])


@contextlib.contextmanager
def _into_sqlite(url: URL) -> Iterator[Loader]:
    connection = sqlite3.connect(str(url.database), isolation_level=None)
    with contextlib.closing(connection):
        for pragma in ("synchronous = OFF", "foreign_keys = OFF", "cache_size = -500000"):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.execute("BEGIN IMMEDIATE")
        yield SqliteLoader(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        connection.execute("ANALYZE")


class MariaDBLoader:
    """Writes a file for each table, which the server then takes in one statement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, TextIO] = {}
        self.statements: list[tuple[str, Sequence[Row]]] = []

    def add(self, rows: Rows) -> None:
        for table, of_table in rows.items():
            if not of_table:
                continue
            if table not in self.files:
                self.files[table] = (self.folder / table).open("w", encoding="utf-8")
            shown = _plain if table in LEFT_AS_IT_IS else _escaped
            self.files[table].write("".join([shown(row) for row in of_table]))

    def execute(self, statement: str, rows: Sequence[Row] = ()) -> None:
        self.statements.append((statement, rows))

    def finish(self, connection: "pymysql.Connection[Any]") -> None:
        """Let the server take everything in."""
        with connection.cursor() as cursor:
            # Into an empty table without these checks InnoDB builds its indexes by sorting.
            cursor.execute("SET unique_checks = 0, foreign_key_checks = 0, autocommit = 0")
            cursor.execute("SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
            for table, file in self.files.items():
                file.close()
                if table in REPLACED:
                    cursor.execute(f"DELETE FROM `{table}`")  # noqa: S608  a name of ours
                    connection.commit()
                names = ", ".join(f"`{name}`" for name in COLUMNS[table].split())
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE %s INTO TABLE `{table}` CHARACTER SET utf8mb4 "
                    f"({names})",
                    (file.name,),
                )
                connection.commit()
                Path(file.name).unlink()
            for statement, rows in self.statements:
                cursor.executemany(statement.replace("?", "%s"), rows or [()])
            connection.commit()
            cursor.execute("SET unique_checks = 1, foreign_key_checks = 1, autocommit = 1")
            for table in self.files:
                cursor.execute(f"ANALYZE TABLE `{table}`")


@contextlib.contextmanager
def _into_mariadb(url: URL) -> Iterator[Loader]:
    connection = pymysql.connect(**connect_arguments(url), local_infile=True)
    with (
        contextlib.closing(connection),
        tempfile.TemporaryDirectory(prefix="bench-load-") as folder,
    ):
        loader = MariaDBLoader(Path(folder))
        yield loader
        loader.finish(connection)


def connect_arguments(url: URL) -> Mapping[str, Any]:
    """What a driver of MariaDB connects to the database of `url` with."""
    return {
        "host": url.host or "127.0.0.1",
        "port": url.port or 3306,
        "user": url.username or "",
        "password": url.password or "",
        "database": url.database,
        "charset": "utf8mb4",
    }


def _plain(row: Row) -> str:
    return "\t".join(["\\N" if value is None else str(value) for value in row]) + "\n"


def _escaped(row: Row) -> str:
    values = ["\\N" if value is None else str(value).translate(ESCAPED) for value in row]
    return "\t".join(values) + "\n"
