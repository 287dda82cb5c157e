"""Text from programs and servers, made fit to be shown and stored."""

import re

# C0 without tab, DEL, C1, the separators that some readers take for a line's end, and
# the marks that turn the direction of what follows.
UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
CREDENTIALS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@]*@")
TOKENS = re.compile(r"\bspc[ia]_[A-Za-z0-9_-]{8,}")


def clean(text: str) -> str:
    """The text with every character that could break a line or a terminal escaped."""
    return UNSAFE.sub(lambda found: escaped(ord(found.group())), text)


def escaped(code: int) -> str:
    """A character as `\\xNN` or `\\uNNNN`."""
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def redact(text: str) -> str:
    """The text without credentials in URLs and without tokens of the platform."""
    return TOKENS.sub("[token]", CREDENTIALS.sub(r"\1", text))


def cut(text: str, most: int) -> str:
    """The text in at most `most` characters; a cut is shown by `…`."""
    return text if len(text) <= most else text[: most - 1] + "…"


def boundary(data: bytes, most: int) -> int:
    """Return how many bytes, at most `most`, so that no UTF-8 character is cut in two."""
    if len(data) <= most:
        return len(data)
    end = most
    while end > max(0, most - 4) and data[end] & 0xC0 == 0x80:
        end -= 1
    return end or most


class LineSplitter:
    """Turns a stream of bytes into lines of text, none of them overlong.

    A line ends with a line feed, a carriage return or both; a longer piece than MOST
    bytes is split. Invalid UTF-8 is replaced. Carriage returns are ends because progress
    bars would otherwise be one endless line.
    """

    MOST = 4096

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        *lines, self.rest = re.split(rb"\r\n|\n|\r(?!\Z)", self.rest + data)
        found = [piece for line in lines for piece in self.pieces(line)]
        while len(self.rest) > self.MOST:
            end = boundary(self.rest, self.MOST)
            found.append(self.rest[:end].decode("utf-8", "replace"))
            self.rest = self.rest[end:]
        return found

    def end(self) -> list[str]:
        """What is left at the end of the stream."""
        rest, self.rest = self.rest.removesuffix(b"\r"), b""
        return self.pieces(rest) if rest else []

    def pieces(self, line: bytes) -> list[str]:
        """A line in pieces of at most MOST bytes."""
        found = []
        while len(line) > self.MOST:
            end = boundary(line, self.MOST)
            found.append(line[:end].decode("utf-8", "replace"))
            line = line[end:]
        found.append(line.decode("utf-8", "replace"))
        return found
