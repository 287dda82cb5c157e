"""Requests in turn over kept connections, and what they took."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection

WARM_UP = 5
LEAST_ROUNDS = 3


class WrongAnswer(Exception):
    """A request was not answered with success; the message names it."""


@dataclass
class Asked:
    """A request that is repeated, on a connection of its own; `took` is in ms."""

    connection: HTTPConnection
    url: str
    headers: Mapping[str, str]
    took: list[float] = field(default_factory=list)
    body: bytes = b""

    def once(self) -> float:
        """Ask; the ms it took until the last byte was there. Raises WrongAnswer.

        A connection that the server has closed, since nothing was asked for 15 s, is opened anew.
        """
        try:
            return self._once()
        except ConnectionError:
            self.connection.close()
            return self._once()

    def _once(self) -> float:
        began = time.perf_counter()
        self.connection.request("GET", self.url, headers=dict(self.headers))
        response = self.connection.getresponse()
        self.body = response.read()
        took = (time.perf_counter() - began) * 1000
        if response.status not in (200, 204):
            raise WrongAnswer(f"{self.url}: {response.status} {self.body[:500]!r}")
        return took

    @property
    def median(self) -> float:
        return statistics.median(self.took)

    @property
    def p95(self) -> float:
        return percentile(self.took, 0.95)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def in_turn(asked: Sequence[Asked], rounds: int, seconds: float) -> None:
    """Repeat all requests, one after the other in each round, so that what disturbs disturbs all.

    At most `rounds` and about `seconds`, but at least three rounds where so many were asked for.
    """
    for each in asked:
        took = each.once() / 1000
        for _ in range(0 if took > seconds / 10 else min(WARM_UP, rounds)):
            each.once()
    until = time.perf_counter() + seconds
    for done in range(rounds):
        if done >= LEAST_ROUNDS and time.perf_counter() > until:
            return
        for each in asked:
            each.took.append(each.once())
