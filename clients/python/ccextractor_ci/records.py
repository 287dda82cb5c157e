"""What the models are made of: an answer's JSON object, read by attributes."""

from datetime import datetime
from typing import Any, ClassVar


class Record:
    """One JSON object of an answer.

    Its fields are attributes; `raw` is the object itself. A field that the answer leaves out is
    None, one that a newer server adds is an attribute, too, as plain JSON. Objects within are
    records, and times datetimes in UTC.
    """

    __slots__ = ("raw",)
    _records: ClassVar[dict[str, type["Record"]]] = {}
    _times: ClassVar[frozenset[str]] = frozenset()
    _fields: ClassVar[frozenset[str]] = frozenset()

    raw: dict[str, Any]

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def __getattr__(self, name: str) -> Any:
        if name not in self.raw:
            if name in self._fields:
                return None
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        value = self.raw[name]
        if value is None:
            return None
        if name in self._times:
            return datetime.fromisoformat(value)
        kind = self._records.get(name)
        if kind is None:
            return value
        return [kind(item) for item in value] if isinstance(value, list) else kind(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"
