"""CEA-608 closed captions in a Scenarist file (`.scc`).

Such a file is a list of timecodes, each with the byte pairs that line 21 carries from that
frame on, one pair a frame, every byte with odd parity. Control codes are sent twice, as the
standard asks for, so that one lost pair loses no caption.
"""

import re
from collections.abc import Iterator

from .cues import Cue

FRAMES_A_SECOND = 30
COLUMNS = 32

RESUME_CAPTION_LOADING = (0x14, 0x20)
ERASE_NON_DISPLAYED = (0x14, 0x2E)
END_OF_CAPTION = (0x14, 0x2F)
ERASE_DISPLAYED = (0x14, 0x2C)
ROLL_UP_TWO_ROWS = (0x14, 0x25)
CARRIAGE_RETURN = (0x14, 0x2D)
ITALICS = (0x11, 0x2E)
PLAIN = (0x11, 0x20)

# The basic set is ASCII but for these.
BASIC = {"á": 0x2A, "é": 0x5C, "í": 0x5E, "ó": 0x5F, "ú": 0x60}
BASIC |= {"ç": 0x7B, "÷": 0x7C, "Ñ": 0x7D, "ñ": 0x7E}
NOT_ASCII = frozenset("*\\^_`{|}~")
SPECIAL = {character: 0x30 + n for n, character in enumerate("®°½¿™¢£♪à\u00a0èâêîôû")}
# Extended characters replace the one before them, which older decoders show in their place.
EXTENDED = {
    "Á": (0x12, 0x20, "A"),
    "É": (0x12, 0x21, "E"),
    "Ó": (0x12, 0x22, "O"),
    "Ú": (0x12, 0x23, "U"),
    "Ü": (0x12, 0x24, "U"),
    "ü": (0x12, 0x25, "u"),
    "¡": (0x12, 0x27, "!"),
    "À": (0x12, 0x30, "A"),
    "Ç": (0x12, 0x32, "C"),
    "ë": (0x12, 0x36, "e"),
    "ï": (0x12, 0x39, "i"),
    "ù": (0x12, 0x3C, "u"),
    "Ä": (0x13, 0x30, "A"),
    "ä": (0x13, 0x31, "a"),
    "Ö": (0x13, 0x32, "O"),
    "ö": (0x13, 0x33, "o"),
    "ß": (0x13, 0x34, "s"),
}
# Preamble address codes of the four lowest rows, left margin, white: the last one is row 15.
LOWEST_ROWS = ((0x13, 0x50), (0x13, 0x70), (0x14, 0x50), (0x14, 0x70))

Pair = tuple[int, int]


def pop_on(cues: tuple[Cue, ...]) -> bytes:
    """The cues as pop-on captions: loaded out of sight, then shown and erased at once.

    Raises ValueError for a character that CEA-608 does not have, for a line that is too wide,
    and for a caption that cannot be loaded in the time since the one before.
    """
    events: list[tuple[int, list[Pair]]] = []
    for item in cues:
        pairs = _twice(RESUME_CAPTION_LOADING) + _twice(ERASE_NON_DISPLAYED)
        for line, row in zip(item.lines, LOWEST_ROWS[-len(item.lines) :], strict=True):
            pairs += _twice(_indented(row, line)) + _text(line)
        events.append((_frame(item.start) - len(pairs), pairs))
        events.append((_frame(item.start), _twice(END_OF_CAPTION)))
        events.append((_frame(item.end), _twice(ERASE_DISPLAYED)))
    return _file(events)


def roll_up(cues: tuple[Cue, ...]) -> bytes:
    """The cues as roll-up captions of two rows: each line pushes the one before up.

    The last one is erased at its end. Raises as `pop_on` does.
    """
    events = []
    for item in cues:
        pairs = _twice(ROLL_UP_TWO_ROWS) + _twice(CARRIAGE_RETURN) + _twice(LOWEST_ROWS[-1])
        events.append((_frame(item.start), pairs + _text(" ".join(item.lines))))
    events.append((_frame(cues[-1].end), _twice(ERASE_DISPLAYED)))
    return _file(events)


def _file(events: list[tuple[int, list[Pair]]]) -> bytes:
    free = 0
    lines = ["Scenarist_SCC V1.0"]
    for frame, pairs in events:
        if frame < free:
            raise ValueError(f"line 21 is still busy at frame {frame}")
        free = frame + len(pairs)
        words = " ".join(f"{_odd_parity(a):02x}{_odd_parity(b):02x}" for a, b in pairs)
        lines.append(f"{_timecode(frame)}\t{words}")
    return ("\n\n".join(lines) + "\n").encode("ascii")


def _text(line: str) -> list[Pair]:
    """The pairs of one line; single bytes share a pair, codes never do."""
    if _width(line) > COLUMNS:
        raise ValueError(f"wider than a row of line 21: {line!r}")
    pairs: list[Pair] = []
    waiting: int | None = None
    for code in _codes(line):
        if isinstance(code, int):
            if waiting is None:
                waiting = code
            else:
                pairs.append((waiting, code))
                waiting = None
            continue
        if waiting is not None:
            pairs.append((waiting, 0))
            waiting = None
        pairs += _twice(code)
    if waiting is not None:
        pairs.append((waiting, 0))
    return pairs


def _codes(line: str) -> Iterator[int | Pair]:
    # A change to italics and back is shown as a space, so it takes the place of one.
    for piece in re.split(r"( ?<i>|</i> ?)", line):
        if piece.endswith("<i>"):
            yield ITALICS
        elif piece.startswith("</i>"):
            yield PLAIN
        else:
            for character in piece:
                yield from _character(character)


def _character(character: str) -> Iterator[int | Pair]:
    if character in BASIC:
        yield BASIC[character]
    elif character in SPECIAL:
        yield 0x11, SPECIAL[character]
    elif character in EXTENDED:
        first, second, instead = EXTENDED[character]
        yield ord(instead)
        yield first, second
    elif " " <= character < "\x7f" and character not in NOT_ASCII:
        yield ord(character)
    else:
        raise ValueError(f"CEA-608 has no {character!r}")


def _indented(row: Pair, line: str) -> Pair:
    """The address of the column, one in four has one, from which the line stands in the middle."""
    return row[0], row[1] | (COLUMNS - _width(line)) // 8 << 1


def _width(line: str) -> int:
    return len(re.sub("<[^>]*>", "", line))


def _twice(code: Pair) -> list[Pair]:
    return [code, code]


def _odd_parity(seven_bits: int) -> int:
    return seven_bits if seven_bits.bit_count() % 2 else seven_bits | 0x80


def _frame(milliseconds: int) -> int:
    return milliseconds * FRAMES_A_SECOND // 1000


def _timecode(frame: int) -> str:
    seconds, rest = divmod(frame, FRAMES_A_SECOND)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{rest:02}"
