"""Proves that an engine's boxes are shut and that their limits hold, with one real box."""

import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from uuid import uuid4

from mod_ci.runner.engines.model import (
    ATTEMPT,
    NAMESPACE,
    RUNNER,
    Bounds,
    Box,
    Engine,
    EngineFailure,
)
from mod_ci.runner.limits import MIB

LIMIT = Bounds(
    time_s=30,
    memory_bytes=64 * MIB,
    cpus=1,
    processes=32,
    output_bytes=MIB,
    disk_bytes=MIB,
)
# Says what it sees, then takes more memory than it may have.
PROGRAM = """
import os, socket, sys
if os.path.lexists(sys.argv[1]):
    print("it sees the host's files", flush=True)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[2])), 2)
    print("it reaches the host's network", flush=True)
except OSError:
    pass
print("looked", flush=True)
taken = []
for _ in range(64):
    taken.append(bytearray(os.urandom(1 << 20)) * 8)
"""


def probe(engine: Engine, image: str | None = None) -> str | None:
    """Return what an engine cannot do, in one sentence; None when it is fit."""
    python = sys.executable if image is None else "python3"
    lines: list[str] = []
    name = f"probe-{uuid4().hex[:12]}"
    labels = {NAMESPACE: "probe", RUNNER: str(os.getpid()), ATTEMPT: "0"}
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        secret = Path(folder, "secret")
        secret.touch()
        port = str(server.getsockname()[1])
        try:
            end = engine.run(
                Box(name, labels, image=image),
                [python, "-I", "-S", "-c", PROGRAM, str(secret), port],
                LIMIT,
                line=lambda line: lines.append(line.decode("utf-8", "replace")),
                stop=threading.Event(),
            )
        except (EngineFailure, OSError) as error:
            return f"{engine.name} does not work here: {error}"
    wrong = [line for line in lines if line.startswith("it ")]
    if wrong:
        return f"a box of {engine.name} is not shut: {wrong[0]}"
    if "looked" not in lines:
        return f"a box of {engine.name} cannot run Python: {(lines or ['it says nothing'])[-1]}"
    if end.outcome != "memory_limit":
        return f"{engine.name} does not limit memory here"
    return None
