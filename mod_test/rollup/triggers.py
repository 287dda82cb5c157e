"""The triggers that append marks: one cheap insert in the transaction of whoever writes.

On MariaDB neither foreign-key cascades nor TRUNCATE fire triggers. What cascades reach is marked by
the parents: a regression test and a sample name the runs that have results of theirs before they
go, and so does a parent that gets another id.

A change of these is a new trigger under a new name, and a migration that creates what is missing:
a trigger that is there already is left as it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from mod_test.rollup.tables import PROGRESS_UNDONE

PREFIX = "rollup_"
# No right to create triggers: on the database, on the table, at all, or with binary logging.
REFUSED = (1044, 1142, 1227, 1419)


# A row that is inserted where a condition holds, `$` standing for an empty FROM.
_CONDITIONAL = re.compile(r"(INSERT INTO \w+ \([^)]*\)) SELECT (.*) \$ WHERE (.*)", re.DOTALL)


@dataclass(frozen=True)
class Trigger:
    """One trigger; its statements are MariaDB's, but for rows under a condition (`_CONDITIONAL`).

    These are INSERT ... SELECT on SQLite only. On MariaDB that would hold the lock of the table's
    next id until the whole statement of another program has ended, and two programs would kill each
    other's transactions over it.
    """

    given_name: str
    when: str
    table: str
    statements: tuple[str, ...]

    @property
    def name(self) -> str:
        """Those that inserted such rows otherwise had the name without the end."""
        return f"{self.given_name}_row" if "$" in "".join(self.statements) else self.given_name

    def ddl(self, dialect: str) -> str:
        sqlite = dialect == "sqlite"
        written = map(_sqlite if sqlite else _mariadb, self.statements)
        table = f'"{self.table}"' if sqlite else f"`{self.table}`"
        return (
            f"CREATE TRIGGER {PREFIX}{self.name} {self.when} ON {table} FOR EACH ROW "
            f"BEGIN {' '.join(f'{statement};' for statement in written)} END"
        )


def _sqlite(statement: str) -> str:
    statement = statement.replace("<=>", "IS").replace("INSERT IGNORE", "INSERT OR IGNORE")
    return statement.replace("$", "")


def _mariadb(statement: str) -> str:
    found = _CONDITIONAL.fullmatch(statement)
    if found is None:
        return statement
    insert, values, condition = found.groups()
    return f"IF {condition} THEN {insert} VALUES ({values}); END IF"


def _run(kind: str, row: str) -> str:
    return (
        f"INSERT INTO rollup_mark (kind, run_id) SELECT '{kind}', {row}.test_id $ "
        f"WHERE {row}.test_id IS NOT NULL"
    )


def _definition(regression_id: str) -> str:
    return (
        f"INSERT INTO rollup_mark (kind, regression_id) SELECT 'd', {regression_id} $ "
        f"WHERE {regression_id} IS NOT NULL"
    )


def _hash(output_id: str, file_hash: str) -> str:
    return (
        "INSERT INTO rollup_mark (kind, output_id, file_hash) "
        f"SELECT 'h', {output_id}, substr({file_hash}, 1, 64) $ "
        f"WHERE {output_id} IS NOT NULL AND {file_hash} IS NOT NULL"
    )


def _differ(*columns: str) -> str:
    """Return whether a column has another value, byte by byte: a collation may fold texts."""
    same = (f"hex(OLD.{column}) <=> hex(NEW.{column})" for column in columns)
    return f"NOT ({' AND '.join(same)})"


def _differ_or_are_null(*columns: str) -> str:
    """The same where NULL may become an empty text: to SQLite both have the same bytes."""
    are_null = (f"(OLD.{column} IS NULL) = (NEW.{column} IS NULL)" for column in columns)
    return f"({_differ(*columns)} OR NOT ({' AND '.join(are_null)}))"


def _runs_of(regression_ids: str) -> tuple[str, str]:
    results = "SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id"
    chosen = (
        "SELECT DISTINCT 'r', c.test_id FROM customized_test c "
        "WHERE c.test_id IS NOT NULL AND c.regression_id"
    )
    mark = "INSERT INTO rollup_mark (kind, run_id)"
    return f"{mark} {results} IN ({regression_ids})", f"{mark} {chosen} IN ({regression_ids})"


def _changes(name: str, table: str, mark: "tuple[str, ...]") -> Iterator[Trigger]:
    """INSERT, UPDATE and DELETE; `mark` holds statements with ROW for the row's name."""

    def statements(*rows: str) -> tuple[str, ...]:
        return tuple(statement.replace("ROW.", f"{row}.") for row in rows for statement in mark)

    yield Trigger(f"{name}_insert", "AFTER INSERT", table, statements("NEW"))
    yield Trigger(f"{name}_update", "AFTER UPDATE", table, statements("OLD", "NEW"))
    yield Trigger(f"{name}_delete", "BEFORE DELETE", table, statements("OLD"))


def _catalogue(table: str, *columns: str) -> Iterator[Trigger]:
    """Whatever changes in a table that tells of regression tests; of rows that are there already in
    one of these columns, if any are named."""
    mark = "INSERT INTO rollup_mark (kind) VALUES ('c')"
    update = f"INSERT INTO rollup_mark (kind) SELECT 'c' $ WHERE {_differ_or_are_null(*columns)}"
    name = f"catalogue_{table}"
    yield Trigger(f"{name}_insert", "AFTER INSERT", table, (mark,))
    yield Trigger(f"{name}_update", "AFTER UPDATE", table, (update if columns else mark,))
    yield Trigger(f"{name}_delete", "BEFORE DELETE", table, (mark,))


_SENTINEL = (
    "INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', f.test_id FROM test_result_file f "
    "WHERE f.regression_test_output_id IN (OLD.id, NEW.id)"
)
_REQUESTED = (
    "INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', q.test_id FROM test_fork q "
    "WHERE q.test_id IS NOT NULL AND q.user_id IN ({ids})"
)
_RUN_DIFFERS = _differ("id", "platform", "fork_id", "branch", "`commit`", "pr_nr")

TRIGGERS: tuple[Trigger, ...] = (
    Trigger(
        "open_run",
        "AFTER INSERT",
        "test",
        ("INSERT IGNORE INTO open_run (test_id) VALUES (NEW.id)",),
    ),
    Trigger(
        "run_update",
        "AFTER UPDATE",
        "test",
        tuple(
            f"INSERT INTO rollup_mark (kind, run_id) SELECT 'r', {row}.id $ WHERE {_RUN_DIFFERS}"
            for row in ("OLD", "NEW")
        ),
    ),
    # What nothing tells of yet is not kept: a new run is looked at once more.
    Trigger(
        "run_insert",
        "AFTER INSERT",
        "test",
        ("INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.id)",),
    ),
    # Its own rollup goes with it by a cascade, but not where foreign keys are not kept; and another
    # run may get its id while its rollup is being derived.
    Trigger(
        "run_delete",
        "BEFORE DELETE",
        "test",
        ("INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.id)",),
    ),
    Trigger(
        "fork_update",
        "AFTER UPDATE",
        "fork",
        (
            "INSERT INTO rollup_mark (kind, run_id) SELECT 'r', t.id FROM test t "  # noqa: S608  ours
            f"WHERE t.fork_id = NEW.id AND {_differ('github')}",
        ),
    ),
    Trigger(
        "fork_move",
        "AFTER UPDATE",
        "fork",
        (
            "INSERT INTO rollup_mark (kind, run_id) SELECT 'r', t.id FROM test t "
            "WHERE OLD.id <> NEW.id AND t.fork_id IN (OLD.id, NEW.id)",
        ),
    ),
    *_changes("progress", "test_progress", (_run("p", "ROW"),)),
    # Only what others take back lets a run wait that nobody has to give back.
    Trigger(
        "progress_rewritten",
        "AFTER UPDATE",
        "test_progress",
        (_run(PROGRESS_UNDONE, "OLD"), _run(PROGRESS_UNDONE, "NEW")),
    ),
    Trigger("progress_removed", "BEFORE DELETE", "test_progress", (_run(PROGRESS_UNDONE, "OLD"),)),
    *_changes("result", "test_result", (_run("r", "ROW"),)),
    *_changes("result_file", "test_result_file", (_run("r", "ROW"),)),
    *_changes("customized", "customized_test", (_run("r", "ROW"),)),
    *_changes("requester", "test_fork", (_run("r", "ROW"),)),
    Trigger(
        "account_move",
        "AFTER UPDATE",
        "user",
        (f"{_REQUESTED.format(ids='OLD.id, NEW.id')} AND OLD.id <> NEW.id",),
    ),
    Trigger("account_delete", "BEFORE DELETE", "user", (_REQUESTED.format(ids="OLD.id"),)),
    *_changes(
        "variant",
        "regression_test_output_files",
        (_hash("ROW.regression_test_output_id", "ROW.file_hashes"),),
    ),
    *_changes("revocation", "baseline_revocation", (_hash("ROW.output_id", "ROW.file_hash"),)),
    Trigger(
        "output_insert",
        "AFTER INSERT",
        "regression_test_output",
        (_definition("NEW.regression_id"),),
    ),
    Trigger(
        "output_delete",
        "BEFORE DELETE",
        "regression_test_output",
        (_definition("OLD.regression_id"),),
    ),
    Trigger(
        "output_update",
        "AFTER UPDATE",
        "regression_test_output",
        (
            _hash("NEW.id", "OLD.correct"),
            _hash("NEW.id", "NEW.correct"),
            *(
                f"{_definition(f'{row}.regression_id')} AND NOT (OLD.regression_id <=> "
                "NEW.regression_id AND COALESCE(OLD.`ignore`, 0) <=> COALESCE(NEW.`ignore`, 0) "
                "AND OLD.id <=> NEW.id)"
                for row in ("OLD", "NEW")
            ),
        ),
    ),
    # The sentinel is of no regression test: what tells of it is marked by run.
    Trigger(
        "sentinel_move",
        "AFTER UPDATE",
        "regression_test_output",
        (f"{_SENTINEL} AND OLD.id <> NEW.id AND -1 IN (OLD.id, NEW.id)",),
    ),
    Trigger(
        "sentinel_delete",
        "BEFORE DELETE",
        "regression_test_output",
        (f"{_SENTINEL.replace('NEW.', 'OLD.')} AND OLD.id = -1",),
    ),
    Trigger(
        "test_update",
        "AFTER UPDATE",
        "regression_test",
        (
            f"{_definition('NEW.id')} AND NOT (OLD.expected_rc <=> NEW.expected_rc "
            "AND OLD.id <=> NEW.id)",
            # A test without a sample is in no set: the counts of its runs change with it.
            *(
                f"{marking} AND (OLD.sample_id IS NULL) <> (NEW.sample_id IS NULL)"
                for marking in _runs_of("NEW.id")
            ),
        ),
    ),
    Trigger(
        "test_move",
        "AFTER UPDATE",
        "regression_test",
        tuple(f"{marking} AND OLD.id <> NEW.id" for marking in _runs_of("OLD.id, NEW.id")),
    ),
    Trigger("test_delete", "BEFORE DELETE", "regression_test", _runs_of("OLD.id")),
    Trigger(
        "sample_delete",
        "BEFORE DELETE",
        "sample",
        _runs_of("SELECT t.id FROM regression_test t WHERE t.sample_id = OLD.id"),
    ),
    # What the existing site notes of a test after each run is nothing that is read of it.
    *_catalogue(
        "regression_test",
        *("id", "sample_id", "command", "input_type", "output_type"),
        *("expected_rc", "active", "description"),
    ),
    *_catalogue("regression_test_output"),
    *_catalogue("regression_test_output_files"),
    *_catalogue("baseline_revocation"),
    *_catalogue("regression_test_category"),
    *_catalogue("category"),
    *_catalogue("sample"),
    *_catalogue("sample_tag_association"),
    *_catalogue("tag"),
    # Whoever consumes such a mark, also a process of an earlier revision, changes their version.
    Trigger(
        "catalogue_settled",
        "AFTER DELETE",
        "rollup_mark",
        (
            "UPDATE rollup_state SET definitions_id = definitions_id + 1 "
            "WHERE id = 1 AND OLD.run_id IS NULL",
        ),
    ),
)


def create(connection: Connection) -> bool:
    """Create every trigger that is missing; False where the account may not, and none is left."""
    dialect = connection.dialect.name
    known = existing(connection)
    for trigger in TRIGGERS:
        if PREFIX + trigger.name in known:
            continue
        try:
            connection.execute(text(trigger.ddl(dialect).replace(":", r"\:")))
        except DBAPIError as error:
            if error.orig is None or error.orig.args[0] not in REFUSED:
                raise
            drop(connection)
            return False
    return True


def keep_nothing(connection: Connection) -> None:
    """Derive everything from here on, for as long as changes are not marked."""
    for statement in (
        "UPDATE rollup_state SET generation = 0",
        "DELETE FROM failing_result",
        "DELETE FROM run_rollup",
        "DELETE FROM rollup_mark",
        "UPDATE open_run SET settled = 0",
        "INSERT INTO open_run (test_id) SELECT t.id FROM test t "
        "WHERE NOT EXISTS (SELECT 1 FROM open_run o WHERE o.test_id = t.id)",
    ):
        connection.execute(text(statement))


def drop(connection: Connection) -> None:
    """Drop every trigger of the rollup."""
    _drop(connection, existing(connection))


def drop_former(connection: Connection) -> None:
    """Drop those of earlier revisions, once the ones of this revision are there."""
    _drop(connection, existing(connection) - _names())


def _drop(connection: Connection, names: set[str]) -> None:
    for name in sorted(names):
        connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))


def are_complete(connection: Connection) -> bool:
    """Return whether every trigger is there: without one of them nothing may be kept."""
    return _names() <= existing(connection)


def _names() -> set[str]:
    return {PREFIX + trigger.name for trigger in TRIGGERS}


def existing(connection: Connection) -> set[str]:
    """The names of the rollup's triggers that are there."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT trigger_name FROM information_schema.triggers "
        "WHERE trigger_schema = DATABASE()"
    )
    return {name for (name,) in connection.execute(text(query)) if name.startswith(PREFIX)}
