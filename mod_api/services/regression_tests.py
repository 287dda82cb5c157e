"""The catalogue: regression tests as they are defined today, with what they should produce."""

import functools
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select

from database import exact, fetch_values
from errors import NotFound, Unavailable
from mod_api.services import links
from mod_api.services.outputs.downloads import FileAccess, file_url
from mod_api.services.outputs.embedded_content import inline
from mod_api.services.outputs.file_names import content_type_of, filename_of, hash_of, output_key
from mod_api.services.paging import Page, page
from mod_regression.definitions import DefinedOutput, Definition
from mod_regression.models import Category, RegressionTest, test_categories
from mod_sample.storage import Located, StorageStatus
from mod_sample.tags import has_tag
from mod_test import catalogue
from mod_test.rollup.settle import settled_reading
from mod_test.sets import is_active
from mod_test.verdict import has_sample

MOST_OUTPUTS = 20
MOST_TAGS = 50
CONTENT_WITHIN_S = 1.5
NOWHERE = Located(StorageStatus.MISSING, None, (), known=True, etag=None)

File = dict[str, Any]


@dataclass(frozen=True)
class CatalogueFilter:
    """Which regression tests are meant; None filters nothing."""

    active: bool | None = None
    category: str | None = None
    tag: str | None = None
    sample_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        found: dict[str, Any] = {}
        if self.active is not None:
            found["of_active" if self.active else "of_inactive"] = True
        asked = {"category": self.category, "tag": self.tag, "sample_id": self.sample_id}
        return found | {f"of_{name}": value for name, value in asked.items() if value is not None}


def list_regression_tests(
    wanted: CatalogueFilter, *, limit: int, offset: int, shelf: FileAccess
) -> Page[dict[str, Any]]:
    """One page of regression tests by their ids, with the exact number of all that match, and
    where their expected outputs are, but not what is in them.

    A regression test without a sample is left out.
    """
    with settled_reading():
        ids = catalogue.remembered(("tests", wanted), lambda: _ids(wanted), is_asked=True)
        shown = ids[offset : offset + limit]
        known = catalogue.definitions(shown)
    tests = [known[regression_id] for regression_id in shown]
    where = shelf.repository.locate(_keys(tests))
    rows = [_shown(test, where, shelf) for test in tests]
    return page(rows, total=len(ids), limit=limit, offset=offset)


def get_regression_test(regression_id: int, *, as_text: bool, shelf: FileAccess) -> dict[str, Any]:
    """One regression test with the content of its expected outputs.

    What is not read within a second and a half comes without its content. Raises NotFound.
    """
    with settled_reading():
        test = catalogue.definitions([regression_id]).get(regression_id)
    if test is None or test.sample_id is None:
        raise NotFound("regression_test", regression_id)
    where = shelf.repository.locate(_keys([test]))
    shown = _shown(test, where, shelf)
    until = time.monotonic() + CONTENT_WITHIN_S
    for output, file in zip(test.outputs, shown["expected_outputs"], strict=False):
        if file["download_url"] is not None and time.monotonic() < until:
            file.update(_content(output, as_text=as_text, shelf=shelf))
    return shown


def _ids(wanted: CatalogueFilter) -> tuple[int, ...]:
    """The tests that are meant, by id."""
    params = wanted.params
    return tuple(fetch_values(_meant(frozenset(params)), params))


@functools.cache
def _meant(given: frozenset[str]) -> Select[Any]:
    """The regression tests that have a sample, where these names are among the parameters."""
    conditions: dict[str, Callable[[], ColumnElement[bool]]] = {
        "of_active": is_active,
        "of_inactive": lambda: ~is_active(),
        "of_category": lambda: _has_category(bindparam("of_category")),
        "of_tag": lambda: has_tag(RegressionTest.sample_id, bindparam("of_tag")),
        "of_sample_id": lambda: RegressionTest.sample_id == bindparam("of_sample_id"),
    }
    meant = (conditions[name]() for name in sorted(given))
    return select(RegressionTest.id).where(has_sample(), *meant).order_by(RegressionTest.id)


def _has_category(name: Any) -> ColumnElement[bool]:
    """Return whether a `RegressionTest` is in a category of exactly this name, among others."""
    return RegressionTest.id.in_(
        select(test_categories.c.regression_id)
        .join(Category, Category.id == test_categories.c.category_id)
        .where(
            test_categories.c.regression_id.is_not(None),
            Category.name == name,
            exact(Category.name) == exact(name),
        )
    )


def _keys(tests: Collection[Definition]) -> list[str]:
    keys = [
        output_key(output.correct, output.extension)
        for test in tests
        for output in test.outputs[:MOST_OUTPUTS]
    ]
    return [key for key in keys if key is not None]


def _shown(test: Definition, where: dict[str, Located], shelf: FileAccess) -> dict[str, Any]:
    categories = test.categories
    shown = {
        "regression_id": test.regression_id,
        "sample_id": test.sample_id,
        "command": test.command,
        "description": test.description,
        "active": test.active,
        "categories": categories,
        "tags": test.sample.tags[:MOST_TAGS] if test.sample else (),
        "input_type": test.input_type,
        "output_type": test.output_type,
        "expected_exit_code": test.expected_rc or 0,
        "expected_rc": test.expected_rc,
        "sample_name": test.sample.name if test.sample else None,
        "expected_outputs": [
            _file(test, output, where, shelf) for output in test.outputs[:MOST_OUTPUTS]
        ],
        "links": links.of_regression_test(test.regression_id, test.sample_id or 0, shelf.base),
    }
    return shown | ({"category": categories[0]} if categories else {})


def _file(
    test: Definition, output: DefinedOutput, where: dict[str, Located], shelf: FileAccess
) -> File:
    key = output_key(output.correct, output.extension)
    found = where.get(key, NOWHERE) if key else NOWHERE
    filename = filename_of(output.expected_filename, output.extension)
    file = {
        "run_id": None,
        "sample_id": test.sample_id,
        "regression_id": test.regression_id,
        "output_id": output.output_id,
        "filename": filename,
        "content_type": content_type_of(filename),
        "encoding": "base64",
        "content": "",
        "truncated": True,
        "size_bytes": found.size,
        "storage_status": found.storage_status.value,
        "download_url": file_url(shelf, key, found, filename),
        "ignored": output.ignored,
        "accepted_variants": [known for known in map(hash_of, output.variants) if known],
    }
    sha256 = hash_of(output.correct)
    return file | ({"sha256": sha256} if sha256 else {})


def _content(output: DefinedOutput, *, as_text: bool, shelf: FileAccess) -> File:
    """The content of an output's baseline; nothing where the storage does not give it now."""
    try:
        found = inline(
            shelf,
            output_key(output.correct, output.extension),
            filename_of(output.expected_filename, output.extension),
            as_text=as_text,
            missing=NotFound("file", output.output_id),
        )
    except NotFound:  # removed after it was found
        return {"storage_status": "missing", "size_bytes": None, "download_url": None}
    except Unavailable:
        return {}
    return {
        "encoding": found.encoding,
        "content": found.content,
        "truncated": found.truncated,
        "size_bytes": found.size_bytes,
        "storage_status": found.storage_status,
        "download_url": found.download_url,
    }
