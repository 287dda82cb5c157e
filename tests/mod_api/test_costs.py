"""What a read costs: the same few statements for three rows and for a hundred."""

import pytest

from tests import factories
from tests.runners import API
from tests.sql import counted

MOST = 8
LISTS = (
    "/runs", "/runs?status=fail", "/runs?sort=-started_at&status=queued", "/system/queue",
    "/auth/tokens",
)  # fmt: skip
OF_A_RUN = ("", "/summary", "/progress", "/config")


def fill(count: int, headers_of: factories.AccountRow) -> factories.RunRow:
    """`count` of everything that the reads above go through; the run that has it all."""
    tests = [
        factories.regression_test(outputs=[factories.Expected(), factories.Expected()])
        for _ in range(count)
    ]
    for _ in range(count):
        run = factories.run(
            tests=tests[:2], progress=["preparation", "testing", "completed"],
            requested_by=headers_of,
        )  # fmt: skip
        factories.result(run, tests[0], exit_code=1)
        factories.run(tests=tests[:1])
        factories.token_for(headers_of, "runs:read")
    whole = factories.run(tests=tests, progress=["preparation", *["testing"] * count, "completed"])
    for test in tests:
        factories.result(whole, test, outputs={test.outputs[0]: factories.digest("other")})
    return whole


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def test_every_read_costs_the_same_few_statements_however_long(dialect, sites) -> None:
    site = sites(dialect)
    costs: list[dict[str, int]] = []
    for count in (3, 40):
        site.empty()
        with site.app.app_context():
            from database import db

            factories.bind(db.engine)
        client = site.app.test_client()
        person = factories.account("admin")
        headers = factories.bearer(
            factories.token_for(person, "runs:read", "system:read", "tokens:manage")
        )
        run = fill(count, person)
        paths = [*LISTS, *(f"/runs/{run.id}{part}" for part in OF_A_RUN)]
        found = {}
        for place, path in enumerate(paths):
            client.get(f"{API}{path}", headers=headers)  # whatever a first reading settles
            with counted(site.app) as statements:
                response = client.get(f"{API}{path}", headers=headers)
            assert response.status_code == 200, response.json
            assert len(statements) <= MOST, (path, statements)
            found[paths[place].replace(str(run.id), "N")] = len(statements)
        costs.append(found)

    assert costs[0] == costs[1]
