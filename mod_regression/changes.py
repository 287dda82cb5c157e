"""The words of comparing two outputs: what changed, or why that is not known."""

from enum import StrEnum


class ChangeKind(StrEnum):
    """What kind of change it is, the gravest first; `mixed` is several kinds at once."""

    MISSING_CUES = "missing_cues"
    EXTRA_CUES = "extra_cues"
    TEXT = "text"
    SPLIT_OR_MERGED = "split_or_merged"
    TIMING = "timing"
    TIMING_SHIFT = "timing_shift"
    TIMING_DRIFT = "timing_drift"
    ENCODING = "encoding"
    FORMATTING = "formatting"
    WHITESPACE = "whitespace"
    LINE_ENDINGS = "line_endings"
    IDENTICAL = "identical"
    MIXED = "mixed"

    @property
    def gravity(self) -> int:
        """The lower, the more a reader wants to see it first."""
        return list(ChangeKind).index(self)


class GaveUp(StrEnum):
    """Why a comparison was not made."""

    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    TOO_LARGE = "too_large"
    BUSY = "busy"
