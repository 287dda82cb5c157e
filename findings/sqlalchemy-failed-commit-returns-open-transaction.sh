#!/usr/bin/env bash
# Guess: when COMMIT fails, SQLAlchemy's pool still ends the transaction (its default is to reset
#   a returned connection by ROLLBACK), so the next user of the connection starts clean.
# What happens: after a failed Connection.commit() the transaction counts as closed, and closing the
#   connection skips both the rollback and the pool's reset. The database's transaction stays open on
#   the pooled connection, and the next user reads its uncommitted rows.
# Version: SQLAlchemy 2.0.58 with Python's sqlite3 (a deferred foreign key makes COMMIT fail; SQLite
#   keeps the transaction open then, as it documents).
# Documented: the reset on return is documented without this exception.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check SQLAlchemy==2.0.58
"$folder/venv/bin/python" - "$folder/test.db" <<'PYTHON'
import sys
from sqlalchemy import create_engine, event, exc, text

engine = create_engine(f"sqlite:///{sys.argv[1]}", pool_size=1, max_overflow=0)

@event.listens_for(engine, "connect")
def connected(connection, record):
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")

@event.listens_for(engine, "begin")
def begun(connection):
    if not connection.connection.driver_connection.in_transaction:
        connection.exec_driver_sql("BEGIN")

with engine.begin() as connection:
    connection.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
    connection.execute(text(
        "CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
    ))

failed = False
with engine.connect() as connection:
    connection.execute(text("INSERT INTO child VALUES (1)"))
    try:
        connection.commit()
    except exc.IntegrityError as error:
        failed = True
        print("COMMIT failed:", error.orig)

with engine.connect() as connection:
    is_open = connection.connection.driver_connection.in_transaction
    rows = connection.execute(text("SELECT count(*) FROM child")).scalar()
    print("The pool's next user: transaction open:", is_open, "- uncommitted rows seen:", rows)

sys.exit(0 if failed and is_open and rows == 1 else "SQLAlchemy behaves otherwise now")
PYTHON
