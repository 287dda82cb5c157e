"""A per-process LRU cache of database values."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)


class Newest(Generic[Key, T]):
    """The values that were used last, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> T | None:
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def keep(self, key: Key, value: T) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def drop(self, key: Key) -> None:
        with self._lock:
            self._values.pop(key, None)


class OfDatabases(Generic[Key, T]):
    """Such values of each database that this process uses."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: WeakKeyDictionary[Engine, Newest[Key, T]] = WeakKeyDictionary()

    def of(self, engine: Engine) -> Newest[Key, T]:
        known = self._known.get(engine)
        return self._known.setdefault(engine, Newest(self._most)) if known is None else known

    def clear(self) -> None:
        self._known.clear()
