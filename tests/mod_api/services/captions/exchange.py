"""An answer about two files, and the one about the same files exchanged."""

from typing import Any

import pytest

from mod_api.services.captions import CaptionComparison, ChangeKind

_EXCHANGED = {
    ChangeKind.MISSING_CUES: ChangeKind.EXTRA_CUES,
    ChangeKind.EXTRA_CUES: ChangeKind.MISSING_CUES,
}


def answer(found: CaptionComparison) -> dict[str, Any]:
    """Everything of an answer that does not depend on which kinds are told first."""
    told = {
        "kind": found.kind,
        "kinds": dict(found.kinds),
        "cues": (found.cues_expected, found.cues_actual),
        "shift_ms": found.shift_ms,
        "rate": found.rate and pytest.approx(found.rate, rel=1e-7),
        "truncated": found.truncated,
    }
    if not found.truncated:
        told["changed"] = {(one.kind, one.expected, one.actual, one.words) for one in found.changed}
    return told


def exchanged(found: CaptionComparison) -> dict[str, Any]:
    """The answer that is due when the files are exchanged."""
    told = answer(found)
    told["kind"] = _EXCHANGED.get(found.kind, found.kind)
    told["kinds"] = {_EXCHANGED.get(kind, kind): count for kind, count in found.kinds.items()}
    told["cues"] = (found.cues_actual, found.cues_expected)
    told["shift_ms"] = None if found.shift_ms is None else -found.shift_ms
    told["rate"] = found.rate and 1 / found.rate
    if not found.truncated:
        told["changed"] = {
            (
                _EXCHANGED.get(one.kind, one.kind),
                one.actual,
                one.expected,
                tuple(type(word)(word.actual, word.expected) for word in one.words),
            )
            for one in found.changed
        }
    return told
