"""What the API is held against: a bare Flask route, and lists by one raw query.

`/bare` answers an object; `/reference` checks the token, sends the query that `?reference=` names
(in `REFERENCES`) and, of a list, its total, and dumps what came as JSON. It serves on loopback, to
the benchmark only.
"""

import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.engine import make_url

from bench.loading import connect_arguments
from bench.references import REFERENCES, Reference
from config import Settings

KNOWN = (
    "SELECT t.token_hash FROM api_token t JOIN `user` u ON u.id = t.user_id "
    "WHERE t.token_prefix = %(prefix)s AND t.revoked_at IS NULL "
    "AND t.expires_at > CURRENT_TIMESTAMP"
)
_of_thread = threading.local()


def create_app() -> Flask:
    """The application, on the database of the environment."""
    settings = Settings.from_environment(os.environ)
    app = Flask(__name__)
    app.extensions["settings"] = settings  # the worker asks for it

    @app.get("/bare")
    def bare() -> Any:
        return {"status": "ok"}

    @app.get("/reference")
    def reference() -> Any:
        if not hasattr(_of_thread, "connection"):
            _of_thread.connection = connected(settings.database_url)
        if not _is_known(_of_thread.connection):
            return {"code": "unauthorized"}, 401
        asked = dict(request.args)
        found = answer(_of_thread.connection, REFERENCES[asked.pop("reference")], asked)
        _of_thread.connection.rollback()
        return Response(json.dumps(found, default=str), mimetype="application/json")

    return app


def answer(connection: Any, reference: Reference, asked: Mapping[str, str]) -> dict[str, Any]:
    """The rows that a reference gives, and of a page how many there are in all."""
    values = {name: int(text) if text.isdecimal() else text for name, text in asked.items()}
    cursor = _execute(connection, reference.rows(values), values)
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if "limit" not in values:
        return {"data": rows}  # an object
    (total,) = _execute(connection, reference.total(values), values).fetchone()
    return {"data": rows, "pagination": {"total": total, "limit": values["limit"]}}


def connected(url: str) -> Any:
    """A connection on which both databases understand the same queries."""
    parts = make_url(url)
    if parts.drivername == "sqlite":
        connection = sqlite3.connect(str(parts.database))
        connection.create_function("UNIX_TIMESTAMP", 1, _seconds, deterministic=True)
        return connection
    # By the driver that the API has: the compiled one, where the address names it.
    driver = parts.get_dialect().import_dbapi()
    connection = driver.connect(**connect_arguments(parts))
    connection.cursor().execute("SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')")
    return connection


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(f"{moment}+00:00").timestamp()


def _execute(connection: Any, query: str, values: Mapping[str, object]) -> Any:
    """A cursor with what the query gives."""
    cursor = connection.cursor()
    if isinstance(connection, sqlite3.Connection):
        query = re.sub(r"%\((\w+)\)s", r":\1", query)
    cursor.execute(query, values)
    return cursor


def _is_known(connection: Any) -> bool:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    digest = hashlib.sha256(token.encode()).hexdigest()
    rows = _execute(connection, KNOWN, {"prefix": token[:16]}).fetchall()
    return any(found == digest for (found,) in rows)
