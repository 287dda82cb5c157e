"""What the API is held against: a bare Flask route, and lists by one raw query.

`/bare` answers an object; `/reference` checks the token, sends the query and its total that
`?rows=` and `?total=` name (in `REFERENCES`), and dumps what came as JSON. It serves on loopback,
to the benchmark only.
"""

import hashlib
import json
import os
import sqlite3
import threading
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.engine import make_url

from config import Settings
from scripts.benchmarks.loading import connect_arguments
from scripts.benchmarks.references import REFERENCES

KNOWN = (
    "SELECT t.token_hash FROM api_token t JOIN `user` u ON u.id = t.user_id "
    "WHERE t.token_prefix = {} AND t.revoked_at IS NULL AND t.expires_at > CURRENT_TIMESTAMP"
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
        connection, mark = _connection(settings.database_url)
        cursor = connection.cursor()
        if not _is_known(cursor, mark):
            return {"code": "unauthorized"}, 401
        asked = REFERENCES[request.args["name"]]
        values = {name: int(value) for name, value in request.args.items() if name != "name"}
        cursor.execute(asked.rows.format(**values))
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        cursor.execute(asked.total.format(**values))
        (total,) = cursor.fetchone()
        connection.rollback()
        answer = {"data": rows, "pagination": {"total": total, "limit": values["limit"]}}
        return Response(json.dumps(answer, default=str), mimetype="application/json")

    return app


def _is_known(cursor: Any, mark: str) -> bool:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    cursor.execute(KNOWN.format(mark), (token[:16],))
    digest = hashlib.sha256(token.encode()).hexdigest()
    return any(found == digest for (found,) in cursor.fetchall())


def _connection(url: str) -> tuple[Any, str]:
    """This thread's connection, and how a value is marked in its statements."""
    if not hasattr(_of_thread, "connection"):
        parts = make_url(url)
        if parts.drivername == "sqlite":
            _of_thread.connection = sqlite3.connect(str(parts.database))
        else:
            # By the driver that the API has: the compiled one, where the address names it.
            driver = parts.get_dialect().import_dbapi()
            _of_thread.connection = driver.connect(**connect_arguments(parts))
    return _of_thread.connection, "?" if url.startswith("sqlite") else "%s"
