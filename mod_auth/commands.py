"""`flask accounts ...`: accounts and tokens from the command line.

Whoever may run these may read the database itself; what is done here has no account behind it.
"""

import sys

import click
from flask import current_app
from flask.cli import AppGroup

from config import Settings
from database import reading, writing
from errors import NotFound
from mod_auth import accounts as services
from mod_auth import tokens
from mod_auth.accounts import Account
from mod_auth.models import Role
from mod_auth.scopes import Scope

accounts = AppGroup("accounts", help="Accounts, their roles and their tokens.")


@accounts.command("create")
@click.argument("email")
@click.option("--name", required=True, help="Shown with what the account does; unique.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.user.value,
    show_default=True,
)
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
def create(email: str, name: str, role: str, password_stdin: bool) -> None:
    """Make an account. The password is asked for, twice, or read with --password-stdin."""
    password = _password(from_stdin=password_stdin)
    settings: Settings = current_app.extensions["settings"]
    hashed = services.hash_for(name, email, password, rounds=settings.password_rounds)
    with writing():
        made = services.create(name, email, hashed, Role(role))
    click.echo(f"Account {made.id} made: {made.email}, {made.role}.")


@accounts.command("list")
def list_all() -> None:
    """List every account."""
    with reading():
        found = services.list_accounts()
    rows = [("ID", "EMAIL", "NAME", "ROLE", "GITHUB", "STATE")]
    rows += [
        (
            str(one.id),
            _printable(one.email),
            _printable(one.name),
            one.role.value,
            _printable(one.github_login or "-"),
            "disabled" if one.is_disabled else "active",
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


@accounts.command("set-role")
@click.argument("email")
@click.argument("role", type=click.Choice([role.value for role in Role]))
def set_role(email: str, role: str) -> None:
    """Give an account another role; its tokens have it at once."""
    with writing():
        changed = services.set_role(_existing(email), Role(role))
    click.echo(f"{_printable(changed.email)} is {changed.role} now.")


@accounts.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Let neither the password nor any token of an account open anything."""
    with writing():
        changed = services.disable(_existing(email))
    click.echo(f"{_printable(changed.email)} is disabled now.")


@accounts.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Undo `disable`."""
    with writing():
        changed = services.enable(_existing(email))
    click.echo(f"{_printable(changed.email)} is active now.")


@accounts.command("token")
@click.argument("email")
@click.option("--name", required=True, help="Unique among the account's live tokens.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="May be given several times.",
)
@click.option("--days", type=click.IntRange(1, tokens.MAX_DAYS), default=30, show_default=True)
def token(email: str, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Make a token and print it, this once, on standard output."""
    with writing():
        made = tokens.issue(
            _existing(email), name, [Scope(scope) for scope in scopes], days, on_command_line=True
        )
    click.echo(
        f"Token {made.token.id} made, valid until {made.token.expires_at:%Y-%m-%d %H:%M} UTC. "
        "It is not shown again:",
        err=True,
    )
    click.echo(made.text)


def _existing(email: str) -> Account:
    account = services.find(email)
    if account is None:
        raise NotFound("account", email)
    return account


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.ClickException("No terminal to ask for the password: use --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _printable(text: str) -> str:
    """`text` without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
