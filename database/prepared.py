"""Statements that are composed once are compiled once, too, and sent as the text that they are.

SQLAlchemy looks a statement up by all that it is made of at each execution, sends its constants as
parameters, and describes its columns anew: for long statements that costs more than the database
does. Here a statement is compiled once for each dialect; its constants are part of the text, and
what is left are its named parameters.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from database.pipeline import Statement

Process = Callable[[Any], Any]
Row = Any


class _Chosen:
    """As a parameter's value: the value that an earlier statement of the same message chose."""

    text = "@chosen"


CHOSEN = _Chosen()

_QUOTED_BY_MYSQL = r"'(?:[^'\\]|\\.|'')*'"
# How the drivers' styles write a parameter, by name or not, and how quoted text looks there.
_STYLES = {
    "format": ("%s", "%s(?P<name>)", _QUOTED_BY_MYSQL),
    "pyformat": ("%s", r"%\((?P<name>[^)]*)\)s", _QUOTED_BY_MYSQL),
    "qmark": ("?", r"\?(?P<name>)", r"'(?:[^']|'')*'"),
}
# What text holds between constants: quoted text, a doubled percent sign, a list, or a parameter.
_PART = (
    r"(?P<quoted>{quoted})|(?P<twice>%%)|__\[POSTCOMPILE_(?P<list>[^]~]*)[^]]*\]|(?P<one>{mark})"
)


@dataclass(frozen=True)
class _Parameter:
    """A named value. `is_list`: it is as many values as are given; `empty` selects none."""

    name: str
    process: Process | None
    call: Callable[[], Any] | None
    default: Any
    is_list: bool
    empty: str

    def value(self, given: Mapping[str, Any], called: dict[str, Any]) -> Any:
        """Its value among those given, or what it calls, once in a statement."""
        if self.name in given:
            return given[self.name]
        if self.call is not None:
            if self.name not in called:
                called[self.name] = self.call()
            return called[self.name]
        if self.default is None:
            raise KeyError(f"the statement's parameter {self.name} was not given")
        return self.default


class Prepared:
    """A statement in one dialect. A result's values that are NULL are not processed by its types:
    all of ours read NULL as None."""

    def __init__(
        self, statement: Executable, dialect: Dialect, columns: tuple[str, ...] | None = None
    ) -> None:
        options = {"dialect": dialect, "column_keys": columns}
        compiled = statement.compile(**options)  # type: ignore[attr-defined]  # all have it
        if not isinstance(compiled, SQLCompiler):
            raise TypeError(f"{statement} is no statement of SQL")
        self._dialect = dialect
        self._mark, *_ = _STYLES[dialect.paramstyle]
        self._parts = _parts(compiled, dialect)
        self._columns = [(entry.keyname, entry.type) for entry in compiled._result_columns]
        self._row: Any = None
        self._processed: tuple[tuple[int, Process], ...] = ()

    def change(self, given: Mapping[str, Any]) -> Statement:
        """What writes; the result is how many rows it wrote, and the id of the one it inserted."""
        return Statement(*self._filled(given), _written)

    def values(self, given: Mapping[str, Any]) -> Statement:
        """What asks for the first value of each of its rows."""
        return Statement(*self._filled(given), self._values)

    def rows(self, given: Mapping[str, Any]) -> Statement:
        """What asks for its rows: tuples whose values have their columns' names."""
        return Statement(*self._filled(given), self._rows)

    def _values(self, cursor: Any) -> list[Any]:
        found = self._found(cursor)
        if self._processed and self._processed[0][0] == 0:
            process = self._processed[0][1]
            return [None if row[0] is None else process(row[0]) for row in found]
        return [row[0] for row in found]

    def _rows(self, cursor: Any) -> list[Row]:
        found = self._found(cursor)
        make, processed = self._row._make, self._processed
        if not processed:
            return [make(row) for row in found]
        rows = []
        for row in found:
            values = list(row)
            for place, process in processed:
                value = values[place]
                if value is not None:
                    values[place] = process(value)
            rows.append(make(values))
        return rows

    def _found(self, cursor: Any) -> Sequence[Any]:
        """Its rows as the driver has them."""
        found: Sequence[Any] = cursor.fetchall()
        if self._row is None:
            self._describe(cursor.description)
        return found

    def _filled(self, given: Mapping[str, Any]) -> tuple[str, list[Any]]:
        values: list[Any] = []
        texts: list[str] = []
        called: dict[str, Any] = {}
        for part in self._parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            value, process = part.value(given, called), part.process
            if value is CHOSEN:
                texts.append(CHOSEN.text)
            elif not part.is_list:
                values.append(value if process is None else process(value))
                texts.append(self._mark)
            elif not value:
                texts.append(part.empty)
            elif process is None and all(type(one) is int for one in value):
                texts.append(", ".join(map(str, value)))
            else:
                values += value if process is None else map(process, value)
                texts.append(", ".join([self._mark] * len(value)))
        return "".join(texts), values

    def _describe(self, description: Sequence[Any]) -> None:
        processed = []
        for place, ((_, kind), column) in enumerate(zip(self._columns, description, strict=True)):
            process = kind._cached_result_processor(self._dialect, column[1])
            if process is not None:
                processed.append((place, process))
        self._processed = tuple(processed)
        names = [name for name, _ in self._columns]
        self._row = namedtuple(  # type: ignore[misc]  # noqa: PYI024  # names vary, types are unknown
            "Row", names, rename=True
        )


def _written(cursor: Any) -> tuple[int, int]:
    return cursor.rowcount, cursor.lastrowid


def _parts(compiled: SQLCompiler, dialect: Dialect) -> tuple[str | _Parameter, ...]:
    """The text in pieces, and the named parameters between them."""
    _, mark, quoted = _STYLES[dialect.paramstyle]
    pattern = re.compile(_PART.format(quoted=quoted, mark=mark))
    names = iter(compiled.positiontup or ())
    parts: list[str | _Parameter] = [""]

    def add(text: str) -> None:
        if isinstance(parts[-1], str):
            parts[-1] += text
        else:
            parts.append(text)

    end = 0
    for match in pattern.finditer(compiled.string):
        add(compiled.string[end : match.start()])
        end = match.end()
        if match["one"] or match["list"]:
            name = next(names) if compiled.positional else match["list"] or match["name"]
            bind = compiled.binds[name]
            if bind.unique and bind.callable is None:
                add(_constant(compiled, bind, is_list=bool(match["list"])))
            else:
                parts.append(_parameter(compiled, bind, is_list=bool(match["list"])))
        else:
            add(match[0])
    add(compiled.string[end:])
    if next(names, None) is not None:
        raise ValueError(f"parameters were not found in: {compiled.string}")
    return tuple(parts)


def _constant(compiled: SQLCompiler, bind: BindParameter[Any], *, is_list: bool) -> str:
    """What nobody gives another value, as text."""
    given = bind.value or () if is_list else (bind.value,)
    values = [compiled.render_literal_value(value, bind.type) for value in given]
    return ", ".join(values) or _nothing(compiled, bind)


def _nothing(compiled: SQLCompiler, bind: BindParameter[Any]) -> str:
    """What selects no value."""
    compiler: Any = compiled  # SQLAlchemy leaves this method without types
    empty: str = compiler.visit_empty_set_expr([bind.type])
    return empty


def _parameter(compiled: SQLCompiler, bind: BindParameter[Any], *, is_list: bool) -> _Parameter:
    name = compiled.bind_names[bind]
    return _Parameter(
        name=name,
        process=cast("Process | None", compiled._bind_processors.get(name)),
        call=bind.callable,
        default=bind.value,
        is_list=is_list,
        empty=_nothing(compiled, bind) if is_list else "",
    )


Columns = tuple[str, ...] | None
_prepared: "WeakKeyDictionary[Dialect, WeakKeyDictionary[Executable, dict[Columns, Prepared]]]"
_prepared = WeakKeyDictionary()


def prepared(statement: Executable, dialect: Dialect, columns: Columns = None) -> Prepared:
    """The statement in this dialect, compiled the first time. Only for what is composed once.

    `columns`: those that an INSERT has beside its own values.
    """
    of_dialect = _prepared.get(dialect)
    if of_dialect is None:
        of_dialect = _prepared.setdefault(dialect, WeakKeyDictionary())
    known = of_dialect.get(statement)
    if known is None:
        known = of_dialect[statement] = {}
    found = known.get(columns)
    if found is None:
        found = known[columns] = Prepared(statement, dialect, columns)
    return found
