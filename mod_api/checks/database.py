"""The database: whether it answers, has what the migrations make, and may do what we ask of it."""

from collections.abc import Iterator

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import and_, func, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from config import ROOT
from database import Base, code_and_message, db, has_trigger
from mod_api.checks.finding import Finding, fail, ok, warn
from mod_api.middleware.run_registration import TRIGGER
from mod_auth.models import AccountRecord, Role, User
from mod_test import trigger_definers

VERSION_TABLE = "api_alembic_version"


def reachable() -> Finding:
    """Return whether it can be asked at all; nothing else is worth asking where it cannot."""
    try:
        with db.engine.connect() as connection:
            version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
            name = "SQLite" if connection.dialect.name == "sqlite" else "MariaDB or MySQL"
    except SQLAlchemyError as error:
        _, message = code_and_message(error)
        return fail("database", f"It cannot be reached: {message}")
    return ok("database", f"{name} {version} answers.")


def tables() -> Finding:
    """Return whether every table has every column that we know."""
    with db.engine.connect() as connection:
        there = inspect(connection).get_multi_columns()
    columns = {name: {column["name"] for column in found} for (_, name), found in there.items()}
    missing = []
    for table in Base.metadata.sorted_tables:
        if table.name not in columns:
            missing.append(table.name)
        else:
            lacking = {column.name for column in table.columns} - columns[table.name]
            missing += sorted(f"{table.name}.{column}" for column in lacking)
    if missing:
        return fail("tables", f"Missing: {', '.join(missing)}. Run `flask --app run db upgrade`.")
    return ok("tables", f"All {len(Base.metadata.tables)} are there.")


def revision() -> Finding:
    """Return whether the migrations have all been made."""
    script = ScriptDirectory(str(ROOT / "migrations"))
    with db.engine.connect() as connection:
        current = _current(connection)
    head = script.get_current_head()
    if current == head:
        return ok("migrations", f"The newest, {head}, has been made.")
    if current is not None and current not in {found.revision for found in script.walk_revisions()}:
        return fail(
            "migrations", f"{current} is not known here: the database is of a newer version."
        )
    return fail("migrations", f"At {current}, the newest is {head}: `flask --app run db upgrade`.")


def _current(connection: Connection) -> str | None:
    options = {"version_table": VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def stamping() -> Finding:
    """Return whether the database stamps new runs itself."""
    if has_trigger(TRIGGER):
        return ok("triggers", f"{TRIGGER} gives each new run its age.")
    return warn(
        "triggers",
        f"{TRIGGER} is not there, or this account may not see it: each request looks for new runs "
        "first. Whoever may create triggers can create it as the first migration does.",
    )


def owners() -> Iterator[Finding]:
    """Return whether our triggers act as an account that exists; where it is ours, it does."""
    with db.engine.connect() as connection:
        others = trigger_definers.others(connection)
        are_hidden = trigger_definers.are_hidden(connection)
        connection.rollback()
        problem = trigger_definers.what_fails(connection) if others or are_hidden else None
    if problem is not None:
        yield fail(
            "triggers",
            f"No program can change a run: {problem}. As an account that may create triggers: "
            "`flask --app run rollup adopt`.",
        )
    elif others:
        yield warn(
            "triggers",
            f"They act as {', '.join(others)}: before that account is dropped, `flask --app run "
            "rollup adopt` as another, or no program can change runs any more.",
        )
    elif are_hidden:
        yield ok(
            "triggers",
            "The account that they act as is not to be seen by this account, which lacks the right "
            "TRIGGER; it exists, since runs can be changed.",
        )


def admins() -> Finding:
    """Return whether anybody can administer the API."""
    count = db.session.scalar(
        select(func.count())
        .select_from(User)
        .outerjoin(AccountRecord, AccountRecord.user_id == User.id)
        .where(and_(User.role == Role.admin, AccountRecord.disabled_at.is_(None)))
    )
    if count:
        return ok("accounts", f"{count} can administer.")
    return warn(
        "accounts", "No admin: `flask --app run accounts create EMAIL --name N --role admin`."
    )


def findings() -> Iterator[Finding]:
    """All that can be said of a database that is reachable."""
    yield revision()
    complete = tables()
    yield complete
    yield stamping()
    yield from owners()
    if complete.level != "fail":
        yield admins()
