"""Who may do what."""

import pytest
from flask import Flask

from database import reading
from errors import Forbidden
from mod_auth import permissions
from mod_auth.accounts import Account
from mod_auth.models import Role
from mod_auth.scopes import Scope
from tests.raw import Raw

MAIN = "CCExtractor/ccextractor"
ALLOWED = ("Friends/captions",)


def account(role: Role, account_id: int = 1, login: str | None = "Ann", **more: int) -> Account:
    return Account(account_id, "ann", "ann@example.org", role, login, **more)


def may_start(who: Account, repository: str) -> bool:
    return permissions.may_start(
        who, repository, main_repository=MAIN, allowed_repositories=ALLOWED
    )


@pytest.mark.parametrize(
    ("repository", "trusted", "user"),
    [
        ("CCExtractor/ccextractor", True, False),
        ("ccextractor/CCEXTRACTOR", True, False),
        ("friends/captions", True, False),
        ("ann/ccextractor", True, True),
        ("ANN/CCExtractor", True, True),
        ("ann/captions", False, False),
        ("bob/ccextractor", False, False),
        ("ann", False, False),
        ("/ccextractor", False, False),
        ("ann/ccextractor/more", False, False),
        ("", False, False),
    ],
)
def test_who_may_start_a_run_of_what(repository: str, trusted: bool, user: bool) -> None:
    for role in (Role.admin, Role.tester, Role.contributor):
        assert may_start(account(role), repository) is trusted
    assert may_start(account(Role.user), repository) is user


@pytest.mark.parametrize("login", [None, ""])
def test_without_a_github_login_no_fork_is_ones_own(login: str | None) -> None:
    assert not may_start(account(Role.admin, login=login), "/ccextractor")
    assert not may_start(account(Role.user, login=login), "ann/ccextractor")


def test_a_run_is_changed_by_who_started_it_and_by_who_is_trusted() -> None:
    assert permissions.may_change_run(account(Role.user), starter_id=1)
    assert not permissions.may_change_run(account(Role.user), starter_id=2)
    assert not permissions.may_change_run(account(Role.user), starter_id=None)
    for role in (Role.admin, Role.tester, Role.contributor):
        assert permissions.may_change_run(account(role), starter_id=None)


def test_a_retry_needs_somebody_who_could_start_the_repository() -> None:
    ann, bob = account(Role.user), account(Role.user, 2, "bob")
    tester = account(Role.tester, 3, None)

    def may_retry(who: Account, starter: Account | None, repository: str) -> bool:
        return permissions.may_retry(
            who, starter, repository, main_repository=MAIN, allowed_repositories=ALLOWED
        )

    assert may_retry(ann, ann, "ann/ccextractor")
    assert may_retry(tester, ann, "ann/ccextractor")
    assert may_retry(tester, None, MAIN)
    assert not may_retry(ann, ann, MAIN)
    assert not may_retry(ann, bob, "ann/ccextractor")
    assert not may_retry(tester, None, "ann/ccextractor")
    assert not may_retry(tester, ann, "stranger/ccextractor")


def test_stacks_are_for_admins_and_contributors_with_the_scope() -> None:
    def allowed(*scopes: Scope) -> set[Role]:
        return {role for role in Role if permissions.may_see_stacks(account(role), scopes)}

    assert allowed(Scope.SYSTEM_READ) == {Role.admin, Role.contributor}
    assert allowed(Scope.RUNS_READ) == set()


def test_a_blocked_github_user_starts_nothing(app: Flask, raw: Raw) -> None:
    raw.execute("INSERT INTO blocked_users (user_id, comment) VALUES (77, 'mines coins')")

    with app.app_context(), reading():
        with pytest.raises(Forbidden) as caught:
            permissions.refuse_blocked(account(Role.admin, github_id=77))
        # an account's own id is not GitHub's
        permissions.refuse_blocked(account(Role.user, 77, github_id=78))
        permissions.refuse_blocked(account(Role.user, 77))
    assert caught.value.code == "blocked"


def test_who_is_blocked_is_read_anew_each_time(app: Flask, raw: Raw) -> None:
    who = account(Role.user, github_id=77)

    with app.app_context():
        with reading():
            assert not permissions.is_blocked(who)
        raw.execute("INSERT INTO blocked_users (user_id) VALUES (77)")
        with reading():
            assert permissions.is_blocked(who)
        raw.execute("DELETE FROM blocked_users")
        with reading():
            assert not permissions.is_blocked(who)
