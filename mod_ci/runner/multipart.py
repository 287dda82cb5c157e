"""A `multipart/form-data` body that is read from its files while it is sent."""

import io
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self


class Multipart:
    """One JSON part and any number of files, none of which is held in memory.

    A context manager: leaving it closes the files. Give `rewound()` to requests as the
    body; its length is known beforehand, so nothing is sent in chunks.
    """

    def __init__(self, name: str, value: Mapping[str, Any], files: Iterable[tuple[str, Path]]):
        """name, value: the JSON part. files: pairs of a part's name and its file."""
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.stack = ExitStack()
        self.parts: list[IO[bytes]] = []
        text = json.dumps(value)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="'
        self.parts.append(
            memory(f'{head}{name}"\r\nContent-Type: application/json\r\n\r\n{text}\r\n')
        )
        for part, path in files:
            kind = f'{part}"; filename="{part}"\r\nContent-Type: application/octet-stream\r\n\r\n'
            self.parts += [memory(head + kind), self.stack.enter_context(path.open("rb"))]
            self.parts.append(memory("\r\n"))
        self.parts.append(memory(f"--{boundary}--\r\n"))
        self.length = sum(part.seek(0, io.SEEK_END) for part in self.parts)
        self.current = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def rewound(self) -> Self:
        """This body, from its start: every try sends all of it."""
        for part in self.parts:
            part.seek(0)
        self.current = 0
        return self

    def __len__(self) -> int:
        return self.length

    def read(self, size: int = 65536) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        while self.current < len(self.parts):
            data = self.parts[self.current].read(size)
            if data:
                return data
            self.current += 1
        return b""


def memory(text: str) -> IO[bytes]:
    """A piece of the body that is not a file."""
    return io.BytesIO(text.encode())
