"""Level and source of the lines of old logs, which name neither.

A tag at the start (`[ERROR]`, `WARN:`, `level=info`) decides. Otherwise whole words do:
an "error" inside a path, a file name or an option is no word, and "0 errors" or "no
errors" is none either.
"""

import re
from enum import StrEnum


class Level(StrEnum):
    """How bad a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Source(StrEnum):
    """Which part of the platform wrote a line."""

    ORCHESTRATOR = "orchestrator"
    WORKER = "worker"
    BUILD = "build"
    TEST_RUNNER = "test_runner"
    WEB = "web"


_TAGS = {
    "trace": Level.DEBUG,
    "debug": Level.DEBUG,
    "dbg": Level.DEBUG,
    "verbose": Level.DEBUG,
    "info": Level.INFO,
    "information": Level.INFO,
    "notice": Level.INFO,
    "warn": Level.WARNING,
    "warning": Level.WARNING,
    "err": Level.ERROR,
    "error": Level.ERROR,
    "severe": Level.ERROR,
    "crit": Level.CRITICAL,
    "critical": Level.CRITICAL,
    "fatal": Level.CRITICAL,
    "panic": Level.CRITICAL,
    "emerg": Level.CRITICAL,
    "alert": Level.CRITICAL,
}
_TAG = "|".join(sorted(_TAGS, key=len, reverse=True))

# A word stands alone: not part of a path, a file name, an option, an identifier or a value.
_ALONE = r"(?<![\w/\\.\-=@#%+~$&?])(?:{})(?![\w/\\=@%+~$(-]|\.\w|::|:/)"
_FLAGS = re.IGNORECASE | re.ASCII


def _alone(words: str) -> re.Pattern[str]:
    return re.compile(_ALONE.format(words), _FLAGS)


_HEAD_TAG = re.compile(
    r"[\s\]()|:,-]*+"
    r"(?:\[(?!(?i:" + _TAG + r")\])[^\]]{0,40}\]\s*+){0,2}"  # [main] [thread-1]
    r"(?:[A-Za-z_][\w.$-]{0,60}(?:\s+-|\s*[|:])\s+)??"  # a logger's name
    r"(?:[\[(<](?P<bracketed>(?i:" + _TAG + r"))[\])>]"
    r"|(?P<marked>(?i:" + _TAG + r"))(?=\s*[:|]|\s+-\s)"
    r"|(?P<capital>" + _TAG.upper() + r")(?=[\s,;]|$))",
    re.ASCII,
)
_NAMED_TAG = re.compile(
    r"(?<![\w-])[\"']?(?:level|levelname|lvl|severity)[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?P<tag>"
    + _TAG
    + r")(?![\w-])",
    _FLAGS,
)

_BAD = r"(?:errors?|error\(s\)|warnings?|warning\(s\)|fail(?:s|ed|ures?)?|exceptions?|crash(?:es)?)"
_KIND = (
    r"(?:(?:fatal|critical|new|other|more|further|known|serious|syntax|unexpected|compiler?|build"
    r"|link|linker|runtime|tests?|memory)\s{1,4})?"
)
_HARMLESS = re.compile(
    r"(?<![\w.,])(?:0|no|zero|without(?:\s{1,4}any)?|not\s{1,4}an?|free\s{1,4}of)\s{1,4}"
    rf"{_KIND}{_BAD}(?!\w)(?:\s{{1,4}}(?:or|and|nor)\s{{1,4}}{_BAD}(?!\w))?"
    rf"|\b{_BAD}\s{{0,4}}(?:count|total)?\s{{0,4}}[:=]\s{{0,4}}(?:0|none|no)\b(?![.,]\d)"
    rf"|\b{_BAD}\s{{1,4}}(?:count|total)\s{{1,4}}(?:0|none)\b(?![.,]\d)",
    _FLAGS,
)
_WORDS = (
    (
        Level.CRITICAL,
        _alone(
            r"critical|fatal|panic|segfault|segmentation\s{1,4}fault|core\s{1,4}dumped"
            r"|out\s{1,4}of\s{1,4}memory"
        ),
    ),
    (
        Level.ERROR,
        _alone(r"errors?|error\(s\)|fail(?:s|ed|ures?)?|exceptions?|traceback|abort(?:ed)?"),
    ),
    (Level.WARNING, _alone(r"warnings?|warning\(s\)|warn|deprecated")),
)
# ValueError: ..., subprocess.CalledProcessError: ...
_RAISED = re.compile(r"\s*(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?::\s|$)", re.ASCII)

# Lower-case pieces of which a line holds at least one when it reads as that level or
# source. A log without them is passed over without looking at its lines; the levels and
# sources that are left are what lines without any of the pieces read as.
LEVEL_PIECES: dict[Level, tuple[str, ...]] = {
    Level.DEBUG: ("debug", "trace", "dbg", "verbose"),
    Level.WARNING: ("warn", "deprecated"),
    Level.ERROR: ("err", "fail", "exception", "traceback", "abort", "severe"),
    Level.CRITICAL: ("crit", "fatal", "panic", "seg", "dumped", "memory", "emerg", "alert"),
}
SOURCE_PIECES: dict[Source, tuple[str, ...]] = {
    Source.TEST_RUNNER: ("test", "regression"),
    Source.BUILD: (
        *("build", "built", "compil", "make", "ninja", "gcc", "g++", "clang", "cargo"),
        *("rustc", "link", "configur", "%]", "error", "warning", "note:"),
    ),
    Source.ORCHESTRATOR: (
        *("orchestrator", "scheduler", "queue", "vm", "instance", "provision", "gcp", "gcloud"),
    ),
    Source.WEB: ("http", "web", "nginx", "gunicorn", "flask", "get", "post", "put", "delete"),
}
_LEVEL_PIECES = tuple(piece for pieces in LEVEL_PIECES.values() for piece in pieces)

_SOURCE_TAG = re.compile(
    r"[\s\]()|:,-]*+(?:\[(?P<bracketed>orchestrator|worker|build|test_runner|web)\]"
    r"|(?P<marked>orchestrator|worker|build|test_runner|web)(?=\s*[:|]|\s+-\s))",
    _FLAGS,
)
_DIAGNOSTIC = re.compile(
    r"\s*\[\s*\d{1,3}%\]|\s*(?:\+\s+)?make\b|\S+\.\w+:\d+(?::\d+)?:\s+(?:fatal\s+)?(?:error|warning|note):",
    _FLAGS,
)
_SUBJECTS = (
    (Source.TEST_RUNNER, _alone(r"tests?|testing|tester|test\s{0,4}suite|regression|pytest")),
    (
        Source.BUILD,
        _alone(
            r"build|building|built|compil(?:e|ed|er|ing|ation)|cmake|ninja|gcc|g\+\+|clang|cargo"
            r"|rustc|link(?:er|ing)|msbuild|configur(?:e|ing)"
        ),
    ),
    (
        Source.ORCHESTRATOR,
        _alone(r"orchestrator|scheduler|queued?|vm|instance|provision(?:ed|ing)|gcp|gcloud"),
    ),
    (Source.WEB, _alone(r"https?|web|nginx|gunicorn|flask|(?:GET|POST|PUT|DELETE)(?=\s+/)")),
)


def level_of(text: str, head: int) -> Level:
    """The level of an old log's line (cleaned text), of which `head` is where its time ends."""
    folded = text.lower()
    if not _any_in(_LEVEL_PIECES, folded):
        return Level.INFO
    found = _HEAD_TAG.match(text, head)
    if found:
        return _TAGS[(found["bracketed"] or found["marked"] or found["capital"]).lower()]
    if named := _NAMED_TAG.search(text):
        return _TAGS[named["tag"].lower()]
    if _RAISED.match(text):
        return Level.ERROR
    told = _HARMLESS.sub(" ", text)
    for level, words in _WORDS:
        if _any_in(LEVEL_PIECES[level], folded) and words.search(told):
            return level
    return Level.INFO


def source_of(text: str, head: int) -> Source:
    """The source of such a line; old logs are the workers' own."""
    found = _SOURCE_TAG.match(text, head)
    if found:
        return Source((found["bracketed"] or found["marked"]).lower())
    folded = text.lower()
    if _any_in(SOURCE_PIECES[Source.BUILD], folded) and _DIAGNOSTIC.match(text, head):
        return Source.BUILD
    for source, words in _SUBJECTS:
        if _any_in(SOURCE_PIECES[source], folded) and words.search(text):
            return source
    return Source.WORKER


def _any_in(pieces: tuple[str, ...], folded: str) -> bool:
    # A loop is twice as quick here as any() with a generator, and this is asked of each line.
    for piece in pieces:  # noqa: SIM110
        if piece in folded:
            return True
    return False
