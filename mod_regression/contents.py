"""Which contents an output accepts: its baseline, its variants, and what was revoked.

Outputs are locked in the order of their ids, within the caller's unit of work.
"""

import enum
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, insert, select, update

from database import db, exact, utc_now
from errors import Conflict, NotFound
from mod_regression.models import (
    AcceptedVariant,
    ApprovalMode,
    BaselineApproval,
    BaselineChange,
    BaselineRevocation,
    RegressionTest,
    RegressionTestOutput,
)


class Obstacle(enum.StrEnum):
    """Why a pending request can no longer be approved."""

    baseline_changed = "baseline_changed"
    already_accepted = "already_accepted"
    output_deleted = "output_deleted"


def obstacle(
    mode: ApprovalMode,
    *,
    seen: str | None,
    wanted: str | None,
    is_there: bool,
    current: str | None,
    is_variant: bool,
) -> Obstacle | None:
    """Tell what stands against approving a request that saw the baseline `seen`, None if nothing.

    The output has the baseline `current`; `is_variant`: it accepts the wanted content beside it.
    """
    if not is_there:
        return Obstacle.output_deleted
    if mode is ApprovalMode.baseline:
        return Obstacle.baseline_changed if current != seen else None
    return Obstacle.already_accepted if is_variant or current == wanted else None


def locked(approval: BaselineApproval) -> list[RegressionTestOutput]:
    """The request's output first, then those that share its baseline if it is for them too."""
    wanted = [approval.output_id]
    if approval.apply_to_variants:
        wanted += _beside(approval)
    locked = lock(wanted)
    main = [output for output in locked if output.id == approval.output_id]
    if not main:
        raise NotFound("output", approval.output_id)
    if approval.replaced_hash is None:
        return main
    sharing = [
        output
        for output in locked
        if output.id != approval.output_id and output.correct == approval.replaced_hash
    ]
    return main + sharing


def _beside(approval: BaselineApproval) -> Sequence[int]:
    """Other outputs on the same sample and extension.

    Which of them share the baseline is only asked under their locks: others may be changing it.
    """
    return db.session.scalars(
        select(RegressionTestOutput.id)
        .join(RegressionTest, RegressionTest.id == RegressionTestOutput.regression_id)
        .where(
            RegressionTest.sample_id == approval.sample_id,
            RegressionTestOutput.id > 0,
            RegressionTestOutput.id != approval.output_id,
            exact(RegressionTestOutput.correct_extension) == exact(approval.extension),
        )
    ).all()


def lock(output_ids: Collection[int]) -> Sequence[RegressionTestOutput]:
    """These outputs in the order of their ids, as they are under the lock."""
    return db.session.scalars(
        select(RegressionTestOutput)
        .where(RegressionTestOutput.id.in_(output_ids))
        .order_by(RegressionTestOutput.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def check_unchanged(output: RegressionTestOutput, seen: str | None) -> None:
    """Raises Conflict `baseline_changed` when a locked output's baseline is not the one seen."""
    if output.correct != seen:
        raise Conflict(
            f"The baseline of output {output.id} is another one by now.",
            "baseline_changed",
            output_id=output.id,
            seen_hash=seen,
            current_hash=output.correct,
        )


def replace(output: RegressionTestOutput, new_hash: str | None) -> BaselineChange:
    """Give a locked output another baseline."""
    change = _change(output, output.correct, new_hash)
    _set_correct(output, new_hash)
    return change


def accept(outputs: Sequence[RegressionTestOutput], file_hash: str | None) -> list[BaselineChange]:
    """Add a variant to each locked output that does not accept this content yet.

    Raises Conflict `already_accepted` when the first one does.
    """
    changes = []
    for output in outputs:
        if output.correct == file_hash or _has_variant(output.id, file_hash):
            continue
        variant = AcceptedVariant(regression_test_output_id=output.id, file_hashes=file_hash)
        db.session.add(variant)
        db.session.flush()
        changes.append(_change(output, None, file_hash, variant.id))
    if outputs[0].id not in [change.output_id for change in changes]:
        raise Conflict(
            f"Output {outputs[0].id} accepts this content already.",
            "already_accepted",
            output_id=outputs[0].id,
        )
    return changes


def is_variant(output_id: Any, file_hash: Any) -> ColumnElement[bool]:
    """The condition that an output accepts this content beside its baseline."""
    return exists().where(
        AcceptedVariant.regression_test_output_id == output_id,
        exact(AcceptedVariant.file_hashes) == exact(file_hash),
    )


def _has_variant(output_id: int, file_hash: str | None) -> bool:
    return bool(db.session.scalar(select(is_variant(output_id, file_hash))))


def revert(changes: Sequence[BaselineChange]) -> list[BaselineChange]:
    """Take these changes back; what that changes. Raises NotFound, Conflict `baseline_changed`."""
    outputs = {output.id: output for output in lock([change.output_id for change in changes])}
    for change in changes:
        if change.output_id not in outputs:
            raise NotFound("output", change.output_id)
    return [_revert(outputs[change.output_id], change) for change in changes]


def _revert(output: RegressionTestOutput, change: BaselineChange) -> BaselineChange:
    if change.variant_id is None:
        check_unchanged(output, change.new_hash)
        _set_correct(output, change.replaced_hash)
        return _change(output, change.new_hash, change.replaced_hash)
    db.session.execute(
        delete(AcceptedVariant)
        .where(
            AcceptedVariant.id == change.variant_id,
            AcceptedVariant.regression_test_output_id == output.id,
        )
        .execution_options(synchronize_session=False)
    )
    return _change(output, change.new_hash, None, change.variant_id)


def _set_correct(output: RegressionTestOutput, value: str | None) -> None:
    db.session.execute(
        update(RegressionTestOutput)
        .where(RegressionTestOutput.id == output.id)
        .values(correct=value)
        .execution_options(synchronize_session=False)
    )


def _change(
    output: RegressionTestOutput, before: str | None, after: str | None, variant: int | None = None
) -> BaselineChange:
    return BaselineChange(
        regression_id=output.regression_id,
        output_id=output.id,
        replaced_hash=before,
        new_hash=after,
        variant_id=variant,
    )


def revoke(changes: Sequence[BaselineChange]) -> None:
    """Results that matched what these changes brought no longer pass by that alone."""
    forget_revocations(changes)
    for change in changes:
        db.session.execute(
            insert(BaselineRevocation).values(
                output_id=change.output_id, file_hash=change.new_hash, revoked_at=utc_now()
            )
        )


def forget_revocations(changes: Sequence[BaselineChange]) -> None:
    """What is accepted again is revoked no more."""
    for change in changes:
        db.session.execute(
            delete(BaselineRevocation)
            .where(
                BaselineRevocation.output_id == change.output_id,
                BaselineRevocation.file_hash == change.new_hash,
            )
            .execution_options(synchronize_session=False)
        )
