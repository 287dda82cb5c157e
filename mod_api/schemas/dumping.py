"""Schemas that write answers out quickly.

marshmallow asks each field of each row again what it is; for pages of a hundred rows that costs
more than finding them. Here a schema is looked through once, and each of its fields becomes a
function of the value. What a field is not known to need goes on being done by marshmallow.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import marshmallow
from marshmallow import fields, missing

Write = Callable[[Any], Any]


class Schema(marshmallow.Schema):
    """A schema whose `dump` gives what marshmallow's does."""

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """The object, or each of many, as what JSON can hold."""
        if any(tag.endswith("dump") for tag in self._hooks):
            return super().dump(obj, many=many)
        if self.many if many is None else many:
            return [self.written(one) for one in obj]
        return self.written(obj)

    @functools.cached_property
    def written(self) -> Write:
        """What writes one object."""
        plan = tuple(
            (
                name if field.data_key is None else field.data_key,
                field.attribute or name,
                _writer(field),
                field.dump_default,
            )
            for name, field in self.dump_fields.items()
        )

        def write(obj: Any) -> dict[str, Any]:
            get = obj.get if isinstance(obj, Mapping) else functools.partial(getattr, obj)
            found = {}
            for key, attribute, writer, default in plan:
                value = get(attribute, missing)
                if value is missing:
                    if default is missing:
                        continue
                    value = default() if callable(default) else default
                found[key] = None if value is None else writer(value)
            return found

        return write


def _writer(field: Any) -> Write:
    """What writes a value of a field that is there and not None: the field's own `write`, where
    it is one of ours."""
    own: Write | None = getattr(field, "write", None)
    if own is not None:
        return own
    make = _MADE.get(type(field))
    return make(field) if make is not None else _by_marshmallow(field)


def _by_marshmallow(field: Any) -> Write:
    return lambda value: field._serialize(value, field.name, {field.name: value})


def _text(_: fields.String) -> Write:
    return lambda value: value if isinstance(value, str) else str(value)


def _truth(_: fields.Boolean) -> Write:
    return bool


def _nested(field: fields.Nested) -> Write:
    schema: Any = field.schema
    dump: Write = schema.dump
    return dump


def _list(field: fields.List[Any]) -> Write:
    write = _writer(field.inner)
    return lambda values: [None if value is None else write(value) for value in values]


def _dict(field: fields.Dict) -> Write:
    kinds = {type(field.key_field), type(field.value_field)}
    return dict if kinds == {fields.String} else _by_marshmallow(field)


_MADE: dict[type[Any], Callable[[Any], Write]] = {
    fields.String: _text,
    fields.Boolean: _truth,
    fields.Nested: _nested,
    fields.List: _list,
    fields.Dict: _dict,
}
