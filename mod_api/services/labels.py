"""Categories of regression tests and tags of samples, listed by name."""

from typing import Any

from sqlalchemy import func, select

from database import fetch, fetch_value
from mod_api.services.paging import LIMIT, OFFSET, Page, page
from mod_regression.models import Category, RegressionTest, test_categories
from mod_sample.models import Tag

_CATEGORIES = (
    select(
        Category.id,
        Category.name,
        Category.description,
        select(func.count())
        .select_from(test_categories)
        .join(RegressionTest, RegressionTest.id == test_categories.c.regression_id)
        .where(test_categories.c.category_id == Category.id)
        .scalar_subquery()
        .label("test_count"),
    )
    .order_by(Category.name, Category.id)
    .limit(LIMIT)
    .offset(OFFSET)
)
_ALL_CATEGORIES = select(func.count()).select_from(Category)
_TAGS = (
    select(Tag.id, Tag.name, func.coalesce(Tag.description, "").label("description"))
    .order_by(Tag.name, Tag.id)
    .limit(LIMIT)
    .offset(OFFSET)
)
_ALL_TAGS = select(func.count()).select_from(Tag)


def list_categories(*, limit: int, offset: int) -> Page[Any]:
    """One page of categories, each with the number of its tests, inactive ones, too."""
    rows = fetch(_CATEGORIES, {"page_limit": limit, "page_offset": offset})
    return page(list(rows), total=fetch_value(_ALL_CATEGORIES, {}), limit=limit, offset=offset)


def list_tags(*, limit: int, offset: int) -> Page[Any]:
    """One page of tags."""
    rows = fetch(_TAGS, {"page_limit": limit, "page_offset": offset})
    return page(list(rows), total=fetch_value(_ALL_TAGS, {}), limit=limit, offset=offset)
