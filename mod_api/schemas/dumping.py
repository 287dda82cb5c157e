"""Schemas that write answers out quickly.

marshmallow asks each field of each row again what it is; for pages of a hundred rows that costs
more than finding them. Here a schema is looked through once, and becomes a function that is written
for it: a line for each field. What a field is not known to need goes on being done by marshmallow.
Hooks around dumping (`pre_dump`, `post_dump`) are not called: our schemas have none.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Self

import marshmallow
from marshmallow import fields, missing

Write = Callable[[Any], Any]
# How a field's value `v`, which is there and not None, is written: an expression with `w` for what
# is to be called, where something is.
AS_TEXT = "v if v.__class__ is str else str(v)"
AS_NUMBER = "v if v.__class__ is int else int(v)"


class Schema(marshmallow.Schema):
    """A schema whose `dump` gives what marshmallow's does, and which refuses unknown fields with
    the names that it has."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        names = [field.data_key or name for name, field in self.load_fields.items()]
        self.error_messages["unknown"] = f"Unknown field. There are: {', '.join(names)}."

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same one: nothing changes a schema, and flask-smorest copies an operation's with
        each of its decorators, which took megabytes of every process."""
        return self

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """The object, or each of many, as what JSON can hold."""
        if self.many if many is None else many:
            return [self.written(one) for one in obj]
        return self.written(obj)

    @functools.cached_property
    def written(self) -> Write:
        """What writes one object: of a mapping what it has, of any other its attributes."""
        of_mapping = _compiled(self, "obj.get({0!r}, missing)")
        of_object = _compiled(self, "obj.{0}")
        of_lacking = _compiled(self, "getattr(obj, {0!r}, missing)")

        def write(obj: Any) -> Any:
            if obj.__class__ is dict or isinstance(obj, Mapping):
                return of_mapping(obj)
            try:
                return of_object(obj)
            except AttributeError:  # it has not all of them
                return of_lacking(obj)

        return write


def _compiled(schema: marshmallow.Schema, get: str) -> Write:
    """The function that writes an object's fields; `get` is how an attribute is had."""
    known: dict[str, Any] = {"missing": missing}
    lines = ["def write(obj):", " found = {}"]
    for place, (name, field) in enumerate(schema.dump_fields.items()):
        attribute = field.attribute or name
        if not attribute.isidentifier():
            raise ValueError(f"{attribute} is no attribute")
        expression, call = _writer(field)
        known[f"w{place}"] = call
        written = expression.replace("w(", f"w{place}(")
        lines.append(f" v = {get.format(attribute)}")
        if field.dump_default is not missing:
            known[f"d{place}"] = field.dump_default
            called = "()" if callable(field.dump_default) else ""
            lines.append(f" if v is missing: v = d{place}{called}")
        key = name if field.data_key is None else field.data_key
        lines.append(f" if v is not missing: found[{key!r}] = None if v is None else {written}")
    lines.append(" return found")
    exec("\n".join(lines), known)  # noqa: S102  of names and expressions that are all our own
    write: Write = known["write"]
    return write


def _writer(field: Any) -> tuple[str, Write | None]:
    """How a value of a field is written, and what is called for it: the field's own `write`, where
    it is one of ours."""
    own: Write | None = getattr(field, "write", None)
    if own is not None:
        return getattr(field, "WRITTEN", "w(v)"), own
    make = _MADE.get(type(field))
    return make(field) if make is not None else ("w(v)", _by_marshmallow(field))


def _by_marshmallow(field: Any) -> Write:
    return lambda value: field._serialize(value, field.name, {field.name: value})


def _nested(field: fields.Nested) -> tuple[str, Write]:
    schema: Any = field.schema
    is_one = isinstance(schema, Schema) and not schema.many
    return "w(v)", schema.written if is_one else schema.dump


def _list(field: fields.List[Any]) -> tuple[str, Write | None]:
    expression, call = _writer(field.inner)
    return f"[None if v is None else {expression} for v in v]", call


def _dict(field: fields.Dict) -> tuple[str, Write]:
    kinds = {type(field.key_field), type(field.value_field)}
    return "w(v)", dict if kinds in ({fields.String}, {type(None)}) else _by_marshmallow(field)


def _float(field: fields.Float) -> tuple[str, Write | None]:
    if field.as_string:
        return "w(v)", _by_marshmallow(field)
    return "v if v.__class__ is float else float(v)", None


_MADE: dict[type[Any], Callable[[Any], tuple[str, Write | None]]] = {
    fields.String: lambda _: (AS_TEXT, None),
    fields.Boolean: lambda _: ("w(v)", bool),
    fields.Nested: _nested,
    fields.List: _list,
    fields.Dict: _dict,
    fields.Float: _float,
}
