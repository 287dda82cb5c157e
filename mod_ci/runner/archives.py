"""Zip archives of strangers: checked when they are submitted, unpacked inside a sandbox.

Nothing is repaired: an archive that two readers could take for two things is refused, with the
entry and the rule. Only the standard library is used; `python -I archives.py ZIP FOLDER` unpacks.

The format is PKWARE's APPNOTE 6.3.10. Sections 4.3 to 4.5 have the records read here.
"""

import contextlib
import json
import os
import re
import stat
import struct
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
LONGEST_COMMENT = 65_535
LARGEST_DESCRIPTOR = 24
LONGEST_LINK = 4096
CHUNK = 64 * 1024
STORED, DEFLATED = 0, 8
ENCRYPTED = 0x0001 | 0x0040 | 0x2000
SIZES_FOLLOW = 0x0008
IS_UTF8 = 0x0800
ZIP64 = 0x0001
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
UNIX, MACOS = 3, 19
DOS_FOLDER = 0x10
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Rules:
    """What an archive may have at most; sizes are bytes, those of names in UTF-8."""

    entries: int = 20_000
    total: int = 512 * 1024 * 1024
    one: int = 256 * 1024 * 1024
    name: int = 1024
    part: int = 255
    depth: int = 64


@dataclass(frozen=True)
class Summary:
    """What an archive holds: files and links, folders named by entries, bytes when unpacked."""

    files: int
    folders: int
    size: int


class UnsafeArchive(Exception):
    """An archive that is not taken: the entry (None: the archive as a whole) and the rule."""

    def __init__(self, rule: str, message: str, entry: str | None = None) -> None:
        super().__init__(message if entry is None else f"{entry!r}: {message}")
        self.rule = rule
        self.message = message
        self.entry = entry


@dataclass(frozen=True)
class Entry:
    """An entry of the central directory. `kind` is "file", "folder" or "link"."""

    name: str
    raw_name: bytes
    kind: str
    is_executable: bool
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def parts(self) -> list[str]:
        return self.name.rstrip("/").split("/")

    def refused(self, rule: str, message: str) -> UnsafeArchive:
        return UnsafeArchive(rule, message, self.name[:200])


USUAL = Rules()


def check(path: Path, rules: Rules = USUAL) -> Summary:
    """Read all of it as unpacking would, and write nothing. Raises UnsafeArchive, OSError."""
    with path.open("rb") as file:
        entries = _entries(file, rules)
        links = _links(entries)
        for entry in entries:
            if entry.kind == "link":
                _check_link(entry, _content(file, entry), links)
            else:
                for _ in _inflated(file, entry):
                    pass  # it raises where something is wrong
    return _summary(entries)


def extract(path: Path, target: Path, rules: Rules = USUAL) -> Summary:
    """Unpack into an empty folder: files 0644 or 0755, links last. Raises UnsafeArchive, OSError.

    Nothing outside `target` is touched, whatever the archive says. After an exception the folder
    holds what was unpacked until then.
    """
    with path.open("rb") as file:
        entries = _entries(file, rules)
        root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.listdir(root):  # noqa: PTH208  of an open folder
                raise FileExistsError(f"{target} is not empty")
            links = _links(entries)
            to_be_made = []
            for entry in entries:
                if entry.kind == "folder":
                    os.close(_folder(root, entry.parts))
                elif entry.kind == "link":
                    goal = _content(file, entry)
                    _check_link(entry, goal, links)
                    to_be_made.append((entry, goal))
                else:
                    _write(root, entry, _inflated(file, entry))
            for entry, goal in to_be_made:
                folder = _folder(root, entry.parts[:-1])
                try:
                    os.symlink(goal, entry.parts[-1].encode(), dir_fd=folder)
                finally:
                    os.close(folder)
        finally:
            os.close(root)
    return _summary(entries)


def _summary(entries: list[Entry]) -> Summary:
    folders = sum(entry.kind == "folder" for entry in entries)
    return Summary(len(entries) - folders, folders, sum(entry.size for entry in entries))


# The directory.


def _entries(file: BinaryIO, rules: Rules) -> list[Entry]:
    """The entries, checked in all that can be seen without unpacking them."""
    count, size, start = _end(file)
    if count > rules.entries:
        raise UnsafeArchive(
            "too_many_entries", f"It has {count} entries; {rules.entries} are taken."
        )
    file.seek(start)
    directory = file.read(size)
    entries = []
    at = 0
    for _ in range(count):
        if len(directory) - at < CENTRAL.size:
            raise UnsafeArchive("directory", "Its directory ends before its last entry.")
        entry, at = _entry(directory, at, rules)
        entries.append(entry)
    if at != len(directory):
        raise UnsafeArchive("directory", "Its directory holds more than its entries.")
    total = sum(entry.size for entry in entries)
    if total > rules.total:
        raise UnsafeArchive("too_large", f"It unpacks to {total} bytes; {rules.total} are taken.")
    _check_names(entries)
    _check_places(file, entries, start)
    return entries


def _end(file: BinaryIO) -> tuple[int, int, int]:
    """Number of entries, size and place of the directory, behind which the end record begins."""
    length = file.seek(0, os.SEEK_END)
    from_ = max(0, length - END.size - LONGEST_COMMENT)
    file.seek(from_)
    tail = file.read(length - from_)
    found = [
        place.start()
        for place in re.finditer(re.escape(b"PK\x05\x06"), tail)
        if len(tail) - place.start() >= END.size
        and END.unpack_from(tail, place.start())[7] == len(tail) - place.start() - END.size
    ]
    if not found:
        raise UnsafeArchive("not_a_zip", "It is no zip archive, was cut, or something follows it.")
    if len(found) > 1:
        raise UnsafeArchive("several_ends", "It can be read as several archives.")
    _, disk, first, here, count, size, start, _ = END.unpack_from(tail, found[0])
    ends_at = from_ + found[0]
    if FULL16 in (count, here) or FULL32 in (size, start) or _has_locator(file, ends_at):
        count, size, start, ends_at = _end64(file, ends_at, (count, size, start))
    elif disk or first or here != count:
        raise UnsafeArchive("several_disks", "It is one part of several.")
    if start + size != ends_at:
        raise UnsafeArchive(
            "layout", "Something stands before the archive or beside its directory."
        )
    return count, size, start


def _has_locator(file: BinaryIO, ends_at: int) -> bool:
    if ends_at < END64_LOCATOR.size:
        return False
    file.seek(ends_at - END64_LOCATOR.size)
    return file.read(4) == b"PK\x06\x07"


def _end64(file: BinaryIO, ends_at: int, short: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The same of a zip64 archive, whose short record must not say otherwise."""
    lie = UnsafeArchive("zip64", "Its zip64 records are missing or disagree with the others.")
    place = ends_at - END64_LOCATOR.size
    if place < END64.size or not _has_locator(file, ends_at):
        raise lie
    file.seek(place)
    _, disk, at, disks = END64_LOCATOR.unpack(file.read(END64_LOCATOR.size))
    if disk or disks > 1 or at != place - END64.size:
        raise lie
    file.seek(at)
    signature, length, *_, count, total, size, start = END64.unpack(file.read(END64.size))
    values = (total, size, start)
    says_the_same = all(
        one in (full, other)
        for one, other, full in zip(short, values, (FULL16, FULL32, FULL32), strict=True)
    )
    if (
        signature != b"PK\x06\x06"
        or length != END64.size - 12
        or count != total
        or not says_the_same
    ):
        raise lie
    return total, size, start, at


def _entry(directory: bytes, at: int, rules: Rules) -> tuple[Entry, int]:
    """The entry at a place of the directory, and where the next one begins."""
    (
        signature, made_by, _, flags, method, _, _, crc, packed, size,
        name_length, extra_length, comment_length, disk, _, attributes, offset,
    ) = CENTRAL.unpack_from(directory, at)  # fmt: skip
    ends = at + CENTRAL.size + name_length + extra_length + comment_length
    if signature != b"PK\x01\x02" or ends > len(directory):
        raise UnsafeArchive("directory", "Its directory is damaged.")
    raw = directory[at + CENTRAL.size :][:name_length]
    name = _name(raw, flags)
    extra = directory[at + CENTRAL.size + name_length :][:extra_length]
    if disk not in (0, FULL16):
        raise UnsafeArchive("several_disks", "Its content is in another part.", name)
    size, packed, offset = _wide(name, extra, (size, packed, offset))
    kind, is_executable = _kind(name, made_by >> 8, attributes)
    entry = Entry(name, raw, kind, is_executable, flags, method, crc, packed, size, offset)
    _check_name(entry, rules)
    _check_content(entry, rules)
    return entry, ends


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if flags & IS_UTF8:
            shown = raw.decode(errors="backslashreplace")
            raise UnsafeArchive("name_encoding", "Its name is no UTF-8.", shown) from None
        return raw.decode("cp437")


def _wide(name: str, extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Size, packed size and offset, those that do not fit into 32 bits from the zip64 field."""
    wanted = sum(value == FULL32 for value in values)
    if not wanted:
        return values
    field = _zip64_field(extra)
    if field is None or len(field) < 8 * wanted:
        raise UnsafeArchive("zip64", "Its sizes are missing.", name)
    wide = iter(struct.unpack_from(f"<{wanted}Q", field))
    size, packed, offset = (next(wide) if value == FULL32 else value for value in values)
    return size, packed, offset


def _zip64_field(extra: bytes) -> bytes | None:
    at = 0
    while len(extra) - at >= 4:
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == ZIP64:
            return extra[at + 4 :][:length]
        at += 4 + length
    return None


def _kind(name: str, system: int, attributes: int) -> tuple[str, bool]:
    mode = attributes >> 16 if system in (UNIX, MACOS) else 0
    match stat.S_IFMT(mode):
        case stat.S_IFLNK:
            return "link", False
        case stat.S_IFDIR:
            return "folder", False
        case 0 | stat.S_IFREG:
            is_folder = name.endswith("/") or (system == 0 and attributes & DOS_FOLDER)
            return ("folder", False) if is_folder else ("file", bool(mode & 0o111))
        case _:
            raise UnsafeArchive("special_file", "It is neither file nor folder nor link.", name)


def _check_name(entry: Entry, rules: Rules) -> None:
    name = entry.name
    parts = name.removesuffix("/").split("/")
    if CONTROL.search(name):
        raise entry.refused("control_character", "Its name has a control character.")
    if "\\" in name:
        raise entry.refused("backslash", "Its name has a backslash.")
    if name.startswith("/") or DRIVE.match(name):
        raise entry.refused("absolute", "Its name is absolute.")
    if ".." in parts:
        raise entry.refused("parent_folder", "Its name leads out of its folder.")
    if "" in parts or "." in parts:
        raise entry.refused("empty_part", "A part of its name is empty or a dot.")
    if len(name.encode()) > rules.name or any(len(part.encode()) > rules.part for part in parts):
        raise entry.refused(
            "long_name", f"Names have at most {rules.name} bytes, {rules.part} in each part."
        )
    if len(parts) > rules.depth:
        raise entry.refused("deep", f"It lies deeper than {rules.depth} folders.")


def _check_content(entry: Entry, rules: Rules) -> None:
    if entry.flags & ENCRYPTED:
        raise entry.refused("encrypted", "It is encrypted.")
    if entry.method not in (STORED, DEFLATED):
        raise entry.refused("method", f"Its compression ({entry.method}) is not known here.")
    if entry.size > rules.one:
        raise entry.refused(
            "too_large", f"It unpacks to {entry.size} bytes; {rules.one} are taken."
        )
    if entry.kind == "folder" and entry.size:
        raise entry.refused("folder_with_content", "It is a folder, and has content.")
    if entry.kind == "link" and not 0 < entry.size <= LONGEST_LINK:
        raise entry.refused("link", "It is a link that leads to nothing or is too long.")
    if entry.name.endswith("/") and entry.kind != "folder":
        raise entry.refused("special_file", "It has a folder's name and is none.")
    if entry.method == STORED and entry.packed != entry.size:
        raise entry.refused("size", "It is stored as it is, with another size.")


def _check_names(entries: list[Entry]) -> None:
    """No name twice, also by case or Unicode form; nothing below a file or a link."""
    seen: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        key = _alike(entry.parts)
        if key in seen:
            raise entry.refused(
                "duplicate", f"It is there twice, as {seen[key].name[:200]!r}, too."
            )
        seen[key] = entry
    for entry in entries:
        key = _alike(entry.parts)
        for length in range(1, len(key)):
            above = seen.get(key[:length])
            if above is not None and above.kind != "folder":
                raise entry.refused("below_a_file", f"{above.name[:200]!r} is no folder.")


def _alike(parts: list[str]) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFKC", part).casefold() for part in parts)


def _check_places(file: BinaryIO, entries: list[Entry], end: int) -> None:
    """The contents lie one after the other, and their own headers say what the directory says."""
    at = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < at:
            raise entry.refused("overlap", "Its content is another entry's, too.")
        if entry.offset > at:
            raise entry.refused("layout", "Something that no entry names stands before it.")
        begins = _begin(file, entry)
        at = begins + entry.packed
        if at > end:
            raise entry.refused("overlap", "Its content runs into the directory.")
        if entry.flags & SIZES_FOLLOW:
            at += _descriptor(file, entry, at)
    if at != end:
        raise UnsafeArchive("layout", "Something that no entry names stands before the directory.")


def _begin(file: BinaryIO, entry: Entry) -> int:
    """Where an entry's content begins, behind its own header."""
    file.seek(entry.offset)
    head = file.read(LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise entry.refused("local_header", "It has no header of its own.")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(head)
    rest = file.read(name_length + extra_length)
    says_the_same = rest[:name_length] == entry.raw_name and method == entry.method
    if (flags ^ entry.flags) & (ENCRYPTED | SIZES_FOLLOW):
        says_the_same = False
    if not flags & SIZES_FOLLOW:
        size, packed, _ = _wide(entry.name, rest[name_length:], (size, packed, 0))
        if (crc, packed, size) != (entry.crc, entry.packed, entry.size):
            says_the_same = False
    if not says_the_same or len(rest) < name_length + extra_length:
        raise entry.refused("local_header", "Its own header disagrees with the directory.")
    return entry.offset + LOCAL.size + len(rest)


def _descriptor(file: BinaryIO, entry: Entry, at: int) -> int:
    """The length of the record behind a content that repeats its sizes (section 4.3.9)."""
    file.seek(at)
    found = file.read(LARGEST_DESCRIPTOR)
    for form in ("<4sL2Q", "<4s3L", "<L2Q", "<3L"):
        length = struct.calcsize(form)
        values = struct.unpack_from(form, found) if len(found) >= length else ()
        if values[-3:] == (entry.crc, entry.packed, entry.size) and (
            "4s" not in form or values[0] == b"PK\x07\x08"
        ):
            return length
    raise entry.refused("local_header", "The sizes behind its content disagree with the directory.")


# Contents.


def _inflated(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The content in pieces of at most 64 KiB; raises UnsafeArchive at the first byte too many."""
    size, crc = 0, 0
    for piece in _pieces(file, entry):
        size += len(piece)
        if size > entry.size:
            raise entry.refused("size", "It unpacks to more than it says.")
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != entry.size:
        raise entry.refused("size", "It unpacks to less than it says.")
    if crc != entry.crc:
        raise entry.refused("damaged", "Its content is damaged.")


def _pieces(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    if entry.method == STORED:
        yield from _packed(file, entry)
        return
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in _packed(file, entry):
            rest = chunk
            while rest and not unpacker.eof:
                yield unpacker.decompress(rest, CHUNK)
                rest = unpacker.unconsumed_tail
            if rest or unpacker.unused_data:
                raise entry.refused("size", "Something follows its content.")
        while not unpacker.eof and (piece := unpacker.decompress(b"", CHUNK)):
            yield piece
    except zlib.error:
        raise entry.refused("damaged", "Its content cannot be unpacked.") from None
    if not unpacker.eof:
        raise entry.refused("damaged", "Its content has no end.")


def _packed(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    at, left = _begin(file, entry), entry.packed
    while left:
        file.seek(at)  # others may have read elsewhere since
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            raise entry.refused("size", "Its content is cut.")
        at, left = at + len(chunk), left - len(chunk)
        yield chunk


def _content(file: BinaryIO, entry: Entry) -> bytes:
    return b"".join(_inflated(file, entry))


def _links(entries: list[Entry]) -> set[tuple[str, ...]]:
    return {_alike(entry.parts) for entry in entries if entry.kind == "link"}


def _check_link(entry: Entry, goal: bytes, links: set[tuple[str, ...]]) -> None:
    """A link leads to a place inside the tree, and by no other link."""
    try:
        text = goal.decode()
    except UnicodeDecodeError:
        raise entry.refused("link", "It leads to a name that is no UTF-8.") from None
    if CONTROL.search(text) or "\\" in text or text.startswith("/") or DRIVE.match(text):
        raise entry.refused("link", "It leads out of the archive.")
    place = entry.parts[:-1]
    for part in text.split("/"):
        if part == "..":
            if not place:
                raise entry.refused("link", "It leads out of the archive.")
            place.pop()
        elif part not in ("", "."):
            place.append(part)
        if _alike(place) in links:
            raise entry.refused("link", "It leads through a link.")


def _folder(root: int, parts: list[str]) -> int:
    """Open a folder below `root`, made where it is missing. The caller closes it."""
    at = os.dup(root)
    for part in parts:
        name = part.encode()
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=at)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        finally:
            os.close(at)
        at = inner
    return at


def _write(root: int, entry: Entry, content: Iterator[bytes]) -> None:
    folder = _folder(root, entry.parts[:-1])
    try:
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(entry.parts[-1].encode(), how, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(file, "wb") as out:
        for piece in content:
            out.write(piece)
        os.fchmod(out.fileno(), 0o755 if entry.is_executable else 0o644)


def main(arguments: list[str]) -> int:
    """Unpack an archive into a folder, and print how it went as a line of JSON."""
    path, target = arguments
    told: dict[str, str | int | None]
    try:
        done = extract(Path(path), Path(target))
    except UnsafeArchive as error:
        told = {"entry": error.entry, "rule": error.rule, "message": error.message}
    except OSError as error:
        told = {"entry": None, "rule": "host", "message": str(error)}
    else:
        told = {"files": done.files, "folders": done.folders, "size": done.size}
    print(json.dumps(told))  # noqa: T201  its answer
    return 1 if "rule" in told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
