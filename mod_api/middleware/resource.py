"""The blueprint that every resource uses: strict input, one unit of work, documented errors.

What is declared is documented by flask-smorest, from the same schemas. What a request passes is
ours: a view with eight declarations would otherwise be called through as many wrappers.
"""

import functools
from collections.abc import Callable
from typing import Any, cast

from flask import Response, current_app, request
from flask_smorest import Blueprint

from database import written
from mod_api.middleware import etags, parsing, rollups
from mod_api.middleware.parsing import StrictParser
from mod_api.schemas.errors import ErrorResponseSchema
from mod_test.rollup.settle import settled_reading

View = Callable[..., Any]
Decorator = Callable[[View], View]
READS = ("GET", "HEAD")


class Resource(Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A flask-smorest blueprint in the house's way."""

    ARGUMENTS_PARSER = StrictParser()

    def response(
        self,
        status_code: int,
        schema: Any = None,
        *,
        unit: bool = True,
        etag: bool = False,
        **options: Any,
    ) -> Decorator:
        """Declare the answer, and make the view one unit of work that ends before it is dumped.

        `unit=False`: the service works in several units of its own, or in none. `etag=True`: the
        answer has a strong tag, and 304 is answered where the client has it already.
        """
        if etag:
            options["headers"] = {**etags.HEADER, **options.get("headers", {})}
        instance = schema() if isinstance(schema, type) else schema
        document = super().response(status_code, instance, **options)
        unchanged = self.alt_response(304, description=etags.UNCHANGED)

        def declare(view: View) -> View:
            work = unit_of_work(view) if unit else view

            @functools.wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Response:
                response = _answer(work(*args, **kwargs), status_code, instance)
                return etags.tagged(response) if etag else response

            documented = _documented(document, answered)
            return unchanged(documented) if etag else documented

        return declare

    def alt_response(self, *args: Any, **options: Any) -> Decorator:
        """Document another response."""
        document: Decorator = super().alt_response(*args, **options)
        return lambda view: _documented(document, view)

    def body(self, schema: Any, *, required: bool = True) -> Decorator:
        """Declare a JSON body; an optional one that is absent reads as an empty object."""
        instance = schema() if isinstance(schema, type) else schema
        document: Decorator = self.arguments(instance, location="json", required=required)

        def declare(view: View) -> View:
            @functools.wraps(view)
            def told(*args: Any, **kwargs: Any) -> Any:
                return view(*args, parsing.read_body(instance, required=required), **kwargs)

            return _documented(document, self.fails(400, 413, 415)(told))

        return declare

    def query(self, schema: Any) -> Decorator:
        """Declare query parameters, handed to the view as keyword arguments."""
        instance = schema() if isinstance(schema, type) else schema
        document: Decorator = self.arguments(instance, location="query", as_kwargs=True)
        of_nothing = parsing.read_nothing(instance)

        def declare(view: View) -> View:
            @functools.wraps(view)
            def asked(*args: Any, **kwargs: Any) -> Any:
                query = of_nothing() if not request.query_string else parsing.read_query(instance)
                return view(*args, **kwargs, **query)

            return _documented(document, asked)

        return declare

    def fails(self, *statuses: int) -> Decorator:
        """Document error responses in the contract's shape."""

        def decorate(view: View) -> View:
            for status in statuses:
                view = self.alt_response(status, schema=ErrorResponseSchema, success=False)(view)
            return view

        return decorate


def _documented(document: Decorator, view: View) -> View:
    """The view itself, with what flask-smorest notes of it by `document`."""
    view._apidoc = document(view)._apidoc  # type: ignore[attr-defined]  # where flask-smorest looks
    return view


def _answer(found: Any, status: int, schema: Any) -> Response:
    """The response that a view's answer is: with headers where it comes with some."""
    if isinstance(found, Response):
        return found
    found, headers = found if isinstance(found, tuple) else (found, {})
    if schema is None:
        return Response(status=status, headers=headers)
    response = cast("Response", current_app.json.response(schema.dump(found)))
    response.status_code = status
    response.headers.extend(headers)
    return response


def unit_of_work(view: View) -> View:
    """Run a view as one transaction: GET reads one snapshot, everything else writes and commits."""

    @functools.wraps(view)
    def worked(*args: Any, **kwargs: Any) -> Any:
        if request.method in READS:
            with settled_reading() as marks_wait:
                answer = view(*args, **kwargs)
            if marks_wait:
                rollups.settle_after_this_request()
            return answer
        return written(lambda: view(*args, **kwargs))

    return worked
