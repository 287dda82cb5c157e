"""Every operation of a storage is counted and timed, whoever asks for it."""

import functools
from collections.abc import Callable
from time import perf_counter
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import metrics
from mod_sample.storage.errors import StorageUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class Named(Protocol):
    """A storage."""

    name: str


N = TypeVar("N", bound=Named)


def measured(
    operation: str,
) -> Callable[[Callable[Concatenate[N, P], T]], Callable[Concatenate[N, P], T]]:
    """Measure a storage's method as `operation`.

    It fails when the storage does not answer, or not with what it was given; that it has no such
    file is an answer.
    """

    def decorate(method: Callable[Concatenate[N, P], T]) -> Callable[Concatenate[N, P], T]:
        @functools.wraps(method)
        def measuring(storage: N, /, *args: P.args, **options: P.kwargs) -> T:
            failed = False
            began = perf_counter()
            try:
                return method(storage, *args, **options)
            except StorageUnavailable:
                failed = True
                raise
            finally:
                metrics.storage_done(storage.name, operation, perf_counter() - began, failed=failed)

        return measuring

    return decorate
