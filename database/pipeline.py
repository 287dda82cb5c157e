"""Pipelining: several statements in one message to MariaDB, where no answer is needed in between.

MariaDB answers a message before it hears the next one, and most statements of ours take less time
than that. A claim and a result collect statements in a `Batch` and send them at once; nothing else
does. Only the connections of `writing(pipelined=True)` allow several statements in one text.
"""

import functools
import re
from collections import namedtuple
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from database import timing
from database.units import PIPELINED, Params, writing_connection

Process = Callable[[Any], Any]
_NONE_CHOSEN = "SET @chosen = NULL"


class _Chosen:
    """As a parameter's value: the id that `Batch.choose` found in the same batch."""


CHOSEN = _Chosen()


class Outcome:
    """The result of a statement of a batch: its rows, or the id of the row that it inserted.

    Raises RuntimeError before the batch was sent.
    """

    def __init__(self) -> None:
        self._rows: Sequence[Any] | None = None
        self._row_id = 0

    @property
    def rows(self) -> Sequence[Any]:
        if self._rows is None:
            raise RuntimeError("the batch was not sent yet")
        return self._rows

    @property
    def row_id(self) -> int:
        if self._rows is None:
            raise RuntimeError("the batch was not sent yet")
        return self._row_id

    def set(self, rows: Sequence[Any], row_id: int = 0) -> None:
        self._rows, self._row_id = rows, row_id


class Batch:
    """Statements that are executed in order, and none after one that fails.

    They belong to the unit of work that writes in this thread. On SQLite, where a message costs
    nothing, they are sent one by one.
    """

    def __init__(self) -> None:
        connection = writing_connection()
        if connection is None:
            raise RuntimeError("a batch belongs to a unit of work that writes")
        self._connection = connection
        self._asked: list[tuple[Executable, Params, Outcome]] = []
        self._choosing: Outcome | None = None

    def add(self, statement: Executable, params: Params) -> Outcome:
        """Add a statement. An INSERT takes the columns that it has no value for from `params`, and
        no other default."""
        outcome = Outcome()
        self._asked.append((statement, params, outcome))
        return outcome

    def choose(self, statement: Executable, params: Params) -> Outcome:
        """Add a statement of at most one row, whose first column is a `chosen(...)`.

        After it a parameter may be `CHOSEN`. Where no row is found, statements with that parameter
        find none either.
        """
        self._choosing = self.add(statement, params)
        return self._choosing

    def send(self) -> None:
        """Execute what was added since the batch was sent last. Raises DBAPIError."""
        asked, self._asked = self._asked, []
        if not asked:
            return
        if self._connection.get_execution_options().get(PIPELINED):
            self._send_at_once(asked)
        else:
            self._send_one_by_one(asked)

    def _send_one_by_one(self, asked: Sequence[tuple[Executable, Params, Outcome]]) -> None:
        for statement, params, outcome in asked:
            known = self._with_chosen(params)
            if known is None:
                outcome.set([])
                continue
            result = self._connection.execute(statement, known)
            rows = result.all() if result.returns_rows else []
            outcome.set(rows, 0 if result.returns_rows else result.lastrowid)

    def _with_chosen(self, params: Params) -> Params | None:
        """The parameters with the chosen id; None where none was chosen that is needed."""
        if self._choosing is None or all(value is not CHOSEN for value in params.values()):
            return params
        if not self._choosing.rows:
            return None
        chosen = self._choosing.rows[0][0]
        return {name: chosen if value is CHOSEN else value for name, value in params.items()}

    def _send_at_once(self, asked: Sequence[tuple[Executable, Params, Outcome]]) -> None:
        """Send one message: what one batch chose is not chosen for the next one."""
        dialect = self._connection.dialect
        texts, values, readers = [_NONE_CHOSEN], list[Any](), list[tuple[_Prepared, Outcome]]()
        for statement, params, outcome in asked:
            prepared = _prepared(statement, dialect, _columns(statement, params))
            text, filled = prepared.filled(params)
            texts.append(text)
            values += filled
            readers.append((prepared, outcome))
        cursor = self._connection.connection.cursor()
        began, done = perf_counter(), 0
        try:
            cursor.execute(";\n".join(texts), values)
            for prepared, outcome in readers:
                done += 1
                cursor.nextset()
                outcome.set(prepared.rows(cursor), cursor.lastrowid or 0)
            done += 1
            cursor.close()
        except dialect.loaded_dbapi.Error as error:
            with suppress(dialect.loaded_dbapi.Error):  # the first error is the one to raise
                cursor.close()
            raise _wrapped(self._connection, texts[done], error) from error
        finally:
            timing.note_together(texts, began, done=done)


def _columns(statement: Executable, params: Params) -> tuple[str, ...] | None:
    has_values = isinstance(statement, Insert) and statement.select is None
    return tuple(params) if has_values else None


@dataclass(frozen=True)
class _Prepared:
    """A statement's text for a driver, in pieces between which its parameters stand."""

    compiled: SQLCompiler
    pieces: tuple[str, ...]
    parameters: tuple[tuple[str, Process | None], ...]
    make_row: Callable[..., Any]
    columns: tuple[tuple[int, TypeEngine[Any]], ...]
    dialect: Dialect

    def filled(self, params: Params) -> tuple[str, list[Any]]:
        """The text and the values of its marks."""
        known = self.compiled.construct_params(dict(params))
        text, values = [], []
        for piece, (name, process) in zip(self.pieces, self.parameters, strict=False):
            value = known[name]
            text.append(piece)
            if value is CHOSEN:
                text.append("@chosen")
            else:
                text.append("%s")
                values.append(value if process is None else process(value))
        return "".join([*text, self.pieces[-1]]), values

    def rows(self, cursor: Any) -> list[Any]:
        """The rows of the result at which the driver's cursor stands."""
        if cursor.description is None:
            return []
        processes = [
            (place, process)
            for place, kind in self.columns
            if (process := _result_process(kind, self.dialect, cursor.description[place][1]))
        ]
        rows = []
        for found in cursor.fetchall():
            values = list(found)
            for place, process in processes:
                values[place] = process(values[place])
            rows.append(self.make_row(*values))
        return rows


@functools.lru_cache(maxsize=256)
def _prepared(
    statement: Executable, dialect: Dialect, columns: tuple[str, ...] | None
) -> _Prepared:
    options = {"dialect": dialect, "column_keys": columns}
    compiled = statement.compile(**options)  # type: ignore[attr-defined]  # all have it
    if "POSTCOMPILE" in compiled.string:
        raise ValueError(f"a batch takes no lists of values: {compiled.string}")
    parts = re.split(r"(%%|%s)", compiled.string)
    pieces = [""]
    for part in parts:
        if part == "%s":
            pieces.append("")
        else:
            pieces[-1] += part
    selected = statement.selected_columns if isinstance(statement, Select) else None
    names = [] if selected is None else list(selected.keys())
    return _Prepared(
        compiled,
        tuple(pieces),
        tuple(
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ),
        namedtuple("Row", names, rename=True),  # noqa: PYI024  # names vary
        tuple(enumerate(column.type for column in selected or ())),
        dialect,
    )


@functools.lru_cache(maxsize=256)
def _result_process(kind: TypeEngine[Any], dialect: Dialect, coltype: Any) -> Process | None:
    process: Process | None = kind.dialect_impl(dialect).result_processor(dialect, coltype)
    return process


def _wrapped(connection: Connection, text: str, error: Any) -> BaseException:
    """A driver's error as SQLAlchemy raises it."""
    dialect = connection.dialect
    is_gone = dialect.is_disconnect(error, connection.connection, None)
    if is_gone:
        connection.invalidate(error)
        connection.engine.dispose()  # the others are gone as well
    shown: BaseException = DBAPIError.instance(
        text, None, error, dialect.loaded_dbapi.Error,
        connection_invalidated=is_gone, dialect=dialect,
    )  # fmt: skip
    return shown
