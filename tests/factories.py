"""Rows that tests start from, in the words of the domain.

Each function inserts, commits and returns what the test needs to name the row later, as values
that no session holds. Defaults are unique within a process and always the same in the same order.
The application's fixture says which database is meant (`bind`).
"""

import hashlib
import itertools
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from passlib.hash import sha512_crypt
from sqlalchemy.orm import DeclarativeBase, Session

from mod_auth.models import AccountRecord, ApiToken, Role, User
from mod_outbox.models import (
    DeliveryTry,
    Event,
    MessageState,
    OutboxMessage,
    TryOutcome,
    Webhook,
)
from mod_regression.models import (
    AcceptedVariant,
    Category,
    InputType,
    OutputType,
    RegressionTest,
    RegressionTestOutput,
    test_categories,
)
from mod_sample.models import Sample, Tag, Upload, sample_tags
from mod_test.models import (
    CustomizedTest,
    Fork,
    Platform,
    Progress,
    Result,
    ResultFile,
    Run,
    RunRecord,
    RunRequester,
    RunType,
    TestStatus,
)

PASSWORD = "correct horse battery staple"
START = datetime(2026, 1, 1, tzinfo=UTC)  # the first run's creation, unless the test says when
MATCH = None  # `got` of an output that equals its baseline
SENTINEL = -1  # the output of very old rows that tell of a missing output
MAIN_REPOSITORY = "CCExtractor/ccextractor"

Row = TypeVar("Row", bound=DeclarativeBase)

_counters: dict[str, "itertools.count[int]"] = {}
_bound: list[sa.Engine] = []


def bind(engine: sa.Engine) -> None:
    """From now on insert into the database of `engine`."""
    _bound[:] = [engine.execution_options(writes=True)]


def next_number(kind: str) -> int:
    return next(_counters.setdefault(kind, itertools.count(1)))


def digest(text: str) -> str:
    """The SHA-256 of a text, as hashes of contents are written everywhere."""
    return hashlib.sha256(text.encode()).hexdigest()


def commit_of(text: str) -> str:
    """A commit's name, 40 hex digits, made of a text."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class AccountRow:
    id: int
    name: str
    email: str
    role: Role
    password: str
    github_login: str | None


@dataclass(frozen=True)
class SampleRow:
    id: int
    sha: str
    extension: str
    name: str


@dataclass(frozen=True)
class OutputRow:
    """`correct` and `extension` are those at the time of making it."""

    id: int
    correct: str | None
    extension: str
    ignore: bool


@dataclass(frozen=True)
class TestRow:
    id: int
    sample: SampleRow
    command: str
    outputs: tuple[OutputRow, ...]
    expected_rc: int | None

    __test__ = False  # not a test class, whatever its name

    @property
    def output(self) -> OutputRow:
        """The only output."""
        (only,) = self.outputs
        return only


@dataclass(frozen=True)
class RunRow:
    id: int
    token: str
    platform: str
    commit: str
    branch: str
    repository: str
    created_at: datetime


@dataclass(frozen=True)
class Expected:
    """An output to be made with a regression test: `regression_test(outputs=[Expected(...)])`."""

    correct: str | None = ""
    extension: str = ".srt"
    filename: str = ""
    ignore: bool | None = False
    variants: Sequence[str] = ()


def account(
    role: Role | str | None = Role.contributor,
    *,
    name: str | None = None,
    email: str | None = None,
    password: str = PASSWORD,
    password_hash: str | None = None,
    github_login: str | None = None,
    github_token: str | None = None,
    github_id: int | None = None,
    disabled_at: datetime | None = None,
) -> AccountRow:
    """An account; its password is hashed cheaply unless the hash is given."""
    number = next_number("account")
    name = name or f"account-{number}"
    email = email or f"account-{number}@example.org"
    role = None if role is None else Role(role)
    row = User(
        name=name,
        email=email,
        role=role,
        password=password_hash or sha512_crypt.using(rounds=1000).hash(password),
        github_login=github_login,
        github_token=github_token,
    )
    _insert(row)
    if github_id is not None or disabled_at is not None:
        _insert(AccountRecord(user_id=row.id, github_id=github_id, disabled_at=disabled_at))
    return AccountRow(row.id, name, email, role or Role.user, password, github_login)


def token_for(
    owner: AccountRow,
    *scopes: str,
    name: str | None = None,
    created_at: datetime | None = None,
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
) -> str:
    """The text of a new token of `owner`, valid for an hour unless said otherwise."""
    text = "spci_" + secrets.token_urlsafe(32)
    created_at = created_at or datetime.now(UTC)
    _insert(
        ApiToken(
            user_id=owner.id,
            token_name=name or f"token-{next_number('token')}",
            token_hash=digest(text),
            token_prefix=text[:16],
            scopes_json=json.dumps(scopes),
            created_at=created_at,
            expires_at=expires_at or created_at + timedelta(hours=1),
            revoked_at=revoked_at,
        )
    )
    return text


def bearer(token: str) -> dict[str, str]:
    """The headers of a request with `token`."""
    return {"Authorization": f"Bearer {token}"}


def signed_in(
    role: Role | str = Role.contributor, *scopes: str, **account_options: Any
) -> dict[str, str]:
    """The headers of a new account's request, its token having `scopes`."""
    return bearer(token_for(account(role, **account_options), *scopes))


def repository(name: str = MAIN_REPOSITORY) -> int:
    """The id of the repository OWNER/NAME, made the first time."""
    address = f"https://github.com/{name}.git"
    with Session(_bound[0]) as session, session.begin():
        found = session.scalar(sa.select(Fork.id).where(Fork.github == address))
    return found or _insert(Fork(github=address)).id


_repository = repository  # where a parameter has the function's name


def sample(
    *,
    name: str | None = None,
    sha: str | None = None,
    extension: str = "ts",
    tags: Iterable[int] = (),
    notes: str | None = None,
) -> SampleRow:
    """A media sample without its file; with `notes`, also an upload that has them."""
    number = next_number("sample")
    name = name or f"sample-{number}.{extension}"
    row = _insert(
        Sample(sha=sha or digest(f"sample {number}"), extension=extension, original_name=name)
    )
    for tag_id in tags:
        _execute(sa.insert(sample_tags).values(sample_id=row.id, tag_id=tag_id))
    if notes is not None:
        _insert(Upload(sample_id=row.id, platform="linux", parameters="", notes=notes))
    return SampleRow(row.id, row.sha or "", extension, name)


_sample = sample  # where a parameter has the function's name


def tag(name: str | None = None, description: str | None = None) -> int:
    """The id of a new label of samples."""
    name = name or f"tag-{next_number('tag')}"
    return _insert(Tag(name=name, description=description)).id


def category(name: str | None = None, description: str = "") -> int:
    """The id of a new group of regression tests."""
    name = name or f"category-{next_number('category')}"
    return _insert(Category(name=name, description=description)).id


def regression_test(
    *,
    sample: SampleRow | None = None,
    command: str = "-out=srt -latin1",
    outputs: Sequence[Expected] = (Expected(),),
    categories: Iterable[int] = (),
    active: bool | None = True,
    expected_rc: int | None = 0,
    input_type: InputType | None = InputType.file,
    output_type: OutputType | None = OutputType.file,
    description: str | None = None,
) -> TestRow:
    """A regression test, of a new sample unless one is given, with one output unless said."""
    sample = sample or _sample()
    row = _insert(
        RegressionTest(
            sample_id=sample.id,
            command=command,
            input_type=input_type,
            output_type=output_type,
            expected_rc=expected_rc,
            active=active,
            description=description,
        )
    )
    for category_id in categories:
        _execute(sa.insert(test_categories).values(regression_id=row.id, category_id=category_id))
    made = tuple(output(row.id, expected) for expected in outputs)
    return TestRow(row.id, sample, command, made, expected_rc)


def output(regression_id: int, expected: Expected | None = None) -> OutputRow:
    """One more output of a regression test. Without a hash its baseline is one of its own."""
    expected = expected or Expected()
    number = next_number("output")
    correct = digest(f"baseline {number}") if expected.correct == "" else expected.correct
    row = _insert(
        RegressionTestOutput(
            regression_id=regression_id,
            correct=correct,
            correct_extension=expected.extension,
            expected_filename=expected.filename,
            ignore=expected.ignore,
        )
    )
    for variant in expected.variants:
        accept_variant(row.id, variant)
    return OutputRow(row.id, correct, expected.extension, bool(expected.ignore))


def accept_variant(output_id: int, content_hash: str) -> int:
    """The id of one more accepted baseline of an output."""
    return _insert(
        AcceptedVariant(regression_test_output_id=output_id, file_hashes=content_hash)
    ).id


def run(
    *,
    platform: Platform | str = Platform.linux,
    repository: str = MAIN_REPOSITORY,
    commit: str | None = None,
    branch: str = "master",
    pull_request: int = 0,
    created_at: datetime | None = None,
    progress: Iterable[str | tuple[str, str] | tuple[str, str, datetime]] = (),
    tests: Iterable[TestRow] = (),
    requested_by: AccountRow | None = None,
) -> RunRow:
    """A run, queued unless it has progress; `tests` is its recorded set.

    An event of `progress` is a status, with a message, with a time; each is a minute after the
    one before, the first a minute after `created_at`.
    """
    number = next_number("run")
    created_at = created_at or START + timedelta(minutes=10 * number)
    row = _insert(
        Run(
            platform=Platform(platform),
            test_type=RunType.pr if pull_request else RunType.commit,
            token=digest(f"worker's secret {number}")[:40],
            fork_id=_repository(repository),
            branch=branch,
            commit=commit or commit_of(f"commit {number}"),
            pr_nr=pull_request,
        )
    )
    made = RunRow(
        row.id, row.token or "", row.platform or "", row.commit, branch, repository, created_at
    )
    set_created_at(made, created_at)
    for regression_test in tests:
        _insert(CustomizedTest(test_id=row.id, regression_id=regression_test.id))
    if requested_by:
        _insert(RunRequester(test_id=row.id, user_id=requested_by.id))
    at = created_at
    rest: list[Any]  # a message and a time
    for entry in progress:
        status, *rest = (entry,) if isinstance(entry, str) else entry
        at = rest[1] if len(rest) > 1 else at + timedelta(minutes=1)
        event(made, status, rest[0] if rest else "", at)
    return made


def set_created_at(of: RunRow, created_at: datetime) -> None:
    """Date a run; its row may be there already, by the trigger."""
    dated = _execute(
        sa.update(RunRecord).where(RunRecord.test_id == of.id).values(created_at=created_at)
    )
    if not dated:
        _insert(RunRecord(test_id=of.id, created_at=created_at))


def event(
    of: RunRow, status: TestStatus | str, message: str = "", at: datetime | None = None
) -> int:
    """The id of one more progress event of a run."""
    at = at or of.created_at + timedelta(hours=1)
    row = Progress(test_id=of.id, status=TestStatus(status), message=message, timestamp=at)
    return _insert(row).id


def result(
    of: RunRow,
    test: TestRow,
    *,
    exit_code: int | None = 0,
    expected_rc: int | None = 0,
    runtime: int | None = 1000,
    outputs: Mapping[OutputRow, str | None] | None = None,
) -> None:
    """How a test of a run ended; unless said otherwise it passed.

    `outputs` maps each output that there was to what came out: its hash, or MATCH. One that is
    left out is missing. Without `outputs` every output matches.
    """
    _insert(
        Result(
            test_id=of.id,
            regression_test_id=test.id,
            runtime=runtime,
            exit_code=exit_code,
            expected_rc=expected_rc,
        )
    )
    found = dict.fromkeys(test.outputs, MATCH) if outputs is None else outputs
    for output, got in found.items():
        result_file(of, test, output, got)


def result_file(of: RunRow, test: TestRow, output: OutputRow, got: str | None = MATCH) -> None:
    """One compared output of a result."""
    _insert(
        ResultFile(
            test_id=of.id,
            regression_test_id=test.id,
            regression_test_output_id=output.id,
            expected=output.correct or "",
            got=got,
        )
    )


def sentinel(of: RunRow, test: TestRow) -> None:
    """The row by which very old results tell that an output is missing."""
    with Session(_bound[0]) as session, session.begin():
        if session.get(RegressionTestOutput, SENTINEL) is None:
            session.add(RegressionTestOutput(id=SENTINEL, correct_extension=""))
    result_file(of, test, OutputRow(SENTINEL, None, "", ignore=False), "error")


def stored_output(folder: Path, content: bytes, extension: str = ".srt") -> str:
    """Put a baseline or an actual output into a sample repository; its hash."""
    name = hashlib.sha256(content).hexdigest()
    path = folder / "TestResults" / f"{name}{extension}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


def stored_sample(folder: Path, content: bytes, extension: str = "ts", **options: Any) -> SampleRow:
    """A media sample whose file lies in the sample repository `folder`."""
    name = hashlib.sha256(content).hexdigest()
    path = folder / "TestFiles" / (f"{name}.{extension}" if extension else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return sample(sha=name, extension=extension, **options)


def delivered_message(account_id: int) -> int:
    """The id of a message to a new webhook of an account, delivered at the first try."""
    hook = _insert(
        Webhook(
            account_id=account_id,
            url="https://example.org/hook",
            on_job_ended=True,
            is_on=True,
            salt="0" * 32,
            listening_since=START,
            created_at=START,
        )
    )
    sent = _insert(
        OutboxMessage(
            webhook_id=hook.id,
            uuid=f"00000000-0000-4000-8000-{next_number('message'):012}",
            event=Event.test,
            subject_id=hook.id,
            body="{}",
            state=MessageState.delivered,
            tries=1,
            created_at=START,
            next_at=START,
            ended_at=START,
        )
    )
    _insert(
        DeliveryTry(
            message_id=sent.id,
            at=START,
            duration_ms=12,
            outcome=TryOutcome.delivered,
            status=204,
        )
    )
    return sent.id


def _insert(row: Row) -> Row:
    with Session(_bound[0], expire_on_commit=False) as session, session.begin():
        session.add(row)
    return row


def _execute(statement: sa.Executable) -> int:
    """Run a statement in a transaction of its own; how many rows it changed."""
    with _bound[0].begin() as connection:
        return connection.execute(statement).rowcount
