"""Webhooks and the deliveries to them."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, StrictBoolean, Timestamp, Unique, one_of, text
from mod_api.schemas.pages import KeysetQuery
from mod_outbox.models import Event, MessageState, TryOutcome

EVENTS = [Event.job_ended.value, Event.run_ended.value]
STATES = [state.value for state in MessageState]


def _events(**options: object) -> fields.List[str]:
    return fields.List(
        one_of(*EVENTS),
        validate=[validate.Length(min=1, max=len(EVENTS)), Unique()],
        metadata={
            "uniqueItems": True,
            "description": "`job.ended`: your jobs; `run.ended` (needs `runs:read`, too): the runs "
            "that you started, or with `all_runs` all",
        },
        **options,  # type: ignore[arg-type]  # a field's own options
    )


class WebhookChangeSchema(Schema):
    url = text(2000, least=8, metadata={"description": "An http or https URL"})
    description = text(200, allow_none=True)
    events = _events()
    all_runs = StrictBoolean()
    enabled = StrictBoolean()


class WebhookRequestSchema(Schema):
    url = text(2000, least=8, required=True, metadata={"description": "An http or https URL"})
    description = text(200, allow_none=True)
    events = _events(required=True)
    all_runs = StrictBoolean(load_default=False)


class WebhookSchema(Schema):
    webhook_id = Number(least=1, required=True)
    url = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    events = fields.List(one_of(*EVENTS), required=True)
    all_runs = fields.Boolean(required=True)
    enabled = fields.Boolean(required=True)
    disabled_reason = fields.String(required=True, allow_none=True)
    failing_since = Timestamp(required=True, allow_none=True)
    previous_secret_until = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "Until when the secret before the last rotation signs, too"},
    )
    created_at = Timestamp(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class WebhookWithSecretSchema(WebhookSchema):
    secret = fields.String(required=True, metadata={"description": "Shown this once"})


class DeliveryTrySchema(Schema):
    at = Timestamp(required=True)
    duration_ms = Number(least=0, required=True)
    outcome = one_of(*[outcome.value for outcome in TryOutcome], required=True)
    status = Number(required=True, allow_none=True)
    message = fields.String(required=True, allow_none=True)


class DeliverySchema(Schema):
    delivery_id = Number(least=1, required=True)
    message_id = fields.String(required=True, metadata={"description": "Its `webhook-id`"})
    event = one_of(*[event.value for event in Event], required=True)
    state = one_of(*STATES, required=True)
    why = fields.String(required=True, allow_none=True)
    tries = Number(least=0, required=True)
    created_at = Timestamp(required=True)
    next_try_at = Timestamp(required=True, allow_none=True)
    ended_at = Timestamp(required=True, allow_none=True)
    log = fields.List(
        fields.Nested(DeliveryTrySchema),
        required=True,
        metadata={"description": "The newest 20 tries, the oldest first"},
    )


class DeliveryQuery(KeysetQuery):
    state = one_of(*STATES)
