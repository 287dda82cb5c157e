"""How two caption files differ: `classify` says it in the terms of captions, not of lines."""

from mod_api.services.captions.child import compare, page_of_cues
from mod_api.services.captions.classification import (
    MAX_BYTES,
    RULES_VERSION,
    TOO_LARGE,
    CuePair,
    CueSpan,
    classify,
    list_cues,
)
from mod_api.services.captions.formats import format_of
from mod_api.services.captions.model import (
    NOT_COMPARED,
    CaptionComparison,
    ChangedCue,
    CueText,
    Location,
    WordChange,
)
from mod_api.services.captions.readers import MAX_CUES
from mod_regression.changes import ChangeKind

__all__ = [
    "MAX_BYTES",
    "MAX_CUES",
    "NOT_COMPARED",
    "RULES_VERSION",
    "TOO_LARGE",
    "CaptionComparison",
    "ChangeKind",
    "ChangedCue",
    "CuePair",
    "CueSpan",
    "CueText",
    "Location",
    "WordChange",
    "classify",
    "compare",
    "format_of",
    "list_cues",
    "page_of_cues",
]
