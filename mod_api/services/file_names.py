"""Names and types of files as clients see them, and the keys under which they are stored."""

import mimetypes
import re
from pathlib import PurePosixPath

from mod_sample.storage import UnsafeName, media_info_key, result_key

# Named in the first place because what a system knows of captions differs from system to system.
_TYPES = {
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".webvtt": "text/vtt",
    ".ass": "text/plain",
    ".ssa": "text/plain",
    ".ttxt": "text/plain",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".diff": "text/x-diff",
    ".xml": "application/xml",
    ".html": "text/plain",
    ".htm": "text/plain",
    ".svg": "text/plain",
    ".bin": "application/octet-stream",
    ".exe": "application/octet-stream",
    "": "application/octet-stream",
}
_LONGEST = 255
_HASH = re.compile("[0-9a-fA-F]{64}")


def filename_of(expected_filename: str | None, extension: str) -> str:
    """The name of an output's file: the one it was written under, without any folder."""
    name = PurePosixPath((expected_filename or "").replace("\\", "/")).name
    return shortened(name if name not in ("", ".", "..") else f"output{extension}")


def shortened(name: str) -> str:
    """A file name within the contract's bound, its end kept."""
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def content_type_of(filename: str) -> str:
    """The type under which a file is served; never one that a browser would execute."""
    suffix = PurePosixPath(filename).suffix.lower()
    known = _TYPES.get(suffix) or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    return known if len(known) <= 100 else "application/octet-stream"


def output_key(content_hash: str | None, extension: str) -> str | None:
    """Where a baseline or an output is stored; None for what cannot be the name of a file."""
    try:
        return result_key(content_hash or "", extension)
    except UnsafeName:
        return None


def media_key(sha: str | None) -> str | None:
    """Where a sample's media info is stored; None for what cannot be the name of a file."""
    try:
        return media_info_key(sha or "")
    except UnsafeName:
        return None


def hash_of(value: str | None) -> str | None:
    """A SHA-256 as it is shown; None for what is none, which a table may hold all the same."""
    return value if value and _HASH.fullmatch(value) else None
