"""Tokens: asked for with an e-mail address and a password, shown once, listed without secrets."""

from typing import Any

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    Number,
    Pattern,
    StrictBoolean,
    Timestamp,
    TruncatedString,
    Unique,
    one_of,
    text,
)
from mod_api.schemas.pages import OffsetQuery
from mod_auth.models import Role
from mod_auth.scopes import Scope

# The contract's scopes first, in its order; `tokens:manage` and `runs:execute` are ours.
SCOPES = [scope.value for scope in Scope]
ROLES = [role.value for role in Role]


def scope_list(**options: Any) -> "fields.List[Any]":
    rules = [validate.Length(max=8), Unique()]
    return fields.List(one_of(*SCOPES), validate=rules, **options)


class TokenCreateRequestSchema(Schema):
    email = fields.Email(required=True, validate=validate.Length(max=255))
    password = text(
        128,
        least=8,
        required=True,
        metadata={"format": "password", "description": "Not stored or logged."},
    )
    token_name = text(
        50,
        pattern=Pattern("^[a-zA-Z0-9_-]+$"),
        required=True,
        metadata={"description": "Unique among the account's live tokens"},
    )
    expires_in_days = Number(least=1, most=90, load_default=30)
    scopes = scope_list(
        load_default=lambda: [Scope.RUNS_READ.value, Scope.RESULTS_READ.value],
        metadata={
            "uniqueItems": True,
            "default": [Scope.RUNS_READ.value, Scope.RESULTS_READ.value],
            "description": "Grant only what the client needs. tokens:manage lists and revokes the "
            "account's tokens and connects it with GitHub; runs:execute is for runners and is "
            "given to admins only.",
        },
    )


class CallerSchema(Schema):
    user_id = Number(least=1, required=True)
    name = TruncatedString(255, required=True)
    email = TruncatedString(255, required=True)
    role = one_of(*ROLES, required=True)
    scopes = fields.List(one_of(*SCOPES), required=True, metadata={"description": "The token's"})


class AuthTokenSchema(Schema):
    token = text(512, required=True, metadata={"description": "Shown this once"})
    token_type = one_of("Bearer", required=True)
    token_name = TruncatedString(50, required=True)
    token_id = Number(least=1)
    scopes = scope_list(required=True, metadata={"uniqueItems": True})
    expires_at = Timestamp(required=True)


class TokenQuery(OffsetQuery):
    all = StrictBoolean(
        from_text=True,
        load_default=False,
        metadata={"description": "Everybody's tokens; for admins only"},
    )


class TokenSchema(Schema):
    token_id = Number(least=1, required=True)
    id = Number(least=1, required=True, metadata={"description": "The same as token_id"})
    user_id = Number(least=1, required=True, metadata={"description": "The owner's account"})
    token_name = TruncatedString(50, required=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)
    revoked_at = Timestamp(required=True, allow_none=True)
    is_revoked = fields.Boolean(required=True)
    is_current = fields.Boolean(
        required=True, metadata={"description": "The token of this request"}
    )
