"""The command line, `flask --app run ...`: its commands, and how they fail.

A command is imported when it is run. One that fails prints one sentence and ends with status 1.
"""

import errno
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from weakref import WeakSet

import click
from flask import Flask
from flask.cli import AppGroup, FlaskGroup
from sqlalchemy.exc import SQLAlchemyError

from config import SettingsError
from database import TableHeldError, code_and_message, migrating
from errors import DomainError
from mod_sample.storage import StorageError

COMMANDS = {
    "accounts": "mod_auth.commands:accounts",
    "check": "mod_api.commands:check",
    "demo": "demo.commands:demo",
    "jobs": "mod_api.job_commands:jobs",
    "logs": "mod_api.log_commands:logs",
    "outbox": "mod_api.outbox_commands:outbox",
    "queue": "mod_ci.commands:queue",
    "repository": "mod_ci.commands:repository",
    "rollup": "mod_api.rollup_commands:rollup",
}
# Alembic's, by Flask-Migrate.
MIGRATIONS = "db"
EXPECTED = (DomainError, OSError, SettingsError, SQLAlchemyError, StorageError, TableHeldError)
NO_RIGHT = (1044, 1142, 1143, 1227, 1370, 1419)
NO_TABLE = (1054, 1146)

_guarded: WeakSet[click.Command] = WeakSet()


def needs_routes() -> bool:
    """Tell whether the application that is being created has to answer requests.

    A command of ours does not: Flask creates the application to look the command up. Its own
    commands (`run`, `routes`, `shell`) create it when they have begun.
    """
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.command, FlaskGroup):
        return True
    return context.parent is not None


@contextmanager
def one_sentence() -> Iterator[None]:
    """On the command line, turn an expected failure into one sentence and exit status 1."""
    try:
        yield
    except EXPECTED as error:
        is_closed_pipe = isinstance(error, OSError) and error.errno == errno.EPIPE
        if is_closed_pipe or click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(" ".join(_sentence(error).split())) from None


class Commands(AppGroup):
    """The commands of an application."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app.name)
        self._app = app

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, MIGRATIONS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == MIGRATIONS:
            migrating.install(self._app)
        elif cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), name), cmd_name)
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            _guard(found)
        return found


def _guard(command: click.Command) -> None:
    """Let a command, or each of a group, fail in one sentence."""
    if command in _guarded:
        return
    _guarded.add(command)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _guard(each)
    elif command.callback is not None:
        command.callback = _in_one_sentence(command.callback)


def _in_one_sentence(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def guarded(*arguments: Any, **options: Any) -> Any:
        with one_sentence():
            return callback(*arguments, **options)

    return guarded


def _sentence(error: Exception) -> str:
    if isinstance(error, SQLAlchemyError):
        return _sentence_of_database(error)
    if isinstance(error, DomainError):
        fields = error.details.get("fields")
        if isinstance(fields, dict):
            return "; ".join(f"{name}: {message}" for name, message in fields.items())
        return "".join(char if char.isprintable() else "?" for char in error.message)
    return str(error)


def _sentence_of_database(error: SQLAlchemyError) -> str:
    code, message = code_and_message(error)
    if code in NO_RIGHT:
        return (
            f"The account of the database lacks a right: {message}. "
            "docs/operating.md lists the rights that it needs."
        )
    if code in NO_TABLE or message.startswith(("no such table", "no such column")):
        return f"{message}. Upgrade the database first: flask --app run db upgrade."
    return f"The database does not do this: {message}."
