"""The tags of samples."""

import functools
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from database import exact, fetch
from database.spans import among, is_among
from mod_sample.models import Tag, sample_tags


def has_tag(sample_id: Any, name: Any) -> ColumnElement[bool]:
    """Return whether a sample has exactly this tag."""
    found: ColumnElement[bool] = sample_id.in_(
        select(sample_tags.c.sample_id)
        .join(Tag, Tag.id == sample_tags.c.tag_id)
        .where(Tag.name == name, exact(Tag.name) == exact(name))
    )
    return found


def tags_of(sample_ids: Collection[int]) -> dict[int, list[str]]:
    """The tags of each of these samples that has some, by id, in one statement."""
    found: dict[int, list[str]] = {}
    if sample_ids:
        shape, params = among("samples", sample_ids)
        for sample_id, name, _ in sorted(fetch(_tags(shape), params), key=lambda row: row.place):
            found.setdefault(sample_id, []).append(name)
    return found


@functools.cache
def _tags(shape: int) -> Select[Any]:
    return (
        select(sample_tags.c.sample_id, Tag.name, Tag.id.label("place"))
        .join(Tag, Tag.id == sample_tags.c.tag_id)
        .where(is_among(sample_tags.c.sample_id, "samples", shape))
    )
