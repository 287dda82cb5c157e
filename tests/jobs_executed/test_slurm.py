"""Pilots on a real Slurm of the test's own: two nodes on this host, one of which dies."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config import ROOT
from tests import factories
from tests.conftest import Site
from tests.jobs_executed.conftest import Jobs
from tests.patience import until
from tests.servers import free_port
from tests.web_server import Server

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
MISSING = [
    name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
]
pytestmark = [
    pytest.mark.exhaustive,  # its daemons are no part of the gate
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(MISSING), reason=f"Slurm is not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's nodes are started as root"),
]
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SlurmdTimeout=20
SlurmdParameters=config_overrides
Epilog={epilog}
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=1
PartitionName=all Nodes=n1,n2 Default=YES
"""
PROJECT = {
    "test_it.py": "import time\n\ndef test_quick(): pass\n\ndef test_slow():\n    time.sleep(8)\n"
}


class Slurm:
    """A controller and two nodes; `environ` leads Slurm's commands to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self.environ = {
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
            "SLURM_CONF": str(folder / "slurm.conf"),
        }

    def start(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        for name in ("state", "spool-n1", "spool-n2"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(
            CONF.format(
                host=os.uname().nodename.partition(".")[0],
                folder=self.folder,
                controller=free_port(),
                first=free_port(),
                second=free_port(),
                epilog=ROOT / "deploy" / "slurm" / "epilog.sh",
            )
        )
        socket = self.folder / "munge.sock"
        self.daemon(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket}",
            f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munge.seed",
        )  # fmt: skip
        until(socket.exists)
        self.daemon("slurmctld", "-D")
        self.nodes = [self.daemon("slurmd", "-D", "-N", name) for name in ("n1", "n2")]
        until(lambda: self.call("sinfo", "-h", "-N", "-o", "%t").split() == ["idle", "idle"])

    def daemon(self, *argv: str) -> subprocess.Popen[bytes]:
        with (self.folder / "daemons.log").open("ab") as log:
            self.started.append(subprocess.Popen(argv, env=self.environ, stdout=log, stderr=log))
        return self.started[-1]

    def call(self, *argv: str) -> str:
        return subprocess.run(
            argv, env=self.environ, check=False, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout

    def processes(self, job: str = "", *, keepers: bool = False) -> list[psutil.Process]:
        """The processes of a job, or of all jobs, of this Slurm; with their steps' keepers."""
        found = []
        for process in psutil.process_iter():
            try:
                environ = process.environ()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if environ.get("SLURM_CONF") == self.environ["SLURM_CONF"] and (
                keepers
                or (environ.get("SLURM_JOB_ID", "") == job if job else "SLURM_JOB_ID" in environ)
            ):
                found.append(process)
        return found

    def kill_node(self, number: int, job: str) -> None:
        """End a node as a power cut does: its daemon and all of the job on it."""
        self.nodes[number].kill()
        self.nodes[number].wait()
        for process in psutil.process_iter(["cmdline"]):
            if f"slurmstepd: [{job}." in " ".join(process.info["cmdline"] or []):
                process.send_signal(signal.SIGKILL)
        for process in self.processes(job):
            process.kill()

    def stop(self) -> None:
        self.call("scancel", "--name=ci-pilot", "--signal=KILL", "--full")
        for daemon in reversed(self.started):
            daemon.kill()
            daemon.wait()
        # The keepers of steps, too, which outlive their daemon and have no SLURM_JOB_ID.
        for process in self.processes(keepers=True):
            process.kill()


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    folder = tmp_path / "slurm"
    folder.mkdir()
    found = Slurm(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        for log in folder.glob("*.log"):
            sys.stderr.write(f"{log.name}\n{log.read_text()[-2000:]}")


def test_a_pilot_finishes_what_a_dead_node_had(
    serve: Callable[..., Server], site: Site, slurm: Slurm, tmp_path: Path
) -> None:
    metrics = free_port()
    server = serve(lease_seconds=5, metrics_address=f"127.0.0.1:{metrics}")
    jobs = Jobs(server, factories.signed_in("contributor", "jobs:read", "jobs:write"))
    token = tmp_path / "token"
    token.write_text(factories.signed_in("admin", "runs:execute")["Authorization"].split()[1])
    token.chmod(0o600)
    slurm.environ |= {
        "CI_PILOT_PROGRAM": str(ROOT),
        "CI_PILOT_PYTHON": sys.executable,
        "CI_PILOT_WORK": str(tmp_path),
        "RUNNER_SERVER": f"http://127.0.0.1:{server.port}",
        "RUNNER_TOKEN_FILE": str(token),
        "RUNNER_ENGINE": "bwrap",
    }

    def pilots() -> None:
        subprocess.run(
            [sys.executable, ROOT / "deploy/slurm/pilots.py", "--lock", tmp_path / "lock",
             "--metrics", f"http://127.0.0.1:{metrics}/metrics",
             ROOT / "deploy/slurm/pilot.sh"],
            env=slurm.environ, check=True, timeout=120,
        )  # fmt: skip

    def passed(job_id: str) -> bool:
        return "passed" in [one["outcome"] for one in jobs.get(job_id, "/tests")["data"]]

    first = jobs.submit(PROJECT)
    pilots()
    until(lambda: passed(first))
    (killed, node) = slurm.call("squeue", "-h", "-o", "%A %N").split()
    slurm.kill_node(("n1", "n2").index(node), killed)
    second = jobs.submit(PROJECT)
    until(lambda: jobs.get(first)["state"] == "queued")
    pilots()

    ended = [jobs.ended(job_id) for job_id in (first, second)]
    assert [job["conclusion"] for job in ended] == ["success", "success"]
    reasons = [[one["end_reason"] for one in job["attempts"]] for job in ended]
    assert reasons == [["lease_expired", "completed"], ["completed"]]
