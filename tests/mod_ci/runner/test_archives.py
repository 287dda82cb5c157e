"""Archives of strangers: what is taken comes back byte for byte, everything else is refused."""

import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_ci.runner import archives
from mod_ci.runner.archives import Rules, UnsafeArchive

UNIX_FILE, UNIX_FOLDER, UNIX_LINK = 0o100644, 0o040755, 0o120777


@dataclass(frozen=True)
class Made:
    """An entry as it is written: whatever is not said otherwise is right."""

    name: str | bytes
    content: bytes = b"content"
    mode: int = UNIX_FILE
    system: int = 3
    flags: int = 0x0800
    method: int = 8
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    local_method: int | None = None
    local_size: int | None = None
    local_flags: int | None = None
    offset: int | None = None
    extra: bytes = b""
    attributes: int | None = None
    descriptor: bytes | None = None
    disk: int = 0
    before: bytes = b""


def archive(
    entries: Iterable[Made],
    *,
    prefix: bytes = b"",
    suffix: bytes = b"",
    count: int | None = None,
    directory: bytes = b"",
    comment: bytes = b"",
    start_by: int = 0,
    disk: int = 0,
) -> bytes:
    """A zip archive of these entries, with the lies that were asked for."""
    out, central = io.BytesIO(), io.BytesIO()
    out.write(prefix)
    number = 0
    for entry in entries:
        number += 1
        out.write(entry.before)
        name = entry.name.encode() if isinstance(entry.name, str) else entry.name
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        deflated = packer.compress(entry.content) + packer.flush()
        packed = entry.packed
        if packed is None:
            packed = deflated if entry.method == 8 else entry.content
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        packed_size = len(packed) if entry.packed_size is None else entry.packed_size
        local_flags = entry.flags if entry.local_flags is None else entry.local_flags
        follow = bool(local_flags & 8)
        local_name = name if entry.local_name is None else entry.local_name
        offset = out.tell() if entry.offset is None else entry.offset
        out.write(
            archives.LOCAL.pack(
                b"PK\3\4", 20, local_flags,
                entry.method if entry.local_method is None else entry.local_method, 0, 0,
                *((0, 0, 0) if follow else
                  (crc, packed_size, size if entry.local_size is None else entry.local_size)),
                len(local_name), 0,
            )
        )  # fmt: skip
        out.write(local_name + packed)
        if follow:
            usual = struct.pack("<4s3L", b"PK\7\x08", crc, packed_size, size)
            out.write(usual if entry.descriptor is None else entry.descriptor)
        attributes = entry.mode << 16 if entry.attributes is None else entry.attributes
        central.write(
            archives.CENTRAL.pack(
                b"PK\1\2", entry.system << 8 | 20, 20, entry.flags, entry.method, 0, 0, crc,
                packed_size, size, len(name), len(entry.extra), 0, entry.disk, 0, attributes,
                offset,
            )
        )  # fmt: skip
        central.write(name + entry.extra)
    start = out.tell()
    whole = central.getvalue() + directory
    count = number if count is None else count
    end = archives.END.pack(
        b"PK\5\6", disk, 0, count, count, len(whole), start + start_by, len(comment)
    )
    return out.getvalue() + whole + end + comment + suffix


ONE = Made("a.txt")
BOMB = Made("big", bytes(3_000_000))
LARGE = archive([Made("a", b"x" * 5000), Made("b", b"y" * 5000)])


def link(name: str, goal: str | bytes) -> Made:
    return Made(name, goal.encode() if isinstance(goal, str) else goal, mode=UNIX_LINK)


def named(name: str | bytes) -> bytes:
    return archive([Made(name)])


HOSTILE: dict[str, tuple[str, bytes]] = {
    "empty": ("not_a_zip", b""),
    "no zip": ("not_a_zip", b"#!/bin/sh\necho hello\n"),
    "cut": ("not_a_zip", archive([ONE])[:-5]),
    "cut directory": ("layout", archive([ONE], start_by=1)),
    "text behind": ("not_a_zip", archive([ONE], suffix=b"more")),
    "archive behind": ("layout", archive([ONE]) + archive([Made("b.txt")])),
    "archive in the comment": ("several_ends", archive([ONE], comment=archive([Made("b")]))),
    "program before": ("layout", archive([ONE], prefix=b"#!/bin/sh\n", start_by=-10)),
    "hidden before": ("layout", archive([ONE], prefix=b"hidden")),
    "hidden between": ("layout", archive([ONE, Made("b", before=b"hidden")])),
    "fewer entries than said": ("directory", archive([ONE], count=2)),
    "more entries than said": ("directory", archive([ONE, Made("b")], count=1)),
    "more in the directory": ("directory", archive([ONE], directory=b"rest")),
    "several disks": ("several_disks", archive([ONE], disk=1)),
    "entry on another disk": ("several_disks", archive([Made("a", disk=3)])),
    "encrypted": ("encrypted", archive([Made("a", flags=0x0801)])),
    "strongly encrypted": ("encrypted", archive([Made("a", flags=0x0841)])),
    "directory encrypted": ("encrypted", archive([Made("a", flags=0x2800)])),
    "encrypted in its own header": ("local_header", archive([Made("a", local_flags=0x0801)])),
    "absolute": ("absolute", named("/etc/passwd")),
    "double slash": ("absolute", named("//host/share")),
    "drive": ("absolute", named("C:/windows/system.ini")),
    "drive without slash": ("absolute", named("c:boot.ini")),
    "parent": ("parent_folder", named("../up.txt")),
    "parent inside": ("parent_folder", named("a/../../up.txt")),
    "parent at the end": ("parent_folder", named("a/..")),
    "parent folder": ("parent_folder", archive([Made("../", b"", mode=UNIX_FOLDER)])),
    "backslash": ("backslash", named("..\\up.txt")),
    "backslash inside": ("backslash", named("a\\b.txt")),
    "NUL": ("control_character", named("a.txt\0.py")),
    "newline": ("control_character", named("a\nb")),
    "escape": ("control_character", named("a\x1b[2Jb")),
    "delete": ("control_character", named("a\x7fb")),
    "no name": ("empty_part", named("")),
    "dot": ("empty_part", named("./a")),
    "only a dot": ("empty_part", named(".")),
    "empty part": ("empty_part", named("a//b")),
    "two slashes at the end": ("empty_part", archive([Made("a//", b"", mode=UNIX_FOLDER)])),
    "no UTF-8": ("name_encoding", named(b"a\xff\xfe")),
    "long part": ("long_name", named("x" * 256)),
    "long part in UTF-8": ("long_name", named("é" * 128)),
    "long name": ("long_name", named("/".join(["x" * 200] * 6))),
    "deep": ("deep", named("a/" * 70 + "b")),
    "twice": ("duplicate", archive([ONE, ONE])),
    "twice by case": ("duplicate", archive([ONE, Made("A.TXT")])),
    "twice by Unicode form": ("duplicate", archive([Made("é"), Made("e\u0301")])),
    "twice by width": ("duplicate", archive([Made("a"), Made("\uff41")])),
    "file and folder": (
        "duplicate",
        archive([Made("a"), Made("a/", b"", mode=UNIX_FOLDER)]),
    ),
    "below a file": ("below_a_file", archive([Made("a"), Made("a/b")])),
    "below a file by case": ("below_a_file", archive([Made("A"), Made("a/b")])),
    "below a link": ("below_a_file", archive([link("a", "."), Made("a/b")])),
    "below a link that comes later": ("below_a_file", archive([Made("a/b"), link("a", "c")])),
    "device": ("special_file", archive([Made("a", b"", mode=0o020666)])),
    "block device": ("special_file", archive([Made("a", b"", mode=0o060666)])),
    "fifo": ("special_file", archive([Made("a", b"", mode=0o010644)])),
    "socket": ("special_file", archive([Made("a", b"", mode=0o140755)])),
    "link with a folder's name": ("special_file", archive([link("a/", "b")])),
    "folder with content": ("folder_with_content", archive([Made("a/", b"x", mode=UNIX_FOLDER)])),
    "absolute link": ("link", archive([link("a", "/etc/passwd")])),
    "link out": ("link", archive([link("a", "../x")])),
    "link out from a folder": ("link", archive([link("d/a", "../../x")])),
    "link out by a detour": ("link", archive([link("a", "b/../../x")])),
    "link to nothing": ("link", archive([link("a", "")])),
    "link with NUL": ("link", archive([link("a", "b\0c")])),
    "link with a backslash": ("link", archive([link("a", "..\\..\\x")])),
    "link through a link": ("link", archive([link("a", "d/e"), link("d", "sub"), Made("sub/e")])),
    "link to a link": ("link", archive([link("a", "b"), link("b", "c"), Made("c")])),
    "link to itself": ("link", archive([link("a", "a")])),
    "long link": ("link", archive([link("a", "x" * 5000)])),
    "link that is no UTF-8": ("link", archive([link("a", b"\xff")])),
    "two of one content": ("overlap", archive([ONE, Made("b", offset=0, local_name=b"a.txt")])),
    "content in the directory": (
        "overlap",
        archive([Made("a", method=0, packed_size=500, size=500)]),
    ),
    "no header of its own": ("local_header", archive([ONE]).replace(b"PK\3\4", b"PK\0\0", 1)),
    "hidden at the beginning": ("layout", archive([Made("a", offset=1), Made("b")])),
    "another name inside": ("local_header", archive([Made("a", local_name=b"b")])),
    "another method inside": ("local_header", archive([Made("a", local_method=0)])),
    "another size inside": ("local_header", archive([Made("a", local_size=8)])),
    "another descriptor": (
        "local_header",
        archive([Made("a", flags=0x0808, descriptor=struct.pack("<4s3L", b"PK\7\x08", 1, 2, 3))]),
    ),
    "unknown method": ("method", archive([Made("a", method=12)])),
    "old method": ("method", archive([Made("a", method=1)])),
    "stored with another size": ("size", archive([Made("a", method=0, size=3)])),
    "more than it says": ("size", archive([Made("a", size=3)])),
    "less than it says": ("size", archive([Made("a", size=30)])),
    "a bomb that says little": ("size", archive([replace(BOMB, size=10)])),
    "something behind the content": (
        "size",
        archive([Made("a", packed=zlib.compress(b"content")[2:-4] + b"more")]),
    ),
    "no end": ("damaged", archive([Made("a", packed=zlib.compress(b"content")[2:-6])])),
    "wrong sum": ("damaged", archive([Made("a", crc=1)])),
    "no deflated content": ("damaged", archive([Made("a", packed=b"\xff" * 9)])),
    "zip64 without its record": ("zip64", archive([Made("a", size=0xFFFFFFFF)])),
    "zip64 with a short record": (
        "zip64",
        archive([Made("a", size=0xFFFFFFFF, extra=struct.pack("<2HL", 1, 4, 7))]),
    ),
    "zip64 with a huge size": (
        "too_large",
        archive([Made("a", size=0xFFFFFFFF, extra=struct.pack("<2HQ", 1, 8, 1 << 60))]),
    ),
    "one file too large": ("too_large", archive([Made("a", size=0x7FFFFFFF)])),
    "too large together": (
        "too_large",
        archive([Made(str(n), size=200 << 20) for n in range(3)]),
    ),
    "too many entries": ("too_many_entries", archive([ONE], count=20_001)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_at_once_and_when_unpacked(name: str, tmp_path: Path) -> None:
    rule, content = HOSTILE[name]
    path, target = tmp_path / "a.zip", tmp_path / "target"
    path.write_bytes(content)
    target.mkdir()

    with pytest.raises(UnsafeArchive) as checked:
        archives.check(path)
    with pytest.raises(UnsafeArchive) as unpacked:
        archives.extract(path, target)

    assert checked.value.rule == unpacked.value.rule == rule
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.zip", "target"}


def test_there_are_many_of_them() -> None:
    assert len(HOSTILE) >= 60


def tree(folder: Path) -> dict[str, tuple[str, object]]:
    """Every file, folder and link below a folder: its kind, and content and x bit or goal."""
    found: dict[str, tuple[str, object]] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))  # noqa: PTH115  as it is written
        elif path.is_dir():
            found[name] = ("folder", None)
        else:
            mode = stat.S_IMODE(path.stat().st_mode)
            found[name] = ("file", (path.read_bytes(), oct(mode)))
    return found


def unpacked(path: Path, target: Path) -> dict[str, tuple[str, object]]:
    target.mkdir()
    checked = archives.check(path)
    assert archives.extract(path, target) == checked
    return tree(target)


USUAL_TREE = {
    "README": ("file", (b"hello\n", "0o644")),
    "empty": ("folder", None),
    "run.sh": ("file", (b"#!/bin/sh\n", "0o755")),
    "src": ("folder", None),
    "src/caf\u00e9.py": ("file", (b"x = 1\n" * 9000, "0o644")),
    "src/again": ("link", "../README"),
}


def write_usual(folder: Path) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "README").write_bytes(b"hello\n")
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o4755)
    (folder / "src" / "caf\u00e9.py").write_bytes(b"x = 1\n" * 9000)
    (folder / "src" / "again").symlink_to("../README")


def test_an_archive_made_by_hand_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(
        archive(
            [
                Made("README", b"hello\n", method=0),
                Made("empty/", b"", mode=UNIX_FOLDER, method=0),
                Made("run.sh", b"#!/bin/sh\n", mode=0o104755, flags=0x0808),
                Made("src/caf\u00e9.py", b"x = 1\n" * 9000),
                link("src/again", "../README"),
            ],
            comment=b"a comment",
        )
    )

    assert unpacked(path, tmp_path / "target") == USUAL_TREE


@pytest.mark.parametrize("how", [["-r"], ["-r", "-0"], ["-r", "-y"]], ids=str)
def test_what_zip_makes_is_taken(how: list[str], tmp_path: Path) -> None:
    if shutil.which("zip") is None:
        pytest.skip("zip is not installed")
    folder = tmp_path / "project"
    write_usual(folder)
    path = tmp_path / "a.zip"
    subprocess.run(["zip", "-q", *how, path, "."], cwd=folder, check=True)

    found = unpacked(path, tmp_path / "target")

    followed = {**USUAL_TREE, "src/again": ("file", (b"hello\n", "0o644"))}
    assert found == (USUAL_TREE if "-y" in how else followed)


def test_a_streamed_zip64_archive_is_taken(tmp_path: Path) -> None:
    if shutil.which("zip") is None:
        pytest.skip("zip is not installed")
    folder = tmp_path / "project"
    write_usual(folder)
    path = tmp_path / "a.zip"
    with path.open("wb") as out:
        subprocess.run(
            ["zip", "-q", "-r", "-y", "-fz", "-", "."], cwd=folder, check=True, stdout=out
        )

    assert unpacked(path, tmp_path / "target") == USUAL_TREE


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_python_makes_is_taken(method: int, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write_usual(folder)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as made:
        for one in sorted(folder.rglob("*")):
            made.write(one, one.relative_to(folder))
        with made.open("large", "w", force_zip64=True) as large:
            large.write(b"zip64")

    found = unpacked(path, tmp_path / "target")

    assert found == {
        **USUAL_TREE,
        "src/again": ("file", (b"hello\n", "0o644")),
        "large": ("file", (b"zip64", "0o644")),
    }


def test_what_windows_and_macos_make_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(
        archive(
            [
                Made("folder/", b"", system=0, attributes=0x10, method=0),
                Made(b"folder/caf\x82.txt", b"from DOS", system=0, attributes=0x20, flags=0),
                Made("__MACOSX/._a", b"fork", system=19, flags=0x0808),
                Made("a", b"data", system=19, flags=0x0808),
            ]
        )
    )

    assert unpacked(path, tmp_path / "target") == {
        "folder": ("folder", None),
        "folder/caf\u00e9.txt": ("file", (b"from DOS", "0o644")),
        "__MACOSX": ("folder", None),
        "__MACOSX/._a": ("file", (b"fork", "0o644")),
        "a": ("file", (b"data", "0o644")),
    }


def test_an_archive_without_entries_is_an_empty_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive([]))

    assert unpacked(path, tmp_path / "target") == {}


def test_a_bomb_is_refused_before_it_is_written(tmp_path: Path) -> None:
    path, target = tmp_path / "a.zip", tmp_path / "target"
    target.mkdir()
    path.write_bytes(archive([replace(BOMB, name=str(n)) for n in range(5)]))

    with pytest.raises(UnsafeArchive, match="unpacks to 15000000 bytes"):
        archives.extract(path, target, Rules(total=10_000_000))

    assert list(target.iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    path, target = tmp_path / "a.zip", tmp_path / "target"
    target.mkdir()
    (target / "mine").write_text("mine")
    path.write_bytes(archive([Made("mine", b"theirs")]))

    with pytest.raises(FileExistsError):
        archives.extract(path, target)

    assert (target / "mine").read_text() == "mine"


def test_it_runs_alone_and_answers_with_a_line_of_json(tmp_path: Path) -> None:
    def run(content: bytes, target: Path) -> tuple[int, dict[str, object]]:
        path = tmp_path / "a.zip"
        path.write_bytes(content)
        target.mkdir()
        done = subprocess.run(
            [sys.executable, "-I", archives.__file__, path, target],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    assert run(archive([ONE]), tmp_path / "1") == (0, {"files": 1, "folders": 0, "size": 7})
    assert run(named("../a"), tmp_path / "2") == (
        1,
        {"entry": "../a", "rule": "parent_folder", "message": "Its name leads out of its folder."},
    )


PARTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/\\:"),
    min_size=1,
    max_size=12,
).filter(lambda part: part not in (".", ".."))
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(st.binary(max_size=300), st.booleans()), max_size=8))
def test_random_trees_come_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("random")
    path = folder / "a.zip"
    made = [
        Made(name, content, mode=0o100755 if is_executable else UNIX_FILE)
        for name, (content, is_executable) in files.items()
    ]
    path.write_bytes(archive(made))
    try:
        found = unpacked(path, folder / "target")
    except UnsafeArchive as error:
        assert error.rule in {"duplicate", "below_a_file"}
        return

    kept = {name: content for name, (kind, content) in found.items() if kind == "file"}
    assert kept == {
        name: (content, "0o755" if is_executable else "0o644")
        for name, (content, is_executable) in files.items()
    }


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_or_stays_within_its_folder(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    whole = bytearray(
        archive(
            [Made("d/", b"", mode=UNIX_FOLDER, method=0), Made("d/a", b"x" * 400), link("l", "d/a")]
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path, target = folder / "a.zip", folder / "target"
    path.write_bytes(whole)
    target.mkdir()

    try:
        done = archives.extract(path, target)
    except UnsafeArchive:
        pass
    else:
        assert archives.check(path) == done

    assert {one.name for one in folder.iterdir()} == {"a.zip", "target"}
    assert sum(one.stat().st_size for one in target.rglob("*") if one.is_file()) <= 1000
