"""What can go wrong with a stored file."""


class StorageError(Exception):
    """Any failure of the storage; the base of all below."""


class UnsafeName(StorageError, ValueError):
    """A hash, an extension, an id or a key that must not become the name of a file."""


class NotStored(StorageError):
    """The file is in none of the storages that were asked, and all of them answered."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is not stored")
        self.key = key


class OutOfRange(StorageError):
    """A range that begins behind the end of the file; `size` is the file's, in bytes."""

    def __init__(self, key: str, start: int, size: int) -> None:
        super().__init__(f"{key} has {size} bytes, byte {start} was asked for")
        self.key = key
        self.size = size


class TooLarge(StorageError):
    """What was sent is longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes were sent")
        self.limit = limit


class WrongContent(StorageError):
    """Content that was to be kept under the name of another content's hash."""


class StorageUnavailable(StorageError):
    """A storage did not answer, not in time, or not with what it should have."""


class Damaged(StorageUnavailable):
    """A storage answered with fewer or other bytes than it says the file has."""
