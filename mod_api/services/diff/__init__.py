"""How an output differs from its baseline, line by line: `compare` and what it answers."""

from mod_api.services.diff.comparison import MAX_CONTEXT_LINES, DiffError, compare
from mod_api.services.diff.model import Comparison, Hunk, Line, LineKind, Side
from mod_regression.changes import GaveUp

__all__ = [
    "MAX_CONTEXT_LINES",
    "Comparison",
    "DiffError",
    "GaveUp",
    "Hunk",
    "Line",
    "LineKind",
    "Side",
    "compare",
]
