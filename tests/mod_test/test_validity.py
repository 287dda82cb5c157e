"""Which runs are valid, in SQL and in Python: the same ones."""

import itertools

from sqlalchemy import and_, select

from database import db
from mod_test.models import Fork, Run
from mod_test.validity import IS_VALID, is_valid
from tests import factories

GOOD = "https://github.com/CCExtractor/ccextractor"
REPOSITORIES = [
    GOOD, f"{GOOD}.git", f"{GOOD}/", f"{GOOD}/x", f"{GOOD}\n", f" {GOOD}", GOOD.upper(),
    "https://github.com/a/", "https://github.com//b", "https://github.com/a b/c", "",
    "http://github.com/a/b", "https://github.com/\u00e4/b", "https://githubxcom/a/b",
    "https://github.com/a_.-/B_.-9", "https://github.com/\u0660/b",
]  # fmt: skip
COMMITS = [
    "0" * 40, "F" * 40, "aBcDeF0123" * 4, "0" * 39, "0" * 41, "g" * 40, "0" * 39 + "\n",
    "0" * 40 + "\n", "", "\uff10" * 40,
]  # fmt: skip
PLATFORMS = ["linux", "windows", "Linux", "linux ", "amiga", ""]


def test_sql_and_python_agree(app, raw) -> None:
    runs = [factories.run() for _ in itertools.product(COMMITS, PLATFORMS)]
    ((fork_id,),) = raw.execute("SELECT DISTINCT fork_id FROM test")
    for run, (commit, platform) in zip(runs, itertools.product(COMMITS, PLATFORMS), strict=True):
        raw.execute(
            "UPDATE test SET `commit` = ?, platform = ? WHERE id = ?", [commit, platform, run.id]
        )
    valid = 0
    for repository in REPOSITORIES:
        raw.execute("UPDATE fork SET github = ? WHERE id = ?", [repository, fork_id])
        with app.app_context():
            rows = db.session.execute(
                select(
                    Run.commit, Fork.github, Run.platform, and_(*IS_VALID).label("expected")
                ).join(Fork, Fork.id == Run.fork_id)
            ).all()
        assert len(rows) == len(runs)
        for row in rows:
            told = (row.commit, row.github, row.platform)
            assert is_valid(*told) == bool(row.expected), told
            valid += is_valid(*told)
    assert valid == 3 * 3 * 2  # the other ways of writing them are not
