"""The root folder of a box: mount points of ours, and what is mounted on them.

The root holds no file of the host's but what a program needs to start: the system folders
and the runner's Python (or the folders of an unpacked image), and a few files of `/etc`.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mod_ci.runner.engines.model import Box, EngineFailure, ImageMissing, Mount
from mod_ci.runner.sandbox import PRIVATE

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Where libraries, certificates, names of services and of time zones are; no secrets.
OF_ETC = (
    "alternatives", "ca-certificates", "crypto-policies", "debian_version", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release",
    "pki/ca-trust/extracted", "pki/tls/certs", "protocols", "services", "ssl/certs",
    "ssl/openssl.cnf",
)  # fmt: skip
# The kernel's, or the box's own, whatever an image has there.
OWN = frozenset({"proc", "dev", "sys", "tmp", "run"})
OWN_OF_ETC = frozenset({"hosts", "hostname", "resolv.conf", "mtab"})
UID = GID = 1000
USERS = f"root:x:0:0::/root:/bin/sh\nci:x:{UID}:{GID}::/tmp:/bin/sh\n"
GROUPS = f"root:x:0:\nci:x:{GID}:\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
PATHS = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
# Where the box sees our launcher.
LAUNCH = "/.ci/launch.py"


def launcher() -> Mount:
    """The program that is process 1 of every box."""
    return Mount(Path(__file__).resolve().parents[1] / "launch.py", LAUNCH)


def environment(box: Box) -> dict[str, str]:
    """All the variables of a box's program."""
    own = str(Path(sys.executable).parent) + ":" if box.image is None else ""
    return {"PATH": own + PATHS, "HOME": "/tmp", "LANG": "C.UTF-8"} | dict(box.environment)  # noqa: S108


def python(box: Box) -> list[str]:
    """The interpreter of the launcher: the runner's own, or the image's."""
    program = "python3" if box.image is not None else os.path.realpath(sys.executable)
    return [program, "-I", "-S", LAUNCH]


def lay_out(
    box: Box, image: Path | None, root: Path, private: Path, *, stored: bool = False
) -> list[Mount]:
    """Make the root folder and the private folder of a box; returns what to mount, in order.

    stored: the engine has the image itself.
    """
    root.mkdir()
    private.mkdir(mode=0o777)
    private.chmod(0o1777)
    for place in ("proc", "dev", "run", "sys", *(place.strip("/") for place in PRIVATE)):
        (root / place).mkdir(parents=True, exist_ok=True)
    mounts = [launcher(), *box.mounts]
    if image is not None:
        mounts = [*of_image(image, root, network=box.network), *mounts]
    elif not stored:
        mounts = [*of_host(root, network=box.network), *mounts]
    for mount in mounts:
        expect_own_place(mount, mounts)
        make_point(mount, root, private)
    return mounts


def of_host(root: Path, *, network: bool) -> Iterator[Mount]:
    """Yield the mounts of the default environment, and write its own files."""
    host = Path("/")
    for name in SYSTEM:
        yield from entry(host / name, root, f"/{name}")
    prefixes = {Path(sys.base_prefix), Path(sys.prefix)}
    for prefix in sorted(prefixes):
        if prefix.parts[1] not in SYSTEM:
            yield Mount(prefix, str(prefix))
    etc = make_etc(root, network=network)
    for name, text in (("passwd", USERS), ("group", GROUPS)):
        (etc / name).write_text(text, encoding="ascii")
    for name in OF_ETC:
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        yield from entry(host / "etc" / name, root, f"/etc/{name}")


def of_image(image: Path, root: Path, *, network: bool) -> Iterator[Mount]:
    """Yield the mounts of an unpacked image."""
    for path in sorted(image.iterdir()):
        if path.name not in OWN and path.name != "etc":
            yield from entry(path, root, f"/{path.name}")
    # Engines have to add files of their own, and an image is never written to.
    make_etc(root, network=network)
    for path in sorted((image / "etc").iterdir()) if (image / "etc").is_dir() else []:
        if path.name not in OWN_OF_ETC:
            yield from entry(path, root, f"/etc/{path.name}")


def make_etc(root: Path, *, network: bool) -> Path:
    """Make `/etc` with the names of hosts; returns it."""
    etc = root / "etc"
    etc.mkdir()
    (etc / "hosts").write_text(HOSTS, encoding="ascii")
    resolver = Path("/etc/resolv.conf")
    if network and resolver.is_file():
        (etc / "resolv.conf").write_bytes(resolver.read_bytes())
    return etc


def entry(source: Path, root: Path, target: str) -> Iterator[Mount]:
    """Yield the mount of a file or folder, if it is there; a link is made anew instead."""
    if source.is_symlink():
        (root / target.strip("/")).symlink_to(source.readlink())
    elif source.is_dir() or source.is_file():
        yield Mount(source, target)


def expect_own_place(mount: Mount, mounts: list[Mount]) -> None:
    """Raise EngineFailure for a target that is no place of its own.

    Within another mount it would be looked up in a tree that strangers fill with links.
    """
    target = PurePosixPath(mount.target)
    if not target.is_absolute() or ".." in target.parts or len(target.parts) < 2:
        raise EngineFailure(f"a box cannot have {mount.target} mounted")
    if target.parts[1] in ("proc", "dev", "sys"):
        raise EngineFailure(f"a box has a {target.parts[1]} of its own")
    for other in mounts:
        if other is not mount and target.is_relative_to(other.target):
            raise EngineFailure(f"{mount.target} lies in {other.target}")


def make_point(mount: Mount, root: Path, private: Path) -> None:
    """Make what a mount is mounted on."""
    target = PurePosixPath(mount.target)
    point = root / target.relative_to("/")
    for place in PRIVATE:
        if target.is_relative_to(place):
            point = private / target.relative_to(place)
    if point.is_symlink():
        raise EngineFailure(f"{mount.target} is a link in the box")
    if mount.source.is_dir():
        point.mkdir(parents=True, exist_ok=True)
    elif mount.source.exists():
        point.parent.mkdir(parents=True, exist_ok=True)
        point.touch()
    else:
        raise EngineFailure(f"{mount.source.name} is to be mounted and is not there")


def find_image(name: str | None, images: Path | None) -> Path | None:
    """The folder of an image; None for the default environment. Raises ImageMissing."""
    if name is None:
        return None
    # A name, never a path: a project may choose it.
    if images is not None and name not in ("", ".", "..") and "/" not in name:
        folder = images / name
        if folder.is_dir():
            return folder
    raise ImageMissing(f"this runner has no image {name[:100]!r}")
