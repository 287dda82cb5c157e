"""`flask accounts ...`, through its command line."""

import re

import pytest
from click.testing import Result
from flask import Flask
from passlib.hash import sha512_crypt

from database import reading
from mod_auth import passwords, tokens
from mod_auth.models import Role
from mod_auth.scopes import Scope
from tests import factories
from tests.raw import Raw


def run(app: Flask, *arguments: str, stdin: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=["accounts", *arguments], input=stdin)


def made(app: Flask, email: str = "ann@example.org", role: str = "user") -> Result:
    return run(
        app,
        *("create", email, "--name", "Ann", "--role", role, "--password-stdin"),
        stdin="long enough\n",
    )


def test_an_account_is_created_with_a_password_from_stdin(app: Flask, raw: Raw) -> None:
    result = made(app, role="tester")

    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(r"Account \d+ made: ann@example\.org, tester\.\n", result.stdout)
    ((name, email, role, stored),) = raw.execute("SELECT name, email, role, password FROM user")
    assert (name, email, role) == ("Ann", "ann@example.org", "tester")
    assert sha512_crypt.verify("long enough", stored)


def test_nobody_waits_while_the_password_of_a_new_account_is_hashed(
    app: Flask, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = factories.account()
    raw.execute("PRAGMA busy_timeout = 0" if raw.is_sqlite else "SET innodb_lock_wait_timeout = 1")
    real, written = passwords.hash_password, []

    def meanwhile(text: str, rounds: int) -> str:
        written.append(raw.execute("UPDATE user SET role = 'tester' WHERE id = ?", [other.id]))
        return real(text, rounds)

    monkeypatch.setattr(passwords, "hash_password", meanwhile)

    assert made(app).exit_code == 0
    assert len(written) == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (("create", "x", "--name", "X", "--password-stdin"), "long enough\n", "email: Not a valid"),
        (
            ("create", "x@e.org", "--name", "X", "--password-stdin"),
            "short\n",
            "password: Must be 8",
        ),
        (("create", "x@e.org", "--name", "X", "--password-stdin"), "", "password: Must be 8"),
        (("create", "x@e.org", "--name", "X"), "long enough\n", "--password-stdin"),
        (("set-role", "no@e.org", "admin"), None, "Account no@e.org not found."),
        (("disable", "no@e.org"), None, "Account no@e.org not found."),
        (("enable", "no@e.org"), None, "Account no@e.org not found."),
        (("token", "no@e.org", "--name", "t", "--scope", "runs:read"), None, "not found"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_stderr(
    app: Flask, raw: Raw, arguments: tuple[str, ...], stdin: str | None, told: str
) -> None:
    result = run(app, *arguments, stdin=stdin)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert raw.execute("SELECT count(*) FROM user") == [(0,)]


def test_a_second_account_of_one_address_is_refused(app: Flask, raw: Raw) -> None:
    made(app)
    result = made(app, "ANN@example.org")

    assert result.exit_code == 1
    assert "There is an account with this e-mail address." in result.stderr
    assert raw.execute("SELECT count(*) FROM user") == [(1,)]


def test_the_list_shows_every_account_and_obeys_no_terminal_code(app: Flask, raw: Raw) -> None:
    ann = factories.account(Role.admin, name="Ann", github_login="annlee")
    bob = factories.account(Role.user, name="Bob")
    raw.execute("UPDATE user SET name = ? WHERE id = ?", ["Bob\x1b[2J", bob.id])
    run(app, "disable", bob.email)

    result = run(app, "list")

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["ID", "EMAIL", "NAME", "ROLE", "GITHUB", "STATE"],
        [str(ann.id), ann.email, "Ann", "admin", "annlee", "active"],
        [str(bob.id), bob.email, "Bob?[2J", "user", "-", "disabled"],
    ]


def test_roles_and_states_are_changed_and_the_log_says_it_was_the_command_line(
    app: Flask, raw: Raw
) -> None:
    mine = factories.account(Role.user)

    results = [
        run(app, "set-role", mine.email.upper(), "contributor"),
        run(app, "disable", mine.email),
        run(app, "enable", mine.email),
    ]

    assert [(one.exit_code, one.stdout) for one in results] == [
        (0, f"{mine.email} is contributor now.\n"),
        (0, f"{mine.email} is disabled now.\n"),
        (0, f"{mine.email} is active now.\n"),
    ]
    assert raw.execute("SELECT role FROM user") == [("contributor",)]
    assert raw.execute("SELECT account_id, action FROM audit_event ORDER BY id") == [
        (None, "account.role_changed"),
        (None, "account.disabled"),
        (None, "account.enabled"),
    ]


def test_a_token_is_printed_once_and_alone_on_stdout(app: Flask, raw: Raw) -> None:
    mine = factories.account(Role.user)

    result = run(
        app,
        *("token", mine.email, "--name", "runner-1", "--days", "365"),
        *("--scope", "runs:execute", "--scope", "runs:read"),
    )

    assert result.exit_code == 0
    assert re.fullmatch(r"spci_[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stdout.strip() not in result.stderr
    with app.app_context(), reading():
        caller = tokens.authenticate(result.stdout.strip())
    assert caller
    assert (caller.account.id, caller.token_name) == (mine.id, "runner-1")
    assert caller.scopes == {Scope.RUNS_EXECUTE, Scope.RUNS_READ}
    assert raw.execute("SELECT account_id, action FROM audit_event") == [(None, "token.created")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("set-role", "ann@example.org", "emperor"),
        ("token", "ann@example.org", "--name", "t", "--scope", "moon:land"),
        ("token", "ann@example.org", "--name", "t"),
        ("token", "ann@example.org", "--name", "t", "--scope", "runs:read", "--days", "0"),
    ],
)
def test_an_argument_that_cannot_be_is_a_usage_error(
    sqlite_app: Flask, raw: Raw, arguments: tuple[str, ...]
) -> None:
    made(sqlite_app)

    assert run(sqlite_app, *arguments).exit_code == 2
    assert raw.execute("SELECT count(*) FROM api_token") == [(0,)]


def test_without_tables_it_says_what_to_do(tmp_path, make_app) -> None:
    app = make_app(database_url=f"sqlite:///{tmp_path / 'empty.sqlite'}")

    result = run(app, "list")

    assert result.exit_code == 1
    assert "db upgrade" in result.stderr
    assert result.stderr.count("\n") == 1
