"""Scopes of tokens. A scope limits a token; its owner's role limits it further."""

import enum


class Scope(enum.StrEnum):
    """A scope's value is its name in the contract and in the database."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    RESULTS_READ = "results:read"
    BASELINES_WRITE = "baselines:write"
    SYSTEM_READ = "system:read"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    # Lists and revokes the account's other tokens, and an admin's anybody's.
    TOKENS_MANAGE = "tokens:manage"
    # Claims runs and jobs and reports them; only an admin gives it (mod_auth.tokens).
    RUNS_EXECUTE = "runs:execute"


def known_scopes(names: object) -> frozenset[Scope]:
    """The scopes among stored names; anything else grants nothing."""
    if not isinstance(names, list):
        return frozenset()
    return frozenset(BY_NAME[name] for name in names if isinstance(name, str) and name in BY_NAME)


BY_NAME = {scope.value: scope for scope in Scope}
