"""A project as a zip archive, and its submission as a job."""

import io
import json
import stat
import subprocess
import uuid
import zipfile
from pathlib import Path
from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.transport import Transport

LIMIT_BYTES = 512 * 1024 * 1024


def zipped(folder: Path) -> bytes:
    """Zip the files that git tracks in `folder`, as they lie there now.

    Links stay links: nothing from outside the folder gets in. Raises Refused when it is no git
    repository, has nothing, or is larger than a job may be.
    """
    names = tracked(folder)
    if not names:
        raise failures.Refused(
            f"Git tracks nothing in {folder}: `git add` what belongs to the project."
        )
    content = io.BytesIO()
    size = 0
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name in names:
            path = folder / name
            try:
                state = path.lstat()
            except FileNotFoundError:
                continue  # deleted, and the deletion is not staged
            if stat.S_ISLNK(state.st_mode):
                link = zipfile.ZipInfo(name)
                link.create_system = 3  # Unix: the mode says that it is a link
                link.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(link, str(path.readlink()))
            elif stat.S_ISREG(state.st_mode):
                size += state.st_size
                if size > LIMIT_BYTES:
                    raise failures.Refused(f"{folder} has more than {LIMIT_BYTES >> 20} MiB.")
                archive.write(path, name)
    return content.getvalue()


def tracked(folder: Path) -> list[str]:
    """The files that git tracks in `folder`. Raises Refused when git cannot tell."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached"]
    try:
        told = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise failures.Refused(
            "git is not installed, which tells what belongs to a project."
        ) from None
    if told.returncode:
        reason = told.stderr.decode("utf-8", "replace").strip()
        raise failures.Refused(f"{folder} cannot be submitted: {reason}")
    return sorted(
        {name for name in told.stdout.decode("utf-8", "surrogateescape").split("\0") if name}
    )


def submit(
    transport: Transport, archive: bytes, job: dict[str, Any] | None, key: str | None
) -> dict[str, Any]:
    """Submit an archive; the job. A lost answer makes no second job. Raises a Failure."""
    boundary = uuid.uuid4().hex
    parts = [("file", 'filename="project.zip"', "application/zip", archive)]
    if job:
        parts.append(("job", "", "application/json", json.dumps(job).encode()))
    body = bytearray()
    for name, more, kind, content in parts:
        disposition = f'form-data; name="{name}"' + (f"; {more}" if more else "")
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n"
        body += head.encode() + content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Accept": "application/json",
    }
    key = key or str(uuid.uuid4())
    with transport.open("POST", "/jobs", None, bytes(body), headers, key=key) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told
