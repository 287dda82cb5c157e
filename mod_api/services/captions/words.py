"""Which words of a cue differ."""

from difflib import SequenceMatcher

from mod_api.services.captions.model import WordChange

# The work grows with the square of the words.
_WORDS_COMPARED = 80
_CHANGES_SHOWN = 20
_CHARACTERS_SHOWN = 200


def differing_words(expected: str, actual: str) -> tuple[WordChange, ...]:
    """What words were replaced, added or lost; of long differences, those at their start."""
    before, after = expected.split(), actual.split()
    same = _common(before, after)
    before, after = before[same:], after[same:]
    same = _common(before[::-1], after[::-1])
    before = before[: len(before) - same][:_WORDS_COMPARED]
    after = after[: len(after) - same][:_WORDS_COMPARED]
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changes = [
        WordChange(cut(" ".join(before[i:i_to])), cut(" ".join(after[j:j_to])))
        for step, i, i_to, j, j_to in steps
        if step != "equal"
    ]
    return tuple(changes[:_CHANGES_SHOWN])


def _common(before: list[str], after: list[str]) -> int:
    """With how many equal words two lists begin."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(after)))


def cut(text: str, most: int = _CHARACTERS_SHOWN) -> str:
    """A text of at most `most` characters, ending in an ellipsis where it was longer."""
    return text if len(text) <= most else text[: most - 1] + "…"
