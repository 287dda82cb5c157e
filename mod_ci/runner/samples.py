"""The media samples: downloaded once, kept by their hash, checked before each run."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from mod_ci.runner.claim import Sample
from mod_ci.runner.client import (
    CONNECT_TIMEOUT_S,
    TRANSIENT,
    Bearer,
    NoAnswer,
    Refused,
    object_in,
    pause_after,
    pauses,
    retry_after,
    session,
)
from mod_ci.runner.files import sha256_of
from mod_ci.runner.lease import Abandoned, Lease, Stopped
from mod_ci.runner.protocol import Attempt, ending_of

logger = logging.getLogger(__name__)

# A storage that stays away this long is not there: seconds without a byte of progress.
GIVE_UP_AFTER_S = 600.0
MOST_REDIRECTS = 3
PIECE = 1024 * 1024


class SampleMissing(Exception):
    """A sample cannot be had: it is in no storage, or not what its hash says."""


class Samples:
    """The samples of one run; any thread may ask for one.

    folder: the cache, where a sample is called by its SHA-256, and `HASH.part` is a
    download that was broken off and goes on from where it stopped.
    """

    def __init__(self, folder: Path, attempt: Attempt, samples: tuple[Sample, ...]) -> None:
        self.folder, self.attempt = folder, attempt
        self.samples = {sample.sample_id: sample for sample in samples}
        # Tests of one sample wait for one download; of different ones, for none.
        self.locks = {sample.sha256: threading.Lock() for sample in samples}
        self.checked: set[str] = set()
        self.missing: dict[str, str] = {}

    def sample(self, sample_id: int) -> Sample:
        """The sample's description; raises SampleMissing."""
        try:
            return self.samples[sample_id]
        except KeyError as error:
            raise SampleMissing(f"The claim names no sample {sample_id}") from error

    def fetch(self, sample: Sample, stopping: Callable[[], bool]) -> Path:
        """The sample's file, with the right hash.

        Raises SampleMissing, Stopped when the run is no longer ours, Abandoned when
        `stopping()` says so, and OSError when this host cannot store it.
        """
        if len(sample.sha256) != 64 or not set(sample.sha256) <= set("0123456789abcdef"):
            raise SampleMissing(f"Sample {sample.sample_id} has no valid hash")
        path = self.folder / sample.sha256
        with self.locks[sample.sha256]:
            if sample.sha256 in self.missing:
                raise SampleMissing(self.missing[sample.sha256])
            # Once a run: a file on disk can change, and a wrong sample fails many tests.
            if sample.sha256 not in self.checked:
                if sha256_of(path) != sample.sha256:
                    path.unlink(missing_ok=True)
                    try:
                        self.download(sample, path, stopping)
                    except SampleMissing as error:
                        self.missing[sample.sha256] = str(error)
                        raise
                self.checked.add(sample.sha256)
        os.utime(path)  # the oldest by use goes first
        return path

    def download(self, sample: Sample, path: Path, stopping: Callable[[], bool]) -> None:
        """Bring the sample into its place, once more from the start if its hash is wrong."""
        part = path.with_suffix(".part")
        for _ in range(2):
            persist(self.attempt, sample, part, stopping)
            if sha256_of(part) == sample.sha256:
                part.chmod(0o444)
                part.replace(path)
                return
            part.unlink(missing_ok=True)
        raise SampleMissing(f"Sample {sample.sample_id} is stored with another content")


def persist(attempt: Attempt, sample: Sample, part: Path, stopping: Callable[[], bool]) -> None:
    """Download into `part` until it is complete, going on after each break."""
    lease = attempt.lease
    pause, waited, had = pauses(), 0.0, -1
    while True:
        if stopping():
            lease.check()
            raise Abandoned
        try:
            receive(attempt, sample, part)
        except NoAnswer as error:
            size = part.stat().st_size if part.exists() else 0
            if size > had:
                pause, waited, had = pauses(), 0.0, size
            if waited > GIVE_UP_AFTER_S:
                raise SampleMissing(f"Sample {sample.sample_id} cannot be had: {error}") from error
            seconds = pause_after(error, next(pause))
            logger.warning("%s; going on in %.1f s", error, seconds)
            waited += seconds
            nap(lease, seconds, stopping)
        else:
            return


def nap(lease: Lease, seconds: float, stopping: Callable[[], bool]) -> None:
    """Sleep in short pieces, so that stopping is not waited for."""
    while seconds > 0 and not stopping():
        lease.sleep(min(seconds, 0.5))
        seconds -= 0.5


def receive(attempt: Attempt, sample: Sample, part: Path) -> None:
    """One request: what is missing of `part` is appended to it.

    Raises NoAnswer when it broke off, SampleMissing when there is no such file.
    """
    have = part.stat().st_size if part.exists() else 0
    try:
        with answer(attempt, sample, have) as response:
            status = response.status_code
            if status == 416:
                # Complete already, or longer than the file: its hash decides.
                return
            begins = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            mode = "ab" if status == 206 and begins else "wb"
            if status == 206 and not begins and have:
                part.unlink()
                raise NoAnswer("a download was answered with another range")
            with part.open(mode) as file:
                for piece in response.iter_content(PIECE):
                    file.write(piece)
                    too_long(file.tell(), sample)
    except requests.RequestException as error:
        raise NoAnswer(f"the download of sample {sample.sample_id}: {error}") from error
    expect_whole(sample, part)


def too_long(size: int, sample: Sample) -> None:
    """Raise SampleMissing when more arrives than the sample has: a disk is not endless."""
    if sample.size_bytes is not None and size > sample.size_bytes:
        raise SampleMissing(f"Sample {sample.sample_id} is longer than announced")


def expect_whole(sample: Sample, part: Path) -> None:
    """Raise NoAnswer when a download ended early without saying so."""
    size = part.stat().st_size
    if sample.size_bytes is not None and size < sample.size_bytes:
        raise NoAnswer(f"the download of sample {sample.sample_id} broke off at {size} bytes")


def answer(attempt: Attempt, sample: Sample, have: int) -> requests.Response:
    """The answer that has the sample's bytes from `have` on, redirects followed.

    The attempt's credential goes to the server's own address and nowhere else. Raises
    NoAnswer, SampleMissing, and Stopped when the server says that the run is not ours.
    """
    url = urljoin(f"{attempt.server}/", sample.url)
    own = attempt.url(f"samples/{sample.sample_id}")
    if urlsplit(url).path.endswith(urlsplit(own).path.removeprefix(urlsplit(attempt.server).path)):
        # The server's public address may be another than the one it is reached by from here.
        url = own
    for _ in range(MOST_REDIRECTS + 1):
        ours = same_server(url, attempt.server)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        response = session().get(
            url,
            auth=Bearer(attempt.credential if ours else None),
            headers=headers,
            stream=True,
            timeout=(CONNECT_TIMEOUT_S, 60.0),
            allow_redirects=False,
        )
        if response.status_code in (200, 206) or (response.status_code == 416 and have):
            return response
        with response:
            if not response.is_redirect:
                fail(attempt, sample, response, ours=ours)
            url = urljoin(url, response.headers["Location"])
    raise SampleMissing(f"Sample {sample.sample_id} is redirected too often")


def same_server(url: str, server: str) -> bool:
    """Return whether both have the same scheme, host and port."""
    one, other = urlsplit(url), urlsplit(server)
    default = {"http": 80, "https": 443}
    return (
        (one.scheme, one.hostname) == (other.scheme, other.hostname)
        and (one.port or default.get(one.scheme)) == (other.port or default.get(other.scheme))
    )  # fmt: skip


def fail(attempt: Attempt, sample: Sample, response: requests.Response, *, ours: bool) -> None:
    """Raise what an answer without the sample means."""
    status = response.status_code
    if status in TRANSIENT or status >= 500:
        wait_s = retry_after(response.headers.get("Retry-After"))
        raise NoAnswer(f"the download of sample {sample.sample_id}: {status}", wait_s)
    if ours:
        ending = ending_of(Refused("the download", status, object_in(response) or {}))
        if ending is not None:
            attempt.lease.end(ending)
            raise Stopped(ending)
    if status == 404:
        raise SampleMissing(f"Sample {sample.sample_id} is in no storage")
    raise SampleMissing(f"The storage refuses sample {sample.sample_id}: {status}")
