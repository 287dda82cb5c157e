"""The audit log: it is read here and written by what it tells of; nothing edits it."""

from typing import Any

from mod_api.middleware.auth import requires
from mod_api.middleware.resource import Resource
from mod_api.schemas.audit import AuditEventSchema, AuditLogQuery
from mod_api.schemas.pages import page_of
from mod_api.services import audit_log
from mod_api.services.audit_log import EventFilter
from mod_auth.models import Role
from mod_auth.scopes import Scope

bp = Resource("Audit log", __name__, url_prefix="/audit-log", description="Who did what")


@bp.get("")
@requires(Scope.SYSTEM_READ, Role.admin)
@bp.query(AuditLogQuery)
@bp.response(200, page_of(AuditEventSchema))
@bp.fails(400, 401, 403, 429)
def list_audit_log(limit: int, offset: int, **wanted: Any) -> Any:
    """List who did what, the newest first: tokens, runs, baselines, roles."""
    return audit_log.list_events(EventFilter(**wanted), limit=limit, offset=offset)
