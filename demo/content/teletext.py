"""DVB teletext subtitles in an MPEG transport stream.

Three layers, each in its own function: a teletext packet of 42 bytes (ETS 300 706), the PES
packet that carries those of one page (EN 300 472), and the transport packets of 188 bytes with
the tables that say what is in the stream (ISO/IEC 13818-1).
"""

import binascii
import re

from .cues import Cue

PAGE = 0x77  # with the magazine, page 777: where Germany, Austria and Switzerland subtitle
MAGAZINE = 7
LOWEST_ROW = 22
COLUMNS = 40
PROGRAM_PID, CAPTION_PID, CLOCK_PID = 0x1000, 0x0100, 0x0101
TICKS = 90  # of the 90 kHz clock, in a millisecond
EARLY = 40  # ms that a page arrives before it is to be shown

START_BOX, END_BOX, WHITE = 0x0B, 0x0A, 0x07
COLOURS = {"#ffff00": 0x03, "#00ffff": 0x06}
# What the German national option subset puts in the place of ASCII's characters.
GERMAN = {"§": 0x40, "Ä": 0x5B, "Ö": 0x5C, "Ü": 0x5D, "°": 0x60}
GERMAN |= {"ä": 0x7B, "ö": 0x7C, "ü": 0x7D, "ß": 0x7E}
HAMMING_8_4 = bytes.fromhex("15 02 49 5e 64 73 38 2f d0 c7 8c 9b a1 b6 fd ea".replace(" ", ""))


def stream(cues: tuple[Cue, ...]) -> bytes:
    """The cues as pages of a transport stream: each is shown, then erased by an empty one.

    Raises ValueError for a character that is not in the German subset of teletext, and for a
    line that is too wide.
    """
    counters = {0: 0, PROGRAM_PID: 0, CAPTION_PID: 0}
    packets: list[bytes] = []
    for item in cues:
        packets += _packets(counters, 0, b"\0" + _association_table())
        packets += _packets(counters, PROGRAM_PID, b"\0" + _program_map_table())
        for time, lines in ((item.start, item.lines), (item.end, ())):
            packets.append(_clock_reference(time - EARLY))
            packets += _packets(counters, CAPTION_PID, _pes(time, _page(lines)))
    return b"".join(packets)


def _page(lines: tuple[str, ...]) -> list[bytes]:
    """The teletext packets of the page with these lines, and of the header that ends it."""
    first_row = LOWEST_ROW - 2 * (len(lines) - 1)
    rows = [_row(first_row + 2 * number, line) for number, line in enumerate(lines)]
    # A page is complete when the next header of its magazine comes: here, one of no page.
    return [_header(PAGE, subtitle=True), *rows, _header(0xFF, subtitle=False)]


def _header(page: int, *, subtitle: bool) -> bytes:
    erase, is_subtitle, german = 0x8 * subtitle, 0x8 * subtitle, 0x8
    numbers = (page & 0xF, page >> 4, 0, erase, 0, is_subtitle, 0, german | 0x1)
    return _address(0) + bytes(HAMMING_8_4[number] for number in numbers) + _text(" " * 32)


def _row(number: int, line: str) -> bytes:
    codes = bytearray()
    for piece in re.split(r"(<[^>]*>)", line):
        if colour := re.fullmatch(r'<font color="(.*)">', piece):
            codes.append(COLOURS[colour[1]])
        elif piece == "</font>":
            codes.append(WHITE)
        else:
            codes += bytes(_code(character) for character in piece)
    left = (COLUMNS - len(codes) - 4) // 2
    if left < 0:
        raise ValueError(f"wider than a row of teletext: {line!r}")
    boxed = bytes([START_BOX, START_BOX]) + codes + bytes([END_BOX, END_BOX])
    whole = (b" " * left + boxed).ljust(COLUMNS)
    return _address(number) + bytes(map(_odd_parity, whole))


def _address(row: int) -> bytes:
    return bytes([HAMMING_8_4[MAGAZINE | (row & 1) << 3], HAMMING_8_4[row >> 1]])


def _text(text: str) -> bytes:
    return bytes(_odd_parity(_code(character)) for character in text)


def _code(character: str) -> int:
    if character in GERMAN:
        return GERMAN[character]
    if not " " <= character < "\x7f" or ord(character) in GERMAN.values():
        raise ValueError(f"German teletext has no {character!r}")
    return ord(character)


def _odd_parity(seven_bits: int) -> int:
    return seven_bits if seven_bits.bit_count() % 2 else seven_bits | 0x80


def _pes(milliseconds: int, packets: list[bytes]) -> bytes:
    """One PES packet of teletext data units, filled up to whole transport packets."""
    units = [
        b"\x03\x2c" + bytes([0xE0 | line]) + b"\xe4" + bytes(map(_reversed, packet))
        for line, packet in enumerate(packets, start=7)
    ]
    # With its header of 45 bytes and the identifier, 4k - 1 units of 46 fill k times 184.
    units += [b"\xff\x2c" + b"\xff" * 44] * (-(len(units) + 1) % 4)
    header = (b"\x84\x80\x24" + _timestamp(milliseconds * TICKS)).ljust(39, b"\xff")
    body = header + b"\x10" + b"".join(units)
    return b"\x00\x00\x01\xbd" + len(body).to_bytes(2, "big") + body


def _timestamp(ticks: int) -> bytes:
    parts = (0x21 | ticks >> 29 & 0xE, ticks >> 22 & 0xFF, ticks >> 14 & 0xFE | 1)
    return bytes([*parts, ticks >> 7 & 0xFF, ticks << 1 & 0xFE | 1])


def _reversed(byte: int) -> int:
    return int(f"{byte:08b}"[::-1], 2)


def _association_table() -> bytes:
    program = b"\x00\x01" + (0xE000 | PROGRAM_PID).to_bytes(2, "big")
    return _section(0x00, program)


def _program_map_table() -> bytes:
    kind_and_page = bytes([0x02 << 3 | MAGAZINE, PAGE])
    descriptor = b"\x56\x05deu" + kind_and_page
    length = (0xF000 | len(descriptor)).to_bytes(2, "big")
    captions = b"\x06" + (0xE000 | CAPTION_PID).to_bytes(2, "big") + length + descriptor
    clock = (0xE000 | CLOCK_PID).to_bytes(2, "big") + b"\xf0\x00"
    return _section(0x02, clock + captions)


def _section(table: int, content: bytes) -> bytes:
    body = b"\x00\x01\xc1\x00\x00" + content
    section = bytes([table]) + (0xB000 | len(body) + 4).to_bytes(2, "big") + body
    return section + _checksum(section).to_bytes(4, "big")


def _checksum(section: bytes) -> int:
    """CRC-32 as MPEG computes it: the usual polynomial, highest bit first, not inverted."""
    backwards = binascii.crc32(bytes(map(_reversed, section))) ^ 0xFFFFFFFF
    return int(f"{backwards:032b}"[::-1], 2)


def _clock_reference(milliseconds: int) -> bytes:
    """A transport packet that says what time it is, and nothing else."""
    base = milliseconds * TICKS
    reference = (base << 15 | 0x7E00).to_bytes(6, "big")
    header = b"\x47" + CLOCK_PID.to_bytes(2, "big") + b"\x20"
    return (header + b"\xb7\x10" + reference).ljust(188, b"\xff")


def _packets(counters: dict[int, int], pid: int, payload: bytes) -> list[bytes]:
    packets = []
    for at in range(0, len(payload), 184):
        start = 0x4000 if at == 0 else 0
        header = b"\x47" + (start | pid).to_bytes(2, "big") + bytes([0x10 | counters[pid]])
        counters[pid] = (counters[pid] + 1) % 16
        packets.append(header + payload[at : at + 184].ljust(184, b"\xff"))
    return packets
