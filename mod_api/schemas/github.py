"""Connecting an account with a GitHub user."""

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, TruncatedString, text

CODE, STATE, WORDS = 200, 1000, 500


class GitHubStartSchema(Schema):
    authorize_url = fields.String(
        required=True,
        metadata={
            "format": "uri",
            "description": "Open this in a browser within ten minutes; GitHub sends it back to "
            "/auth/github/callback",
        },
    )
    github_login = TruncatedString(
        100, allow_none=True, metadata={"description": "Whom the account is connected with now"}
    )


class GitHubCallbackQuery(Schema):
    """What GitHub sends along: a code and the state, or why there is none."""

    code = text(CODE, least=1)
    state = text(STATE)
    error = text(100)
    error_description = text(WORDS)
    error_uri = text(WORDS)
    iss = text(WORDS, metadata={"description": "Who answers (RFC 9207)"})

    @validates_schema
    def need_an_answer(self, data: dict[str, Any], **_: Any) -> None:
        if "error" not in data:
            missing = [name for name in ("code", "state") if name not in data]
            if missing:
                raise ValidationError({name: ["Is what GitHub sends along."] for name in missing})


class GitHubAnswerSchema(Schema):
    code = text(CODE, required=True)
    state = text(STATE, required=True)
    message = fields.String(required=True)


class GitHubConnectRequestSchema(Schema):
    code = text(CODE, least=1, required=True)
    state = text(STATE, least=1, required=True)


class GitHubConnectionSchema(Schema):
    github_login = TruncatedString(100, required=True)
    github_id = Number(least=1, required=True)
