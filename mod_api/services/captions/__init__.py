"""What changed in captions: `classify` says it in the terms of captions rather than of lines."""

from mod_api.services.captions.classification import (
    MAX_BYTES,
    MAX_CUES,
    RULES_VERSION,
    classify,
)
from mod_api.services.captions.model import (
    NOT_COMPARED,
    CaptionComparison,
    ChangedCue,
    CueText,
    Location,
    WordChange,
)
from mod_regression.changes import ChangeKind

__all__ = [
    "MAX_BYTES",
    "MAX_CUES",
    "NOT_COMPARED",
    "RULES_VERSION",
    "CaptionComparison",
    "ChangeKind",
    "ChangedCue",
    "CueText",
    "Location",
    "WordChange",
    "classify",
]
