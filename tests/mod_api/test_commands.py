"""What commands have in common."""

import pytest


@pytest.mark.parametrize(
    "command",
    [
        "rollup rebuild",
        "rollup verify",
        "rollup adopt",
        "logs keep",
        "queue expire",
        "jobs expire",
        "outbox deliver",
    ],
)
def test_a_database_that_is_away_is_told_in_one_line(make_app, command) -> None:
    app = make_app(database_url="mysql+pymysql://me:hidden@127.0.0.1:1/site")

    done = app.test_cli_runner().invoke(args=command.split())

    assert done.exit_code == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: The database does not do this: ")
    assert "hidden" not in line
