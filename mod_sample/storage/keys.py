"""The names of stored files: the same in the repository folder and in the bucket.

Names are built from values of clients and of a database that other programs write, so
each part is checked against what it may be, and refused otherwise.
"""

import functools
import re
from enum import StrEnum

from mod_sample.storage.errors import UnsafeName, WrongContent

_HASH = re.compile(r"[0-9a-fA-F]{64}")
_EXTENSION = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:\.[A-Za-z0-9_+-]{1,32}){0,3}")
_COMPONENT = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,254}")
_BY_CONTENT = re.compile(r"(?:TestFiles|TestResults)/([0-9a-fA-F]{64})(?:\.[A-Za-z0-9._+-]+)?")
_FOLDERS = frozenset(
    {
        "TestFiles",
        "TestResults",
        "LogFiles",
        "test_artifacts",
        "JobFiles",
        "JobLogs",
        "job_artifacts",
    }
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LARGEST_ID = 2_147_483_647
_LONGEST_EXTENSION = 64


class ArtifactKind(StrEnum):
    """What a run leaves besides its results and its log."""

    BINARY = "binary"
    COREDUMP = "coredump"
    COMBINED_STDOUT = "combined_stdout"


@functools.lru_cache(maxsize=4096)  # each claim names all samples of its tests
def sample_key(sha: str, extension: str | None) -> str:
    """The media file of the sample with this SHA-256; `extension` has no dot, may be empty.

    Raises UnsafeName.
    """
    return f"TestFiles/{_hash(sha)}{_dotted(extension)}"


def media_info_key(sha: str) -> str:
    """What mediainfo said of the sample with this SHA-256, as XML. Raises UnsafeName."""
    return f"TestFiles/media/{_hash(sha)}.xml"


def extra_key(sha: str, extra_id: int, extension: str | None) -> str:
    """A file uploaded beside a sample; `extension` has no dot, may be empty.

    Raises UnsafeName.
    """
    return f"TestFiles/extra/{_hash(sha)}_{_id(extra_id)}{_dotted(extension)}"


def result_key(content_hash: str, extension: str | None) -> str:
    """A baseline or an actual output; `extension` begins with its dot, or is empty.

    Raises UnsafeName.
    """
    if extension and not extension.startswith("."):
        raise UnsafeName(f"the extension {extension!r} does not begin with a dot")
    return f"TestResults/{_hash(content_hash)}{_dotted(extension[1:] if extension else None)}"


def log_key(run_id: int) -> str:
    """The log of a run. Raises UnsafeName."""
    return f"LogFiles/{_id(run_id)}.txt"


def artifact_key(run_id: int, kind: ArtifactKind | str, platform: str) -> str:
    """The binary, core dump or combined output of a run on `linux` or `windows`.

    Raises UnsafeName.
    """
    if platform not in ("linux", "windows"):
        raise UnsafeName(f"{platform!r} is no platform")
    try:
        kind = ArtifactKind(kind)
    except ValueError as error:
        raise UnsafeName(f"{kind!r} is no kind of artifact") from error
    names = {
        ArtifactKind.BINARY: "ccextractor" if platform == "linux" else "ccextractorwinfull.exe",
        ArtifactKind.COREDUMP: "coredump",
        ArtifactKind.COMBINED_STDOUT: "combined_stdout.log",
    }
    return f"test_artifacts/{_id(run_id)}/{names[kind]}"


def job_source_key(uuid: str) -> str:
    """The archive that a job was submitted as. Raises UnsafeName."""
    return f"JobFiles/{_uuid(uuid)}.zip"


def job_log_key(uuid: str) -> str:
    """The log of a job. Raises UnsafeName."""
    return f"JobLogs/{_uuid(uuid)}.txt"


def job_artifact_key(uuid: str, attempt: int, sha256: str) -> str:
    """A file that an attempt at a job left behind, by its content. Raises UnsafeName."""
    return f"job_artifacts/{_uuid(uuid)}/{_id(attempt)}/{_hash(sha256)}"


# Names are asked for again and again: which files there should be changes rarely.
@functools.lru_cache(maxsize=8192)
def check_key(key: str) -> str:
    """Give back `key` if it can name a stored file, whoever built it.

    Raises UnsafeName: the storages ask this again, so that a key that was put together
    elsewhere cannot leave the repository either.
    """
    parts = key.split("/")
    if (
        len(parts) < 2
        or parts[0] not in _FOLDERS
        or not all(_COMPONENT.fullmatch(part) for part in parts)
    ):
        raise UnsafeName(f"{key[:200]!r} is no name of a stored file")
    return key


@functools.lru_cache(maxsize=8192)
def content_hash(key: str) -> str | None:
    """The SHA-256 (lower case) of the content that `key` names; None where content may change."""
    found = _BY_CONTENT.fullmatch(key)
    return found[1].lower() if found else None


def check_content(key: str, sha256: str) -> None:
    """Raise WrongContent if `key` names a content, and not the one with this SHA-256."""
    expected = content_hash(key)
    if expected not in (None, sha256.lower()):
        raise WrongContent(f"the content for {key} has the SHA-256 {sha256}")


def _hash(value: str) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise UnsafeName(f"{str(value)[:80]!r} is no SHA-256")
    return value


def _uuid(value: str) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise UnsafeName(f"{str(value)[:80]!r} is no id of a job")
    return value


def _dotted(extension: str | None) -> str:
    if not extension:
        return ""
    if len(extension) > _LONGEST_EXTENSION or not _EXTENSION.fullmatch(extension):
        raise UnsafeName(f"{extension[:80]!r} is no extension of a file")
    return f".{extension}"


def _id(value: int) -> int:
    if type(value) is not int or not 1 <= value <= _LARGEST_ID:
        raise UnsafeName(f"{str(value)[:80]!r} is no id")
    return value
