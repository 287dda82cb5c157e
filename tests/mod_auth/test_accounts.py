"""What an administrator changes about accounts."""

import json
import threading

import pytest
from flask import Flask

from database import reading, writing
from errors import Conflict, DomainError, Invalid, NotFound
from mod_auth import accounts
from mod_auth.accounts import Account
from mod_auth.models import Role
from mod_auth.sign_in import sign_in
from tests import factories
from tests.raw import Raw


def create(name: str, email: str, password: str = "long enough", role: Role = Role.user) -> Account:
    hashed = accounts.hash_for(name, email, password, rounds=1000)
    with writing():
        return accounts.create(name, email, hashed, role)


def test_a_new_account_can_sign_in_and_is_found_without_case(app: Flask) -> None:
    with app.app_context():
        made = create("Ann", "Ann@example.org", role=Role.admin)

        with reading():
            assert accounts.find("aNN@EXAMPLE.org") == made
            assert accounts.get(made.id) == made
            assert accounts.find("bob@example.org") is None
        assert sign_in("ann@example.org", "long enough", rounds=1000) == made
        assert made.is_admin


def test_a_new_account_is_in_the_audit_log_without_its_password(app: Flask, raw: Raw) -> None:
    with app.app_context():
        made = create("Ann", "ann@example.org")

    assert raw.execute(
        "SELECT account_id, action, subject_type, subject_id, details FROM audit_event"
    ) == [(None, "account.created", "account", made.id, '{"role": "user"}')]


@pytest.mark.parametrize(
    ("name", "email", "code"),
    [
        ("Other", "ANN@example.org", "email_taken"),
        ("aNN", "other@example.org", "name_taken"),
    ],
)
def test_a_taken_address_or_name_is_a_conflict(
    app: Flask, raw: Raw, name: str, email: str, code: str
) -> None:
    with app.app_context():
        create("Ann", "ann@example.org")

        with pytest.raises(Conflict) as caught:
            create(name, email)

    assert caught.value.code == code
    assert raw.execute("SELECT count(*) FROM user") == [(1,)]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", {"email": "no-at-sign"}),
        ("email", {"email": "a@b@c"}),
        ("email", {"email": "a b@example.org"}),
        ("email", {"email": "x" * 250 + "@e.org"}),
        ("email", {"email": "a@\ud800"}),
        ("name", {"name": " "}),
        ("name", {"name": "x" * 51}),
        ("name", {"name": "a\x1b[2Jb"}),
        ("password", {"password": "short"}),
        ("password", {"password": "x" * 129}),
        ("password", {"password": "nul\0in the middle"}),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    app: Flask, raw: Raw, field: str, values: dict[str, str]
) -> None:
    given = {"name": "Ann", "email": "ann@example.org", "password": "long enough", **values}

    with app.app_context(), pytest.raises(Invalid) as caught:
        create(**given)

    assert list(caught.value.details["fields"]) == [field]
    assert raw.execute("SELECT count(*) FROM user") == [(0,)]


def test_of_two_who_create_the_same_account_at_once_one_wins(app: Flask, raw: Raw) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def attempt() -> None:
        with app.app_context():
            together.wait()
            try:
                create("Ann", "ann@example.org")
                outcomes.append("made")
            except DomainError as error:
                outcomes.append(str(error.status))

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["409", "made"]
    assert raw.execute("SELECT count(*) FROM user") == [(1,)]


def test_a_role_is_changed_and_who_did_it_is_written_down(app: Flask, raw: Raw) -> None:
    mine = factories.account(Role.tester)
    boss = factories.account(Role.admin)

    with app.app_context(), writing():
        changed = accounts.set_role(
            accounts.get(mine.id), Role.contributor, by=accounts.get(boss.id)
        )

    assert changed.role is Role.contributor
    assert raw.execute("SELECT role FROM user WHERE id = ?", [mine.id]) == [("contributor",)]
    ((by, name, action, subject, details),) = raw.execute(
        "SELECT account_id, account_name, action, subject_id, details FROM audit_event"
    )
    assert (by, name, action, subject) == (boss.id, boss.name, "account.role_changed", mine.id)
    assert json.loads(details) == {"before": "tester", "after": "contributor"}


def test_disabling_and_enabling_twice_changes_and_records_it_once(app: Flask, raw: Raw) -> None:
    mine = factories.account()

    with app.app_context():
        for change, is_disabled in (
            (accounts.disable, True),
            (accounts.disable, True),
            (accounts.enable, False),
            (accounts.enable, False),
        ):
            with writing():
                assert change(accounts.get(mine.id)).is_disabled is is_disabled

    assert raw.execute("SELECT action FROM audit_event ORDER BY id") == [
        ("account.disabled",),
        ("account.enabled",),
    ]


def test_a_disabled_account_keeps_its_github_id(app: Flask, raw: Raw) -> None:
    mine = factories.account(github_id=9_999_999_999)

    with app.app_context(), writing():
        accounts.disable(accounts.get(mine.id))

    assert raw.execute(
        "SELECT github_id, disabled_at IS NOT NULL FROM account_record WHERE user_id = ?", [mine.id]
    ) == [(9_999_999_999, 1)]


def test_an_account_that_is_gone_is_not_found(app: Flask) -> None:
    gone = Account(id=424242, name="", email="", role=Role.user)

    with app.app_context():
        for change in (
            lambda: accounts.get(gone.id),
            lambda: accounts.set_role(gone, Role.admin),
            lambda: accounts.disable(gone),
            lambda: accounts.enable(gone),
        ):
            with pytest.raises(NotFound), writing():
                change()


def test_a_role_nobody_knows_opens_no_more_than_the_least(app: Flask, raw: Raw) -> None:
    odd, none = factories.account(), factories.account(None)
    raw.execute("UPDATE user SET role = 'emperor' WHERE id = ?", [odd.id])

    with app.app_context(), reading():
        assert [one.role for one in accounts.list_accounts()] == [Role.user, Role.user]
        assert accounts.get(none.id).role is Role.user
