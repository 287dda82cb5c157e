"""Names and types of files as clients see them, and the keys under which they are stored."""

import functools
import re
from pathlib import PurePosixPath

from mod_regression.output_names import STEM, name_of
from mod_sample.storage import UnsafeName, media_info_key, result_key

# A list of our own: what a system knows of captions differs from system to system, and nothing
# that came out of a test is to be served as a page that a browser would execute.
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
    ".csv": "text/plain",
    ".json": "application/json",
    ".png": "image/png",
}
_LONGEST = 255
_HASH = re.compile("[0-9a-fA-F]{64}")


@functools.lru_cache(maxsize=4096)
def filename_of(expected_filename: str | None, extension: str) -> str:
    """The name of an output's file: the one it was written under, without any folder."""
    name = PurePosixPath(name_of(expected_filename, extension).replace("\\", "/")).name
    return shortened(name if name not in ("", ".", "..") else f"{STEM}{extension}")


def shortened(name: str) -> str:
    """A file name within the contract's bound, its end kept."""
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


@functools.lru_cache(maxsize=4096)
def content_type_of(filename: str) -> str:
    """The type under which a file is served."""
    return _TYPES.get(PurePosixPath(filename).suffix.lower(), "application/octet-stream")


@functools.lru_cache(maxsize=8192)
def output_key(content_hash: str | None, extension: str) -> str | None:
    """Return the key of a baseline or an output; None if it cannot be the name of a file."""
    try:
        return result_key(content_hash or "", extension)
    except UnsafeName:
        return None


def media_key(sha: str | None) -> str | None:
    """Return the key of a sample's media info; None if it cannot be the name of a file."""
    try:
        return media_info_key(sha or "")
    except UnsafeName:
        return None


@functools.lru_cache(maxsize=16384)
def hash_of(value: str | None) -> str | None:
    """A SHA-256 as it is shown; None for what is none, which a table may hold all the same."""
    return value if value and _HASH.fullmatch(value) else None
