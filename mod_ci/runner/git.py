"""git, called so that it neither asks, nor runs hooks, nor depends on this host's language."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner.spool import Spool
from mod_ci.runner.tools import Done, Tool, use

TIME_LIMIT_S = 1800.0

# `-c` settings that hold whatever the operator's own configuration says.
SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.autocrlf=false",
    "commit.gpgSign=false", "merge.verifySignatures=false", "advice.detachedHead=false",
    "gc.autoDetach=false", "maintenance.autoDetach=false", "protocol.ext.allow=never",
    "http.lowSpeedLimit=1000", "http.lowSpeedTime=60", "init.defaultBranch=master",
)  # fmt: skip


@dataclass(frozen=True)
class Git:
    """git in one folder, for one run."""

    folder: Path
    spool: Spool
    stopping: Callable[[], bool]

    def __call__(self, *arguments: str) -> Done:
        """Run one command; its output goes to the run's log. Raises HostFailure."""
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        argv = ["git", *settings, *arguments]
        tool = Tool(argv, self.folder, environment(), TIME_LIMIT_S, "worker")
        return use(tool, self.spool, self.stopping)

    def at(self, folder: Path) -> "Git":
        """The same git in another folder."""
        return Git(folder, self.spool, self.stopping)


def environment() -> dict[str, str]:
    """The runner's environment, for proxies and the operator's own git configuration."""
    inherited = {
        # Another repository's variables (a hook started this runner) would redirect git.
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX", "GIT_OBJECT", "RUNNER_"))
    }
    return inherited | {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_AUTHOR_NAME": "CI runner",
        "GIT_AUTHOR_EMAIL": "runner@localhost",
        "GIT_COMMITTER_NAME": "CI runner",
        "GIT_COMMITTER_EMAIL": "runner@localhost",
    }
