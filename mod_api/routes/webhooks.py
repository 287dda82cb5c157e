"""Webhooks: addresses of an account's that are told when its jobs and runs end."""

from typing import Any

from flask import Response

from mod_api import application
from mod_api.application import base_url
from mod_api.middleware.auth import current_account, current_caller, requires
from mod_api.middleware.page_request import window
from mod_api.middleware.resource import Resource
from mod_api.schemas.pages import KeysetPaginationSchema, OffsetQuery, page_of
from mod_api.schemas.webhooks import (
    DeliveryQuery,
    DeliverySchema,
    WebhookChangeSchema,
    WebhookRequestSchema,
    WebhookSchema,
    WebhookWithSecretSchema,
)
from mod_api.services.webhooks import deliveries, webhooks
from mod_auth.scopes import Scope

bp = Resource("Webhooks", __name__, url_prefix="/webhooks", description="Told when things end")


@bp.post("")
@requires(Scope.JOBS_WRITE)
@bp.body(WebhookRequestSchema)
@bp.response(201, WebhookWithSecretSchema)
@bp.fails(400, 401, 403, 409, 415, 422, 429)
@bp.codes({409: "too_many_webhooks", 422: "address_refused"})
def create_webhook(body: dict[str, Any]) -> Any:
    """Create a webhook. Its secret is shown this once (docs/webhooks.md)."""
    return webhooks.create(current_caller(), application.settings(), base=base_url(), **body)


@bp.get("")
@requires(Scope.JOBS_WRITE)
@bp.query(OffsetQuery)
@bp.response(200, page_of(WebhookSchema))
@bp.fails(400, 401, 403, 429)
def list_webhooks(limit: int, offset: int) -> Any:
    """List your webhooks, the newest first."""
    return webhooks.list_webhooks(current_account(), limit=limit, offset=offset, base=base_url())


@bp.get("/<id:webhook_id>")
@requires(Scope.JOBS_WRITE)
@bp.response(200, WebhookSchema)
@bp.fails(400, 401, 403, 404, 429)
def get_webhook(webhook_id: int) -> Any:
    """Get one of your webhooks."""
    return webhooks.get(webhook_id, current_account(), base=base_url())


@bp.patch("/<id:webhook_id>")
@requires(Scope.JOBS_WRITE)
@bp.body(WebhookChangeSchema)
@bp.response(200, WebhookSchema)
@bp.fails(400, 401, 403, 404, 415, 422, 429)
@bp.codes({422: "address_refused"})
def change_webhook(body: dict[str, Any], webhook_id: int) -> Any:
    """Change a webhook, or switch it on or off; off, it loses the messages that wait for it."""
    return webhooks.change(
        webhook_id, current_caller(), application.settings(), base=base_url(), **body
    )


@bp.delete("/<id:webhook_id>")
@requires(Scope.JOBS_WRITE)
@bp.response(204, description="Webhook removed")
@bp.fails(400, 401, 403, 404, 429)
def remove_webhook(webhook_id: int) -> Any:
    """Remove a webhook, with its deliveries."""
    webhooks.remove(webhook_id, current_account())
    return Response(status=204)


@bp.post("/<id:webhook_id>/rotate-secret")
@requires(Scope.JOBS_WRITE)
@bp.response(200, WebhookWithSecretSchema)
@bp.fails(400, 401, 403, 404, 429)
def rotate_webhook_secret(webhook_id: int) -> Any:
    """Give a webhook a new secret, shown this once; the old one signs, too, for 24 hours."""
    return webhooks.rotate_secret(
        webhook_id, current_account(), application.settings(), base=base_url()
    )


@bp.post("/<id:webhook_id>/test")
@requires(Scope.JOBS_WRITE)
@bp.response(202, DeliverySchema)
@bp.fails(400, 401, 403, 404, 409, 429)
@bp.codes({409: "webhook_off"})
def test_webhook(webhook_id: int) -> Any:
    """Send a webhook a message of type `webhook.test`."""
    return deliveries.send_test(webhook_id, current_account())


@bp.get("/<id:webhook_id>/deliveries")
@requires(Scope.JOBS_WRITE)
@bp.query(DeliveryQuery)
@bp.response(200, page_of(DeliverySchema, KeysetPaginationSchema))
@bp.fails(400, 401, 403, 404, 429)
def list_webhook_deliveries(
    webhook_id: int, limit: int, offset: int, cursor: str | None = None, state: str | None = None
) -> Any:
    """List the messages to a webhook with their tries, the newest first."""
    return deliveries.list_deliveries(
        webhook_id, current_account(), state=state, window=window(limit, offset, cursor)
    )


@bp.post("/<id:webhook_id>/deliveries/<id:delivery_id>/replay")
@requires(Scope.JOBS_WRITE)
@bp.response(202, DeliverySchema)
@bp.fails(400, 401, 403, 404, 409, 429)
@bp.codes({409: "still_waiting webhook_off"})
def replay_webhook_delivery(webhook_id: int, delivery_id: int) -> Any:
    """Deliver a message again that was delivered or given up, with the same `webhook-id`."""
    return deliveries.replay(webhook_id, delivery_id, current_account())
