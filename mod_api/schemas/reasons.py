"""Reasons that a person gives for a decision, told apart from text that only fills the field."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

LEAST_REASON = 10
MOST_REASON = 500
# A reason made of these words alone, and of numbers, says nothing.
WORDS = """
    placeholder dummy todo tbd tba fixme na none null nil nothing test testing tests tested
    asdf asdfasdf asdfgh asdfghjkl qwerty qwertz qwertyuiop qwertzuiop abcdefghij abcdefghijkl
    lorem ipsum dolor sit amet consectetur adipiscing elit foo bar baz blah xxx xyz abc hello world
    text string reason no my the a some here goes your enter insert write please fill later
"""
PLACEHOLDERS = frozenset(WORDS.split())
REFUSAL = "This is a placeholder, not a reason: say why the new output is right."


class Reason(fields.String):
    """A reason of 10 to 500 characters, kept without white space around it."""

    def __init__(self, **options: Any) -> None:
        bounds = validate.Length(min=LEAST_REASON, max=MOST_REASON)
        super().__init__(validate=[bounds, refuse_placeholder], **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> str:
        return str(super()._deserialize(value, attr, data, **options)).strip()


def refuse_placeholder(reason: str) -> None:
    """Raises ValidationError for one character or word repeated, and for placeholders.

    Case, punctuation, width and the spaces between words make no difference.
    """
    text = unicodedata.normalize("NFKC", reason).casefold()
    words = [word for token in text.split() if (word := re.sub(r"[\W_]+", "", token))]
    letters = "".join(words)
    # A text that is found within its own double, before its end, is one part repeated.
    is_repeated = len(set(letters)) < 2 or letters in (letters + letters)[1:-1]
    telling = [word for word in words if word not in PLACEHOLDERS and not word.isnumeric()]
    if not telling or is_repeated:
        raise ValidationError(REFUSAL)
