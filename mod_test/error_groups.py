"""The test errors of a run, counted by what they have in common."""

import enum
import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Select, Subquery, and_, bindparam, case, func, or_, select, true

from database import fetch, fetch_value
from mod_regression.models import Category, RegressionTest, test_categories
from mod_test.error_rows import (
    ErrorFilter,
    conditions,
    entries_of,
    is_record_of,
    occurred_at,
    params_of,
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
    there are; in two statements, of an empty page in three. A test of several categories counts
    in the lowest one's."""
    params = params_of(run, wanted)
    counting, listing, naming = _statements(
        by, frozenset(wanted.params), is_kept=run.set_id is not None
    )
    page = {**params, "page_limit": limit, "page_offset": offset}
    rows = fetch(listing, page)
    if not rows:
        return [], fetch_value(counting, params)
    named = [row.key for row in rows if row.key is not None]
    asked = {**params, "named": named or [None], "with_none": len(named) < len(rows)}
    samples: dict[Any, list[int]] = {}
    for key, sample_id in fetch(naming, asked):
        samples.setdefault(key, []).append(sample_id)
    return [_bucket(row, run, samples.get(row.key, [])) for row in rows], rows[0].groups


@functools.cache
def _statements(
    by: Grouping, given: frozenset[str], *, is_kept: bool
) -> tuple[Select[Any], Select[Any], Select[Any]]:
    """What counts the groups, lists them, and names the samples of some."""
    keyed = _keyed(by, given, is_kept=is_kept).subquery("keyed")
    grouped = (
        select(
            keyed.c.key,
            func.count().label("errors"),
            func.max(keyed.c.killed).label("killed"),
            func.count(keyed.c.occurred_at).label("dated"),
            func.min(keyed.c.occurred_at).label("first"),
            func.max(keyed.c.occurred_at).label("last"),
            func.count().over().label("groups"),
        )
        .group_by(keyed.c.key)
        .order_by(func.count().desc(), keyed.c.key)
    )
    distinct = select(keyed.c.key).group_by(keyed.c.key).subquery("grouped")
    counting = select(func.count()).select_from(distinct)
    listing = grouped.limit(bindparam("page_limit")).offset(bindparam("page_offset"))
    return counting, listing, _naming(keyed)


def _keyed(by: Grouping, given: frozenset[str], *, is_kept: bool) -> Select[Any]:
    """Every wanted error with its `key`: `sample_id`, `occurred_at` and `killed` (0 or 1)."""
    entries = entries_of(is_kept=is_kept)
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
        .outerjoin(ResultRecord, is_record_of(entries.c.regression_id))
        .where(*conditions(entries, given))
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


def _naming(keyed: Subquery) -> Select[Any]:
    """The media samples of the groups that are asked for, at most 1,000 each, in order."""
    is_asked = or_(
        keyed.c.key.in_(bindparam("named", expanding=True)),
        and_(keyed.c.key.is_(None), bindparam("with_none", type_=Boolean) == true()),
    )
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
    return (
        select(ranked.c.key, ranked.c.sample_id)
        .where(ranked.c.place <= MOST_SAMPLES)
        .order_by(ranked.c.sample_id)
    )


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
