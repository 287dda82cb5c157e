"""The test errors of a run, counted by what they have in common."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mod_test.errors_of_tests import Severity, TestError

MOST_SAMPLES = 1000


class Grouping(enum.StrEnum):
    """What errors are counted by."""

    type = "type"
    sample_id = "sample_id"
    regression_id = "regression_id"
    category = "category"
    severity = "severity"


@dataclass(frozen=True)
class Bucket:
    """Errors with the same key, and what they have in common."""

    key: str
    count: int
    severity: Severity
    sample_ids: list[int]
    first_seen_at: datetime
    last_seen_at: datetime


def buckets(errors: Sequence[TestError], by: Grouping) -> list[Bucket]:
    """The groups of these errors, the largest first, those of a size by their keys. A test of
    several categories counts in the lowest one's, one of none in `none`, which comes first."""
    key_of = _KEYS[by]
    groups: dict[Any, list[TestError]] = {}
    for error in errors:
        groups.setdefault(key_of(error), []).append(error)
    in_order = sorted(
        groups.items(), key=lambda group: (-len(group[1]), group[0] is not None, group[0])
    )
    return [_bucket(key, group) for key, group in in_order]


_KEYS: dict[Grouping, Callable[[TestError], Any]] = {
    Grouping.type: lambda error: error.type.value,
    Grouping.sample_id: lambda error: error.sample_id,
    Grouping.regression_id: lambda error: error.regression_id,
    Grouping.category: lambda error: error.category,
    Grouping.severity: lambda error: error.severity.value,
}


def _bucket(key: Any, errors: Sequence[TestError]) -> Bucket:
    samples = {error.sample_id for error in errors if error.sample_id is not None}
    moments = [error.occurred_at for error in errors]
    is_critical = any(error.severity is Severity.critical for error in errors)
    return Bucket(
        key="none" if key is None else str(key),
        count=len(errors),
        severity=Severity.critical if is_critical else Severity.error,
        sample_ids=sorted(samples)[:MOST_SAMPLES],
        first_seen_at=min(moments),
        last_seen_at=max(moments),
    )
