"""File contents embedded in JSON: text or base64, truncated for large files."""

import base64
from dataclasses import dataclass

from errors import NotFound, Unavailable
from mod_api.services.outputs.downloads import FileAccess, file_url
from mod_api.services.outputs.file_names import content_type_of
from mod_sample.storage import Located, NotStored, Repository, StorageUnavailable

MOST_BYTES = 786_432  # as base64 they are the contract's 1,048,576 characters
MOST_CHARACTERS = 1_048_576
_BYTES_OF_A_CHARACTER = 4
LOOKED_UP_S = 0.9
READ_S = 0.9


@dataclass(frozen=True)
class Inline:
    """A file, or its first part where `truncated`; `size_bytes` is that of the whole file."""

    filename: str
    content_type: str
    encoding: str
    content: str
    size_bytes: int
    truncated: bool
    storage_status: str
    download_url: str | None


def inline(
    shelf: FileAccess, key: str | None, filename: str, *, as_text: bool, missing: NotFound
) -> Inline:
    """The content of a stored file; bytes that are no UTF-8 are base64 though text was asked for.

    Takes two seconds at most. Raises `missing` where no storage has the file, and Unavailable where
    one that may have it does not answer.
    """
    if key is None:
        raise missing
    where = locate(shelf.repository, [key])[key]
    if not where.backends:
        raise missing if where.known else unavailable()
    try:
        most = MOST_CHARACTERS * _BYTES_OF_A_CHARACTER if as_text else MOST_BYTES
        data = shelf.repository.read(key, most, READ_S)
    except NotStored as error:  # removed after it was found
        raise missing from error
    except StorageUnavailable as error:
        raise unavailable() from error
    size = max(where.size or 0, len(data))
    text = _text(data, whole=len(data) == size) if as_text else None
    if text is not None:
        content, encoding, shown = text, "utf-8", len(text.encode())
    else:
        data = data[:MOST_BYTES]
        content, encoding, shown = base64.b64encode(data).decode("ascii"), "base64", len(data)
    return Inline(
        filename=filename,
        content_type=content_type_of(filename),
        encoding=encoding,
        content=content,
        size_bytes=size,
        truncated=shown < size,
        storage_status=where.storage_status.value,
        download_url=file_url(shelf, key, where, filename),
    )


def locate(repository: Repository, keys: list[str]) -> dict[str, Located]:
    """Locate files within a time that leaves enough to read them."""
    return repository.locate(keys, LOOKED_UP_S)


def unavailable() -> Unavailable:
    return Unavailable("The storage does not answer. Try again.", retry_after=5)


def _text(data: bytes, *, whole: bool) -> str | None:
    """The bytes as at most 1,048,576 characters; None where they are no UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character of a part may have been cut in its middle.
        cut = not whole and error.reason == "unexpected end of data"
        if not cut:
            return None
        text = data[: error.start].decode("utf-8")
    return text[:MOST_CHARACTERS]
