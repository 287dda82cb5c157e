"""Tokens: made, recognized, taken back."""

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from database import db, reading, writing
from errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Unauthorized
from mod_auth import accounts, tokens
from mod_auth.accounts import Account
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_auth.tokens import Caller, Issued
from tests import factories
from tests.raw import Raw
from tests.sql import counted

READ = [Scope.RUNS_READ, Scope.RESULTS_READ]
EXECUTE = Scope.RUNS_EXECUTE


def issue(
    owner: factories.AccountRow,
    name: str = "bot",
    scopes: list[Scope] = READ,
    days: int = 30,
    on_command_line: bool = False,
) -> Issued:
    with writing():
        account = accounts.get(owner.id)
        return tokens.issue(account, name, scopes, days, on_command_line=on_command_line)


def caller_of(text: str) -> Caller | None:
    with reading():
        return tokens.authenticate(text)


def test_a_new_token_is_what_the_existing_site_would_have_made(app: Flask, raw: Raw) -> None:
    mine = factories.account()

    with app.app_context():
        made = issue(mine, days=90)

    assert re.fullmatch(r"spci_[A-Za-z0-9_-]{43}", made.text)
    ((owner, name, digest, prefix, scopes, created, expires, revoked),) = raw.execute(
        "SELECT user_id, token_name, token_hash, token_prefix, scopes_json, created_at, "
        "expires_at, revoked_at FROM api_token"
    )
    assert (owner, name, digest) == (mine.id, "bot", factories.digest(made.text))
    assert (prefix, json.loads(scopes), revoked) == (
        made.text[:16],
        ["results:read", "runs:read"],
        None,
    )
    if raw.is_sqlite:
        created, expires = (datetime.fromisoformat(text) for text in (created, expires))
    assert expires - created == timedelta(days=90)
    assert made.token.expires_at == expires.replace(tzinfo=UTC)


def test_a_token_opens_what_it_was_given(app: Flask) -> None:
    mine = factories.account(Role.tester, github_login="ann", github_id=7)

    with app.app_context():
        made = issue(mine)
        caller = caller_of(made.text)

    assert caller == Caller(
        account=Account(mine.id, mine.name, mine.email, Role.tester, "ann", 7),
        token_id=made.token.id,
        token_name="bot",
        scopes=frozenset(READ),
        expires_at=made.token.expires_at,
        digest=tokens.digest_of(made.text),
    )


def test_a_token_is_recognized_by_one_statement(app: Flask) -> None:
    text = factories.token_for(factories.account(), "runs:read")

    with counted(app) as statements, app.app_context(), reading():
        assert tokens.authenticate(text)

    assert len([one for one in statements if "api_token" in one]) == 1
    assert len([one for one in statements if one.startswith("SELECT")]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spci_",
        "spci_" + "a" * 42,
        "spci_" + "a" * 44,
        "spci_" + "a" * 43,
        "spci_" + "a" * 43 + "\n",
        "spci_" + "ä" * 43,
        "spci_" + "a" * 42 + "\0",
        "spca_" + "a" * 43,
        "SPCI_" + "a" * 43,
        "x" * 100_000,
    ],
)
def test_a_text_that_is_no_token_opens_nothing(app: Flask, text: str) -> None:
    factories.token_for(factories.account(), "runs:read")

    with app.app_context():
        assert caller_of(text) is None


def test_tokens_that_begin_alike_are_told_apart(app: Flask, raw: Raw) -> None:
    first = factories.account()
    second = factories.account()
    texts = [factories.token_for(owner, "runs:read") for owner in (first, second)]
    alike = texts[0][:16] + texts[1][16:]
    raw.execute(
        "UPDATE api_token SET token_prefix = ?, token_hash = ? WHERE user_id = ?",
        [alike[:16], factories.digest(alike), second.id],
    )
    raw.execute(
        "INSERT INTO api_token (user_id, token_name, token_hash, token_prefix, scopes_json, "
        "created_at, expires_at) VALUES (?, 'odd', 'größer', ?, '[]', '2026-01-01 00:00:00', "
        "'2999-01-01 00:00:00')",
        [first.id, alike[:16]],
    )

    with app.app_context():
        callers = [caller_of(text) for text in (texts[0], alike, alike[:-1] + "!")]
        assert caller_of(texts[0].swapcase().replace("SPCI_", "spci_")) is None

    assert [caller and caller.account.id for caller in callers] == [first.id, second.id, None]


def test_expired_revoked_and_disabled_open_nothing(app: Flask) -> None:
    mine = factories.account()
    off = factories.account(disabled_at=datetime(2026, 1, 1, tzinfo=UTC))
    past = datetime.now(UTC) - timedelta(days=2)

    with app.app_context():
        for text in (
            factories.token_for(mine, "runs:read", expires_at=past),
            factories.token_for(mine, "runs:read", revoked_at=past),
            factories.token_for(off, "runs:read"),
        ):
            assert caller_of(text) is None
        assert caller_of(factories.token_for(mine, "runs:read"))


def test_disabling_and_a_lower_role_count_for_tokens_at_once(app: Flask) -> None:
    mine = factories.account(Role.admin)
    text = factories.token_for(mine, "runs:write")

    with app.app_context():
        before = caller_of(text)
        with writing():
            accounts.set_role(accounts.get(mine.id), Role.user)
        lowered = caller_of(text)
        with writing():
            accounts.disable(accounts.get(mine.id))
        disabled = caller_of(text)
        with writing():
            accounts.enable(accounts.get(mine.id))
        enabled = caller_of(text)

    assert before
    assert before.account.is_admin
    assert lowered
    assert lowered.account.role is Role.user
    assert disabled is None
    assert enabled


@pytest.mark.parametrize(
    ("stored", "granted"),
    [
        ('["runs:read", "moon:land", 7, null, "RUNS:WRITE"]', {Scope.RUNS_READ}),
        ('"runs:read"', set()),
        ('{"runs:read": true}', set()),
        ("runs:read", set()),
        ("", set()),
        ("[" * 60_000, set()),
        ('["runs:read"', set()),
    ],
)
def test_stored_scopes_that_are_unknown_or_malformed_grant_nothing(
    app: Flask, raw: Raw, stored: str, granted: set[Scope]
) -> None:
    text = factories.token_for(factories.account(Role.admin), "runs:read")
    raw.execute("UPDATE api_token SET scopes_json = ?", [stored])

    with app.app_context():
        caller = caller_of(text)

    assert caller
    assert caller.scopes == granted
    assert raw.execute("SELECT scopes_json FROM api_token") == [(stored,)]


def test_a_live_tokens_name_is_taken_and_a_dead_ones_is_free(app: Flask, raw: Raw) -> None:
    mine, other = factories.account(), factories.account()
    name = "n" * 50

    with app.app_context():
        first = issue(mine, name)
        for taken in (name, name.upper()):
            with pytest.raises(Conflict) as caught:
                issue(mine, taken)
            assert caught.value.code == "token_name_taken"
        issue(other, name)
        with writing():
            tokens.revoke(accounts.get(mine.id), first.token.id)
        second = issue(mine, name)
        raw.execute(
            "UPDATE api_token SET expires_at = '2026-01-01 00:00:00' WHERE id = ?",
            [second.token.id],
        )
        third = issue(mine, name)

        assert caller_of(first.text) is None
        assert caller_of(second.text) is None
        assert caller_of(third.text)
        with reading():
            account = accounts.get(mine.id)
            listed = tokens.list_tokens(account)
            assert tokens.count_tokens(account) == 3
            assert [one.id for one in tokens.list_tokens(account, limit=1, offset=1)] == [
                second.token.id
            ]
    assert [one.id for one in listed] == [third.token.id, second.token.id, first.token.id]
    assert listed[0].name == name
    assert all(len(stored) <= 50 for (stored,) in raw.execute("SELECT token_name FROM api_token"))


def test_a_short_name_is_shown_as_it_was_after_it_was_given_up(app: Flask) -> None:
    mine = factories.account()

    with app.app_context():
        first = issue(mine)
        with writing():
            tokens.revoke(accounts.get(mine.id), first.token.id)
        issue(mine)
        with reading():
            assert [one.name for one in tokens.list_tokens(accounts.get(mine.id))] == ["bot", "bot"]


def test_of_many_who_ask_for_one_name_at_once_one_gets_it(app: Flask, raw: Raw) -> None:
    mine = factories.account()
    outcomes: list[str] = []
    together = threading.Barrier(4)

    def attempt() -> None:
        with app.app_context():
            together.wait()
            try:
                issue(mine)
                outcomes.append("made")
            except DomainError as error:
                outcomes.append(error.code)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["made"] + ["token_name_taken"] * 3
    assert raw.execute("SELECT count(*) FROM api_token") == [(1,)]


def test_a_name_taken_after_it_was_looked_up_is_a_conflict(
    app: Flask, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = factories.account()
    real: Callable[[int], str] = tokens.secrets.token_urlsafe

    def meanwhile(length: int) -> str:
        # The existing site knows no lock of ours; here its row comes by our own connection, since
        # another one would wait for the row that is held.
        db.session.execute(
            text(
                "INSERT INTO api_token (user_id, token_name, token_hash, token_prefix, "
                "scopes_json, created_at, expires_at) "
                "VALUES (:owner, 'bot', '', '', '[]', '2026-01-01', '2999-01-01')"
            ),
            {"owner": mine.id},
        )
        return real(length)

    monkeypatch.setattr(tokens.secrets, "token_urlsafe", meanwhile)
    with app.app_context(), pytest.raises(Conflict) as caught:
        issue(mine)

    assert caught.value.code == "token_name_taken"
    assert raw.execute("SELECT count(*) FROM api_token") == [(0,)]


@pytest.mark.parametrize("name", ["", "a b", "x" * 51, "ä", "bot\n", "a~1"])
def test_a_name_that_cannot_be_is_refused(app: Flask, name: str) -> None:
    mine = factories.account()

    with app.app_context(), pytest.raises(Invalid) as caught:
        issue(mine, name)

    assert list(caught.value.details["fields"]) == ["token_name"]


def test_an_account_disabled_after_its_sign_in_gets_no_token(app: Flask, raw: Raw) -> None:
    mine = factories.account()

    with app.app_context():
        with reading():
            signed_in = accounts.get(mine.id)
        with writing():
            accounts.disable(signed_in)
        with pytest.raises(Unauthorized), writing():
            tokens.issue(signed_in, "bot", READ, 30)

    assert raw.execute("SELECT count(*) FROM api_token") == [(0,)]


@pytest.mark.parametrize("role", [Role.user, Role.tester, Role.contributor])
def test_runs_execute_is_not_for_who_is_no_admin(app: Flask, raw: Raw, role: Role) -> None:
    mine = factories.account(role)

    with app.app_context(), pytest.raises(Forbidden) as caught:
        issue(mine, scopes=[Scope.RUNS_READ, EXECUTE])

    assert caught.value.details["required_roles"] == ["admin"]
    assert raw.execute("SELECT count(*) FROM api_token") == [(0,)]


def test_an_admins_runs_execute_goes_and_comes_back_with_the_role(app: Flask, raw: Raw) -> None:
    mine = factories.account(Role.admin)

    with app.app_context():
        made = [
            issue(mine, "own", [EXECUTE]),
            issue(mine, "shell", [EXECUTE], on_command_line=True),
        ]
        for role, granted in (("admin", {EXECUTE}), ("tester", set()), ("admin", {EXECUTE})):
            # whoever changes the role, the existing site too
            raw.execute("UPDATE user SET role = ? WHERE id = ?", [role, mine.id])
            for one in made:
                caller = caller_of(one.text)
                assert caller
                assert caller.scopes == granted


def test_runs_execute_from_the_command_line_stays_with_its_token(app: Flask) -> None:
    mine = factories.account(Role.user)

    with app.app_context():
        given = issue(mine, "runner", [EXECUTE], on_command_line=True)
        other = factories.token_for(mine, "runs:execute")  # written by somebody else
        caller, stranger = caller_of(given.text), caller_of(other)
        with writing():
            tokens.revoke(accounts.get(mine.id), given.token.id)
        revoked = caller_of(given.text)

    assert caller
    assert caller.scopes == {EXECUTE}
    assert stranger
    assert stranger.scopes == set()
    assert revoked is None


def test_only_ones_own_token_can_be_revoked(app: Flask) -> None:
    mine, other = factories.account(), factories.account()

    with app.app_context():
        theirs = issue(other)
        with reading():
            me = accounts.get(mine.id)
        for token_id in (theirs.token.id, 424242):
            with pytest.raises(NotFound), writing():
                tokens.revoke(me, token_id)
        assert caller_of(theirs.text)


def test_a_token_is_revoked_once_and_the_log_says_by_whom(app: Flask, raw: Raw) -> None:
    mine = factories.account()

    with app.app_context():
        made = issue(mine)
        for _ in range(2):
            with writing():
                tokens.revoke(accounts.get(mine.id), made.token.id)
        assert caller_of(made.text) is None

    assert raw.execute("SELECT account_id, action, subject_id FROM audit_event ORDER BY id") == [
        (mine.id, "token.created", made.token.id),
        (mine.id, "token.revoked", made.token.id),
    ]


def test_no_secret_of_a_token_is_in_the_audit_log(app: Flask, raw: Raw) -> None:
    mine = factories.account()

    with app.app_context():
        made = issue(mine)

    log = str(raw.execute("SELECT * FROM audit_event"))
    assert "token.created" in log
    assert made.text not in log
    assert made.text[5:16] not in log
    assert factories.digest(made.text) not in log
