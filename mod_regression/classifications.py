"""What changed between two caption files, kept once per pair of contents."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from database import db, fetch, fetch_first, utc_now
from mod_regression.models import DiffClassification

LARGEST = 2_147_483_647


@dataclass(frozen=True)
class Pair:
    """Two contents by their hashes; equal whatever the case of hashes and extension."""

    expected_hash: str
    actual_hash: str
    extension: str

    @classmethod
    def of(cls, expected: str, actual: str, extension: str) -> "Pair":
        return cls(expected.lower(), actual.lower(), extension.lower())


@dataclass(frozen=True)
class Classification:
    """What changed; `kind` is None where the files are no captions. `details` is JSON."""

    kind: str | None
    message: str | None = None
    cue_number: int | None = None
    start_ms: int | None = None
    details: str | None = None


def find(pair: Pair, rules_version: int) -> Classification | None:
    """What is kept of a pair, with its details; None where nothing is, by these rules."""
    row = fetch_first(_OF_PAIR, {**vars(pair), "rules_version": rules_version})
    if row is None:
        return None
    return Classification(row.kind, row.message, row.cue_number, row.start_ms, row.details)


def classifications(
    pairs: Iterable[Pair], rules_version: int, *, detailed: bool = False
) -> dict[Pair, Classification]:
    """Look up each of `pairs`, without details unless `detailed`, in one statement.

    Pairs that are not kept are left out.
    """
    wanted = set(pairs)
    if not wanted:
        return {}
    params = {
        "expected": sorted({pair.expected_hash for pair in wanted}),
        "actual": sorted({pair.actual_hash for pair in wanted}),
        "rules_version": rules_version,
    }
    found = {
        Pair(*row[:3]): Classification(*row[3:])
        for row in fetch(_OF_PAIRS_DETAILED if detailed else _OF_PAIRS, params)
    }
    return {pair: found[pair] for pair in wanted if pair in found}


_KEPT = DiffClassification
_OF_PAIR = select(_KEPT.__table__).where(
    *(
        getattr(_KEPT, name) == bindparam(name)
        for name in ("expected_hash", "actual_hash", "extension", "rules_version")
    )
)
_OF_PAIRS = select(
    _KEPT.expected_hash, _KEPT.actual_hash, _KEPT.extension,
    _KEPT.kind, _KEPT.message, _KEPT.cue_number, _KEPT.start_ms,
).where(
    _KEPT.expected_hash.in_(bindparam("expected", expanding=True)),
    _KEPT.actual_hash.in_(bindparam("actual", expanding=True)),
    _KEPT.rules_version == bindparam("rules_version"),
)  # fmt: skip
_OF_PAIRS_DETAILED = _OF_PAIRS.add_columns(_KEPT.details)


def keep(pair: Pair, found: Classification, rules_version: int) -> None:
    """Keep what was found, in the place of what other rules found.

    Of two that keep the same pair at once, the first one's stays.
    """
    db.session.execute(
        delete(DiffClassification)
        .where(
            DiffClassification.expected_hash == pair.expected_hash,
            DiffClassification.actual_hash == pair.actual_hash,
            DiffClassification.extension == pair.extension,
            DiffClassification.rules_version < rules_version,
        )
        .execution_options(synchronize_session=False)
    )
    try:
        with db.session.begin_nested():
            db.session.execute(
                insert(DiffClassification).values(
                    expected_hash=pair.expected_hash,
                    actual_hash=pair.actual_hash,
                    extension=pair.extension,
                    rules_version=rules_version,
                    kind=found.kind,
                    message=found.message,
                    cue_number=found.cue_number,
                    start_ms=found.start_ms if abs(found.start_ms or 0) <= LARGEST else None,
                    details=found.details,
                    classified_at=utc_now(),
                )
            )
    except IntegrityError:
        pass  # kept in between by another request, which saw the same contents
