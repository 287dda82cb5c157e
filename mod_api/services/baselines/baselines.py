"""New baselines: asked for with a run's output, decided by somebody else, undone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from database import reading, written
from errors import Conflict, DomainError, Invalid, NotFound, Unprocessable
from mod_api.services.baselines import approvals
from mod_api.services.baselines.approvals import Approval
from mod_api.services.outputs.embedded_content import locate, unavailable
from mod_api.services.outputs.file_names import hash_of, output_key
from mod_api.services.outputs.outputs import Address
from mod_api.services.outputs.outputs import find as find_output
from mod_auth.accounts import Account
from mod_regression import baselines, contents
from mod_regression.baselines import Proposal
from mod_regression.models import ApprovalMode, ApprovalStatus
from mod_sample.storage import Repository
from mod_test.outputs import ComparedOutput


def request(run_id: int, wanted: Mapping[str, Any], *, by: Account) -> Approval:
    """Request that a run's output becomes the baseline, or one more accepted variant.

    `wanted` has `sample_id`, `regression_id`, `output_id`, `reason`, `mode` and
    `apply_to_variants`. Raises NotFound (`missing_output` where nothing came out), and Conflict
    `nothing_to_approve`, `already_accepted` or `already_requested`.
    """
    contents.lock([wanted["output_id"]])
    mode = ApprovalMode(wanted["mode"])
    output = find_output(
        Address(run_id, wanted["sample_id"], wanted["regression_id"], wanted["output_id"])
    )
    proposal = Proposal(
        run_id=output.run_id,
        sample_id=output.sample_id,
        regression_id=output.regression_id,
        output_id=output.output_id,
        extension=output.extension,
        file_hash=_proposed(output, mode),
        replaced_hash=output.correct,
    )
    approval_id = baselines.propose(
        proposal,
        by=by,
        reason=wanted["reason"],
        mode=mode,
        apply_to_variants=wanted["apply_to_variants"],
    )
    return approvals.get(approval_id)


def request_all(run_id: int, wanted: Sequence[Mapping[str, Any]], *, by: Account) -> list[Approval]:
    """Ask for several new baselines of a run at once, all or none.

    Raises Invalid when an output is named twice, and as `request` does, with the `index` of the
    entry that was refused.
    """
    named = [entry["output_id"] for entry in wanted]
    twice = sorted({output_id for output_id in named if named.count(output_id) > 1})
    if twice:
        raise Invalid.fields(approvals=f"Output {twice[0]} is named more than once.")
    contents.lock(named)  # all of them in one order, before the first is looked at
    made = []
    for index, entry in enumerate(wanted):
        with _naming(index):
            made.append(request(run_id, entry, by=by))
    return made


def approve(
    approval_id: int, *, by: Account, repository: Repository, reason: str | None = None
) -> Approval:
    """Carry out what was asked for.

    Raises NotFound, Forbidden `own_request`, Unprocessable `not_stored` when the file is in no
    storage, Unavailable when nobody can tell, and Conflict as `mod_regression.baselines.approve`.
    """
    with reading():
        asked = approvals.get(approval_id)
    if asked.status is ApprovalStatus.pending_review:
        _check_file(asked, repository)

    def work() -> Approval:
        baselines.approve(approval_id, by=by, reason=reason)
        return approvals.get(approval_id)

    return written(work)


def reject(approval_id: int, *, by: Account, reason: str | None = None) -> Approval:
    """Refuse what was asked for. Raises NotFound, Forbidden, Conflict."""
    baselines.reject(approval_id, by=by, reason=reason)
    return approvals.get(approval_id)


def decide_all(
    approval_ids: Sequence[int],
    *,
    approve: bool,
    by: Account,
    repository: Repository,
    reason: str | None = None,
) -> list[Approval]:
    """Approve or reject several requests, all or none; each has its record in the audit log.

    Raises as `approve` and `reject` do, with the `index` of the request that was refused.
    """
    with reading():
        asked = approvals.get_all(approval_ids)
    for index, each in enumerate(asked):
        if approve and each.status is ApprovalStatus.pending_review:
            with _naming(index):
                _check_file(each, repository)

    def work() -> list[Approval]:
        baselines.lock_all(approval_ids)
        for index, approval_id in enumerate(approval_ids):
            with _naming(index):
                if approve:
                    baselines.approve(approval_id, by=by, reason=reason)
                else:
                    baselines.reject(approval_id, by=by, reason=reason)
        return approvals.get_all(approval_ids)

    return written(work)


@contextmanager
def _naming(index: int) -> Iterator[None]:
    """A refusal within says which entry of the request it is about."""
    try:
        yield
    except DomainError as error:
        error.details.setdefault("index", index)
        raise


def withdraw(approval_id: int, *, by: Account, reason: str | None = None) -> Approval:
    """Take back one's own request. Raises NotFound, Forbidden, Conflict."""
    baselines.withdraw(approval_id, by=by, reason=reason)
    return approvals.get(approval_id)


def undo(approval_id: int, *, by: Account, reason: str | None = None) -> Approval:
    """Bring back what an approval replaced; the new record. Raises NotFound, Conflict."""
    return approvals.get(baselines.undo(approval_id, by=by, reason=reason))


def _proposed(output: ComparedOutput, mode: ApprovalMode) -> str:
    """The hash of what came out, which must be worth approving."""
    if not output.has_row:
        raise NotFound(
            "output", output.output_id, f"There is no output {output.output_id} in this run.",
            code="missing_output",
        )  # fmt: skip
    came_out = output.actual_hash
    if came_out is None or came_out == output.correct:
        raise Conflict(
            f"Output {output.output_id} is what its baseline says.", "nothing_to_approve",
            output_id=output.output_id,
        )  # fmt: skip
    if mode is ApprovalMode.variant and came_out in output.variants:
        raise Conflict(
            f"Output {output.output_id} accepts this content already.", "already_accepted",
            output_id=output.output_id,
        )  # fmt: skip
    found = hash_of(came_out)
    if found is None:
        raise Unprocessable(f"What came out as output {output.output_id} has no hash.")
    return found


def _check_file(asked: Approval, repository: Repository) -> None:
    """Raises Unprocessable, Unavailable."""
    key = output_key(asked.new_hash, asked.extension)
    where = locate(repository, [key])[key] if key else None
    if where is not None and where.backends:
        return
    if where is not None and not where.known:
        raise unavailable()
    raise Unprocessable(
        "The file that would become the baseline is in no storage.", "not_stored",
        file_hash=asked.new_hash,
    )  # fmt: skip
