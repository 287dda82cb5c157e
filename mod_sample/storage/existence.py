"""What this process remembers of the bucket's files, so as not to ask for each again."""

import threading
import time
from collections import OrderedDict

from mod_sample.storage.backend import Stat
from mod_sample.storage.keys import content_hash


class Existence:
    """A bounded memory: the least recently used file is forgotten first.

    Only files whose name tells their content are remembered, since they never change:
    one that was there for `present_s` seconds, one that was missing for `absent_s`.
    """

    def __init__(
        self, capacity: int = 65_536, present_s: float = 600.0, absent_s: float = 2.0
    ) -> None:
        self._capacity = capacity
        self._present_s = present_s
        self._absent_s = absent_s
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Stat | None]] = OrderedDict()

    def recall(self, keys: list[str]) -> dict[str, Stat | None]:
        """Those of `keys` that are remembered; None for one that was missing just now."""
        now = time.monotonic()
        recalled: dict[str, Stat | None] = {}
        with self._lock:
            for key in keys:
                expires, stat = self._known.get(key, (now, None))
                if expires > now:
                    self._known.move_to_end(key)
                    recalled[key] = stat
        return recalled

    def learn(self, key: str, stat: Stat | None) -> None:
        """Remember what the bucket said just now."""
        if content_hash(key) is None:
            return
        expires = time.monotonic() + (self._absent_s if stat is None else self._present_s)
        with self._lock:
            self._known[key] = (expires, stat)
            self._known.move_to_end(key)
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)

    def forget(self, key: str) -> None:
        """The file may have come or gone."""
        with self._lock:
            self._known.pop(key, None)
