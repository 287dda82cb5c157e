"""How a regression test went in one run, as against another run."""

import enum
from dataclasses import dataclass

from mod_test.signatures import Failure
from mod_test.verdict import ResultStatus


class Change(enum.StrEnum):
    """How a test went in a run, as against another run."""

    fixed = "fixed"
    new_failure = "new_failure"
    different_failure = "different_failure"
    same_failure = "same_failure"
    same_pass = "same_pass"  # noqa: S105  no password
    not_run = "not_run"
    not_run_in_to = "not_run_in_to"


@dataclass(frozen=True)
class Side:
    """How a test went in one run; without a status it is not in that run's set."""

    status: ResultStatus | None
    failure: Failure

    @property
    def has_result(self) -> bool:
        return self.passed or self.failed

    @property
    def passed(self) -> bool:
        return self.status is ResultStatus.passed

    @property
    def failed(self) -> bool:
        return self.status is not None and self.status.is_failure


def change_between(here: Side, there: Side) -> Change:
    """What changed from the run of `there` to that of `here`; failures are the same where their
    signatures and contents are."""
    if not here.has_result:
        return Change.not_run
    if not there.has_result:
        return Change.not_run_in_to
    if here.passed:
        return Change.same_pass if there.passed else Change.fixed
    if there.passed:
        return Change.new_failure
    same = here.failure == there.failure
    return Change.same_failure if same else Change.different_failure
