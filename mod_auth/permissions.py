"""Permissions as functions of an account and of facts (docs/semantics.md, "Who may do what").

Scopes are checked before, by the route. Nothing here reads a request.
"""

from collections.abc import Collection

from database import db
from errors import Forbidden
from mod_auth.accounts import Account
from mod_auth.models import BlockedUser, Role
from mod_auth.scopes import Scope

TRUSTED = frozenset({Role.admin, Role.tester, Role.contributor})
APPROVERS = frozenset({Role.admin, Role.contributor})


def may_start(
    account: Account,
    repository: str,
    *,
    main_repository: str,
    allowed_repositories: Collection[str] = (),
) -> bool:
    """Whether `account` may start a run of `repository` (OWNER/NAME, compared without case)."""
    wanted = repository.lower()
    trusted = {name.lower() for name in (main_repository, *allowed_repositories)}
    if wanted in trusted and account.role in TRUSTED:
        return True
    return is_own_fork(account, repository, main_repository=main_repository)


def is_fork(repository: str, *, main_repository: str) -> bool:
    """Return whether `repository` has the main one's name and another owner."""
    wanted, main = repository.lower(), main_repository.lower()
    return wanted != main and wanted.partition("/")[2] == main.partition("/")[2]


def is_own_fork(account: Account, repository: str, *, main_repository: str) -> bool:
    """Whether `repository` is the account's own fork: its login's, with the main one's name."""
    owner, _, name = repository.lower().partition("/")
    login = (account.github_login or "").lower()
    return bool(login) and owner == login and name == main_repository.lower().partition("/")[2]


def may_change_run(account: Account, starter_id: int | None) -> bool:
    """Whether `account` may cancel or retry a run; `starter_id` is who started it, if known."""
    return account.role in TRUSTED or (starter_id is not None and starter_id == account.id)


def may_retry(
    account: Account,
    starter: Account | None,
    repository: str,
    *,
    main_repository: str,
    allowed_repositories: Collection[str] = (),
) -> bool:
    """Return whether `account` may run again what `starter` (None: nobody known) started.

    Either of them must be able to start the repository now, since it is the same code again.
    """
    if not may_change_run(account, starter.id if starter else None):
        return False
    return any(
        may_start(
            one,
            repository,
            main_repository=main_repository,
            allowed_repositories=allowed_repositories,
        )
        for one in (account, starter)
        if one is not None
    )


def may_see_stacks(account: Account, scopes: Collection[Scope]) -> bool:
    """Return whether stack traces of infrastructure errors are shown to this account's token."""
    return account.role in APPROVERS and Scope.SYSTEM_READ in scopes


def may_submit(account: Account) -> bool:
    """Return whether this account may submit jobs: its role; a blocked one is refused apart."""
    return account.role in TRUSTED


def may_see_job(account: Account, owner_id: int) -> bool:
    """Return whether this account may see the job of that owner, and act on it."""
    return account.is_admin or account.id == owner_id


def need_role(account: Account, *roles: Role) -> None:
    """Raises Forbidden when the account has none of these roles."""
    if account.role not in roles:
        raise Forbidden(
            "This account's role may not do this.",
            required_roles=[role.value for role in roles],
            role=account.role.value,
        )


def is_blocked(account: Account) -> bool:
    """Return whether the account's GitHub user may start no work. One read at most."""
    return account.github_id is not None and (
        db.session.get(BlockedUser, account.github_id, populate_existing=True) is not None
    )


def refuse_blocked(account: Account) -> None:
    """Raises Forbidden (`blocked`) when the account's GitHub user may start no work."""
    if is_blocked(account):
        raise blocked()


def blocked() -> Forbidden:
    """Return the error for an account that may start no work."""
    return Forbidden("This account may not start work.", code="blocked")
