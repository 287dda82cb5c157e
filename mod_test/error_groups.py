"""The test errors of a run, counted by what they have in common."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, or_, select

from database import db
from mod_regression.models import Category, RegressionTest, test_categories
from mod_test.error_rows import (
    ErrorFilter,
    entries_of,
    is_record_of,
    occurred_at,
    when_unknown,
)
from mod_test.errors_of_tests import ErrorType, Severity
from mod_test.models import ResultRecord
from mod_test.run_rows import RunRow

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


def buckets(
    run: RunRow, by: Grouping, wanted: ErrorFilter, *, limit: int, offset: int
) -> tuple[list[Bucket], int]:
    """A page of groups of the errors that are `wanted`, the largest first, and how many groups
    there are; in three statements. A test of several categories counts in the lowest one's."""
    keyed = _keyed(run, by, wanted).subquery("keyed")
    grouped = (
        select(
            keyed.c.key,
            func.count().label("errors"),
            func.max(keyed.c.killed).label("killed"),
            func.count(keyed.c.occurred_at).label("dated"),
            func.min(keyed.c.occurred_at).label("first"),
            func.max(keyed.c.occurred_at).label("last"),
        )
        .group_by(keyed.c.key)
        .order_by(func.count().desc(), keyed.c.key)
    )
    total = db.session.execute(
        select(func.count()).select_from(grouped.order_by(None).subquery("grouped"))
    ).scalar_one()
    rows = db.session.execute(grouped.limit(limit).offset(offset)).all()
    samples = _samples(keyed, [row.key for row in rows])
    return [_bucket(row, run, samples.get(row.key, [])) for row in rows], total


def _keyed(run: RunRow, by: Grouping, wanted: ErrorFilter) -> Select[Any]:
    """Every wanted error with its `key`: `sample_id`, `occurred_at` and `killed` (0 or 1)."""
    entries = entries_of(run.run_id).subquery("entries")
    killed = entries.c.type == ErrorType.test_failure.value
    keys: dict[Grouping, Any] = {
        Grouping.type: entries.c.type,
        Grouping.sample_id: RegressionTest.sample_id,
        Grouping.regression_id: entries.c.regression_id,
        Grouping.category: Category.name,
        Grouping.severity: case((killed, Severity.critical.value), else_=Severity.error.value),
    }
    statement = (
        select(
            keys[by].label("key"),
            RegressionTest.sample_id.label("sample_id"),
            occurred_at().label("occurred_at"),
            case((killed, 1), else_=0).label("killed"),
        )
        .select_from(entries)
        .join(RegressionTest, RegressionTest.id == entries.c.regression_id)
        .outerjoin(ResultRecord, is_record_of(run.run_id, entries.c.regression_id))
        .where(*wanted.conditions(entries, run.run_id))
    )
    if by is Grouping.category:
        of_tests = test_categories.c
        lowest = (
            select(of_tests.regression_id, func.min(of_tests.category_id).label("category_id"))
            .group_by(of_tests.regression_id)
            .subquery("lowest")
        )
        statement = statement.outerjoin(
            lowest, lowest.c.regression_id == entries.c.regression_id
        ).outerjoin(Category, Category.id == lowest.c.category_id)
    return statement


def _samples(keyed: Any, keys: Sequence[Any]) -> dict[Any, list[int]]:
    """The media samples of each group, at most 1,000 each, in order."""
    named = [key for key in keys if key is not None]
    is_asked = keyed.c.key.in_(named)
    if len(named) < len(keys):
        is_asked = or_(is_asked, keyed.c.key.is_(None))
    distinct = (
        select(keyed.c.key, keyed.c.sample_id)
        .where(keyed.c.sample_id.is_not(None), is_asked)
        .distinct()
        .subquery("distinct_samples")
    )
    ranked = select(
        distinct.c.key,
        distinct.c.sample_id,
        func.row_number()
        .over(partition_by=distinct.c.key, order_by=distinct.c.sample_id)
        .label("place"),
    ).subquery("ranked")
    found: dict[Any, list[int]] = {}
    rows = db.session.execute(
        select(ranked.c.key, ranked.c.sample_id)
        .where(ranked.c.place <= MOST_SAMPLES)
        .order_by(ranked.c.sample_id)
    ).tuples()
    for key, sample_id in rows:
        found.setdefault(key, []).append(sample_id)
    return found


def _bucket(row: Any, run: RunRow, sample_ids: list[int]) -> Bucket:
    moments = [row.first, row.last] if row.dated else []
    if row.dated < row.errors:
        moments.append(when_unknown(run))
    return Bucket(
        key="none" if row.key is None else str(row.key),
        count=row.errors,
        severity=Severity.critical if row.killed else Severity.error,
        sample_ids=sample_ids,
        first_seen_at=min(moments),
        last_seen_at=max(moments),
    )
