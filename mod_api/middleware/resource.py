"""The blueprint that every resource uses: strict input, one unit of work, documented errors."""

import functools
from collections.abc import Callable
from typing import Any

from flask import request
from flask_smorest import Blueprint

from database import written
from mod_api.middleware import etags, rollups
from mod_api.middleware.parsing import StrictParser
from mod_api.schemas.errors import ErrorResponseSchema
from mod_test.rollup.settle import settled_reading

Decorator = Callable[..., Any]


class Resource(Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A flask-smorest blueprint in the house's way (decisions 1 and 7)."""

    ARGUMENTS_PARSER = StrictParser()

    def response(
        self,
        status_code: int,
        schema: Any = None,
        *,
        unit: bool = True,
        etag: bool = False,
        **options: Any,
    ) -> Callable[..., Any]:
        """Declare the answer, and make the view one unit of work that ends before it is dumped.

        `unit=False`: the service works in several units of its own, or in none. `etag=True`: the
        answer has a strong tag, and 304 is answered where the client has it already.
        """
        if etag:
            options["headers"] = {**etags.HEADER, **options.get("headers", {})}
        decorate = super().response(status_code, schema, **options)
        unchanged = self.alt_response(304, description=etags.UNCHANGED)

        def wrap(view: Callable[..., Any]) -> Any:
            worked = unit_of_work(view) if unit else view
            return unchanged(decorate(etags.tagged(worked))) if etag else decorate(worked)

        return wrap

    def body(self, schema: Any, *, required: bool = True) -> Callable[..., Any]:
        """Declare a JSON body; an optional one that is absent reads as an empty object."""
        instance = schema() if isinstance(schema, type) else schema
        instance.context_required = required
        decorate: Decorator = self.arguments(instance, location="json", required=required)
        return lambda view: decorate(self.fails(400, 413, 415)(view))

    def query(self, schema: Any) -> Callable[..., Any]:
        """Declare query parameters, handed to the view as keyword arguments."""
        decorate: Decorator = self.arguments(schema, location="query", as_kwargs=True)
        return decorate

    def fails(self, *statuses: int) -> Callable[..., Any]:
        """Document error responses in the contract's shape."""

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            for status in statuses:
                view = self.alt_response(status, schema=ErrorResponseSchema, success=False)(view)
            return view

        return decorate


def unit_of_work(view: Callable[..., Any]) -> Callable[..., Any]:
    """Run a view as one transaction: GET reads one snapshot, everything else writes and commits."""

    @functools.wraps(view)
    def worked(*args: Any, **kwargs: Any) -> Any:
        if request.method in ("GET", "HEAD"):
            with settled_reading() as marks_wait:
                answer = view(*args, **kwargs)
            if marks_wait:
                rollups.settle_after_this_request()
            return answer
        return written(lambda: view(*args, **kwargs))

    return worked
