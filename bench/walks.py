"""How much code of ours a request runs through: files, functions, calls and changes of file.

`python -m bench.walks` traces a few requests on a small SQLite database and prints one line each.
"""

import itertools
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from flask.testing import FlaskClient

from config import Settings
from database import db, migrating
from run import create_app
from tests import factories

ROOT = Path(__file__).resolve().parent.parent
WANTED = (
    "/runs", "/runs?status=fail", "/runs/{run}", "/runs/{run}/samples", "/runs/{run}/errors",
    "/regression-tests", "/system/queue",
)  # fmt: skip
OURS = ("mod_", "database", "server", "run.py", "errors.py", "metrics", "json_log.py", "config.py")


class Walk:
    """The functions of ours that are called while `trace` watches, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int]] = []

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if not code.co_filename.startswith(str(ROOT)):
            return
        name = str(Path(code.co_filename).relative_to(ROOT))
        if name.startswith(OURS):
            self.calls.append((name, code.co_qualname, code.co_firstlineno))

    def trace(self, work: Callable[[], Any]) -> Any:
        """Do `work` under the trace, in this thread and in those that it starts."""
        threading.setprofile(self.note)
        sys.setprofile(self.note)
        try:
            return work()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    @property
    def files(self) -> set[str]:
        return {name for name, *_ in self.calls}

    def __str__(self) -> str:
        names = [name for name, *_ in self.calls]
        changes = sum(one != other for one, other in itertools.pairwise(names))
        functions = len(set(self.calls))
        return (
            f"{len(self.files):3} files {functions:4} functions "
            f"{len(names):5} calls {changes:4} changes"
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            secret_key="only-for-this-measurement-0123456789abcdef",  # noqa: S106  of a temporary site
            database_url=f"sqlite:///{folder}/walks.sqlite",
            sample_repository=Path(folder) / "repository",
        )
        app = create_app(settings)
        with app.app_context():
            migrating.upgrade()
            factories.bind(db.engine)
            test = factories.regression_test()
            run = factories.run(tests=[test], progress=["preparation", "testing", "completed"])
            factories.result(run, test, exit_code=1)
            account = factories.account(role="admin")
            token = factories.bearer(
                factories.token_for(account, "runs:read", "results:read", "system:read")
            )
        client = app.test_client()
        for path in sys.argv[1:] or WANTED:
            show(client, path, "/api/v1" + path.format(run=run.id), token)


def show(client: FlaskClient, path: str, url: str, headers: dict[str, str]) -> None:
    """Print the walk of one GET; with paths on the command line its files, too."""
    for _ in range(2):
        client.get(url, headers=headers)  # what is done once is done
    walk = Walk()
    answer = walk.trace(lambda: client.get(url, headers=headers))
    print(f"{walk}  {answer.status_code} GET {path}")
    if len(sys.argv) > 1:
        for name in sorted(walk.files):
            print(f"      {len({call for call in walk.calls if call[0] == name}):3} {name}")


if __name__ == "__main__":
    main()
