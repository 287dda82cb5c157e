"""Tables of regression tests. `docs/existing-platform.md` says what the given ones mean."""

import enum
from datetime import datetime

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, UtcDateTime, given, key, long_text, ours


class InputType(enum.StrEnum):
    """How the extractor gets its sample."""

    file = "file"
    stdin = "stdin"
    udp = "udp"


class OutputType(enum.StrEnum):
    """Where the extractor's output goes."""

    file = "file"
    null = "null"
    tcp = "tcp"
    cea708 = "cea708"
    multiprogram = "multiprogram"
    stdout = "stdout"
    report = "report"


class Category(Base):
    """A group of regression tests."""

    __tablename__ = "category"
    __table_args__ = given(UniqueConstraint("name", name="name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(64))
    description: Mapped[str] = mapped_column(Text)


class RegressionTest(Base):
    """A command to run on a sample, and the exit code it should end with."""

    __tablename__ = "regression_test"
    __table_args__ = given(
        key("sample_id"),
        key("last_passed_on_windows"),
        key("last_passed_on_linux"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int | None] = mapped_column(
        ForeignKey("sample.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    command: Mapped[str] = mapped_column(Text)
    input_type: Mapped[InputType | None] = mapped_column(EnumText(InputType))
    output_type: Mapped[OutputType | None] = mapped_column(EnumText(OutputType))
    expected_rc: Mapped[int | None]
    active: Mapped[bool | None] = mapped_column(Boolean(create_constraint=False))
    last_passed_on_windows: Mapped[int | None] = mapped_column(
        ForeignKey("test.id", ondelete="SET NULL", onupdate="CASCADE")
    )
    last_passed_on_linux: Mapped[int | None] = mapped_column(
        ForeignKey("test.id", ondelete="SET NULL", onupdate="CASCADE")
    )
    description: Mapped[str | None] = mapped_column(String(1024))


test_categories = Table(
    "regression_test_category",
    Base.metadata,
    Column(
        "regression_id",
        ForeignKey("regression_test.id", onupdate="CASCADE"),
    ),
    Column(
        "category_id",
        ForeignKey("category.id", onupdate="CASCADE"),
    ),
    key("regression_id"),
    key("category_id"),
    info={"given": True},
    **Base.__table_args__,
)


class RegressionTestOutput(Base):
    """One file that a regression test should produce; `correct` is its current baseline."""

    __tablename__ = "regression_test_output"
    __table_args__ = given(key("regression_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    regression_id: Mapped[int | None] = mapped_column(
        ForeignKey("regression_test.id", onupdate="CASCADE")
    )
    correct: Mapped[str | None] = mapped_column(Text)
    correct_extension: Mapped[str] = mapped_column(String(64))
    expected_filename: Mapped[str | None] = mapped_column(Text)
    ignore: Mapped[bool | None] = mapped_column(Boolean(create_constraint=False))


class AcceptedVariant(Base):
    """One more baseline that is accepted for an output."""

    __tablename__ = "regression_test_output_files"
    __table_args__ = given(key("regression_test_output_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    file_hashes: Mapped[str | None] = mapped_column(Text)
    regression_test_output_id: Mapped[int | None] = mapped_column(
        ForeignKey(
            "regression_test_output.id",
            onupdate="CASCADE",
        )
    )


class ApprovalMode(enum.StrEnum):
    """What approving does: the output becomes the baseline, or one more accepted variant."""

    baseline = "replace"
    variant = "variant"


class ApprovalStatus(enum.StrEnum):
    """How a request for a new baseline reads."""

    pending_review = "pending_review"
    approved = "approved"
    rejected = "rejected"


class Decision(enum.StrEnum):
    """What became of a request for a new baseline; `withdrawn` by whoever asked reads rejected."""

    approved = "approved"
    rejected = "rejected"
    withdrawn = "withdrawn"

    @property
    def status(self) -> ApprovalStatus:
        return ApprovalStatus.approved if self is Decision.approved else ApprovalStatus.rejected


class BaselineApproval(Base):
    """A request for a new baseline, or the undoing of one; never changed, never deleted.

    `replaced_hash` is the baseline that the request saw, as the given column had it. The ids are
    no foreign keys: the record outlives what the existing site deletes.
    """

    __tablename__ = "baseline_approval"
    __table_args__ = ours(
        UniqueConstraint("undoes_id", name="uq_baseline_approval_undoes"),
        Index("ix_baseline_approval_regression", "regression_id"),
        Index("ix_baseline_approval_requester", "requester_email"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    sample_id: Mapped[int]
    regression_id: Mapped[int]
    output_id: Mapped[int]
    extension: Mapped[str] = mapped_column(String(64))
    mode: Mapped[ApprovalMode] = mapped_column(EnumText(ApprovalMode))
    apply_to_variants: Mapped[bool] = mapped_column(Boolean(create_constraint=False))
    file_hash: Mapped[str | None] = mapped_column(Text)
    replaced_hash: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(String(500))
    requester_id: Mapped[int]
    requester_name: Mapped[str] = mapped_column(String(255))
    requester_email: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("baseline_approval.id"))


class BaselineDecision(Base):
    """How a request was decided, once and for all; `by_requester`: an admin decided their own."""

    __tablename__ = "baseline_decision"
    __table_args__ = ours()

    approval_id: Mapped[int] = mapped_column(
        ForeignKey("baseline_approval.id"), primary_key=True, autoincrement=False
    )
    decision: Mapped[Decision] = mapped_column(EnumText(Decision))
    account_id: Mapped[int]
    account_name: Mapped[str] = mapped_column(String(255))
    account_email: Mapped[str] = mapped_column(String(255))
    by_requester: Mapped[bool] = mapped_column(Boolean(create_constraint=False))
    reason: Mapped[str | None] = mapped_column(String(500))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))


class BaselineChange(Base):
    """One output that an approval or its undoing changed; `variant_id` where a variant was added.

    The hashes are those of the output's baseline before and after, or of the variant alone.
    """

    __tablename__ = "baseline_change"
    __table_args__ = ours(
        Index("ix_baseline_change_approval", "approval_id"),
        Index("ix_baseline_change_output", "output_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    approval_id: Mapped[int] = mapped_column(ForeignKey("baseline_approval.id"))
    regression_id: Mapped[int | None]
    output_id: Mapped[int]
    replaced_hash: Mapped[str | None] = mapped_column(Text)
    new_hash: Mapped[str | None] = mapped_column(Text)
    variant_id: Mapped[int | None]


class BaselineRevocation(Base):
    """A hash whose approval for an output was undone: results that matched it no longer pass."""

    __tablename__ = "baseline_revocation"
    __table_args__ = ours()

    output_id: Mapped[int] = mapped_column(
        ForeignKey(RegressionTestOutput.id, ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    file_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    revoked_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))


class DiffClassification(Base):
    """What changed between two caption files, kept once per pair of contents.

    `kind` NULL: the files are no captions. `details` is the whole finding as JSON. Hashes and the
    extension are in lower case; a row of other rules than today's counts as absent.
    """

    __tablename__ = "diff_classification"
    __table_args__ = ours(Index("ix_diff_classification_kind", "kind"))

    expected_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    actual_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    extension: Mapped[str] = mapped_column(String(64), primary_key=True)
    rules_version: Mapped[int]
    kind: Mapped[str | None] = mapped_column(String(50))
    message: Mapped[str | None] = mapped_column(Text)
    cue_number: Mapped[int | None]
    start_ms: Mapped[int | None]
    details: Mapped[str | None] = mapped_column(long_text())
    classified_at: Mapped[datetime] = mapped_column(UtcDateTime(fraction=True))
