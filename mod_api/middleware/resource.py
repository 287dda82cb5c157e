"""The blueprint that every resource uses: strict input, one unit of work, documented errors.

What is declared is documented by flask-smorest, from the same schemas. What a request passes is
ours: a view with eight declarations would otherwise be called through as many wrappers.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

import orjson
from flask import Response, current_app, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Blueprint

from database import written
from mod_api.middleware import parsing, rollups
from mod_api.middleware.parsing import StrictParser
from mod_api.schemas.errors import ErrorResponseSchema
from mod_test.rollup.settle import settled_reading

P = ParamSpec("P")
T = TypeVar("T")
View = Callable[..., Any]
Decorator = Callable[[View], View]
READS = ("GET", "HEAD")
ETAG = {
    "ETag": {
        "description": "Names exactly this answer; weak where it is compressed",
        "schema": {"type": "string"},
    }
}
UNCHANGED = "If-None-Match names the answer of this moment"


class JsonAnswers(DefaultJSONProvider):
    """Writes answers as the standard library would, without escaping other alphabets."""

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """Return the response with a view's answer."""
        answer = self._prepare_response_obj(args, kwargs)
        try:
            body = orjson.dumps(answer, default=self.default, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # keys that are numbers, half a surrogate pair
            return super().response(answer)
        return Response(body, mimetype=self.mimetype)


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
            options["headers"] = {**ETAG, **options.get("headers", {})}
        instance = schema() if isinstance(schema, type) else schema
        document = super().response(status_code, instance, **options)
        unchanged = self.alt_response(304, description=UNCHANGED)

        def declare(view: View) -> View:
            @functools.wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Response:
                found = in_unit_of_work(view, *args, **kwargs) if unit else view(*args, **kwargs)
                response = _answer(found, status_code, instance)
                return tagged(response) if etag else response

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

    def codes(self, codes: Mapping[int, str]) -> Decorator:
        """Document error codes by status, several in one text, beyond the one that stands for a
        status everywhere (`mod_api.document.ERRORS`)."""
        told = {str(status): words.split() for status, words in codes.items()}
        document: Decorator = self.doc(**{"x-error-codes": told})
        return lambda view: _documented(document, view)


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


def in_unit_of_work(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do `work` as one transaction: GET reads one snapshot, everything else writes and commits."""
    if request.method not in READS:
        return written(functools.partial(work, *args, **kwargs))
    with settled_reading() as marks_wait:
        found = work(*args, **kwargs)
    if marks_wait:
        rollups.settle_after_this_request()
    return found


def tag_of(body: bytes) -> str:
    """Return the tag of a body."""
    return hashlib.sha256(body).hexdigest()[:32]


def tagged(
    response: Response, tag: str | None = None, *, cache_control: str = "private, no-cache"
) -> Response:
    """Return the response with its tag, or 304 where the client has it already.

    A strong tag names exactly one answer, byte by byte; a compressed answer has a weak one. An
    approval changes how old runs read, and other programs write behind our back: nothing short of
    reading the rows can say that an answer is still the same. A match saves sending it.
    """
    tag = tag or tag_of(response.get_data())
    given = request.if_none_match
    if "If-None-Match" in request.headers and given.contains_weak(tag):
        response = Response(status=304)
        response.set_etag(tag, weak=not given.contains(tag))
    else:
        response.set_etag(tag, weak="Content-Encoding" in response.headers)
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = cache_control
    return response
