"""JSON by orjson: for a hundred rows the standard library takes as long as the database."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider


class JsonAnswers(DefaultJSONProvider):
    """Writes answers as the standard library would, without escaping other alphabets."""

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """The response that a view's answer is."""
        answer = self._prepare_response_obj(args, kwargs)
        try:
            body = orjson.dumps(answer, default=self.default, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # keys that are numbers, half a surrogate pair
            return super().response(answer)
        return Response(body, mimetype=self.mimetype)
