"""Tables of regression tests, all given. `legacy/data-model.md` says what they mean."""

import enum

from sqlalchemy import Boolean, Column, ForeignKey, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, EnumText, given, key


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
