"""The benchmarks work: databases are made, every GET is measured, and sizes can be compared."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pymysql
import pytest
from flask import Flask

from bench import bare, histories, operations, references, report
from bench.definitions import Definitions, Row
from bench.measure import HEADERS
from bench.operations import LINES, Kind, Line
from bench.places import Place, environment_of
from bench.report import Measured
from bench.serving import API, BARE, quiet, served
from bench.sizes import SIZES
from bench.subjects import subjects
from bench.timing import Asked
from config import ROOT
from mod_api.schemas.runs import SORTS, RunListQuery
from run import create_app
from tests.servers import MariaDB, free_port

pytestmark = pytest.mark.slow


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database of the size for tests."""
    file = tmp_path_factory.mktemp("bench") / "tiny.sqlite"
    done = bench("make", "--size", "tiny", "--sqlite", file)
    assert done.returncode == 0, done.stdout + done.stderr
    return file


def test_a_database_is_made_and_rolled_up(tiny: Path) -> None:
    with closing(sqlite3.connect(tiny)) as connection:
        counts = {
            table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("test", "run_record", "run_rollup", "open_run", "rollup_mark")
        }
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()

    assert counts["test"] == counts["run_record"] == 12
    assert (counts["run_rollup"], counts["open_run"], counts["rollup_mark"]) == (12, 3, 0)
    assert broken == []


def test_what_is_kept_of_its_runs_is_what_a_full_derivation_gives(tiny: Path) -> None:
    environment = {
        "FLASK_SKIP_DOTENV": "1",
        "DATABASE_URL": f"sqlite:///{tiny}",
        "SAMPLE_REPOSITORY": str(tiny.parent),
    }

    verified = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "run", "rollup", "verify"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert verified.stdout == "Everything agrees.\n", verified.stderr


def test_a_database_that_is_there_is_kept(tiny: Path) -> None:
    with closing(sqlite3.connect(tiny)) as connection, connection:
        connection.execute("UPDATE tag SET description = 'kept' WHERE id = 1")

    done = bench("make", "--size", "tiny", "--sqlite", tiny)

    assert "has tiny already" in done.stdout
    with closing(sqlite3.connect(tiny)) as connection:
        assert connection.execute("SELECT description FROM tag WHERE id = 1").fetchone() == (
            "kept",
        )


def test_what_a_migration_emptied_is_rolled_up_again(tiny: Path) -> None:
    with closing(sqlite3.connect(tiny)) as connection, connection:
        connection.execute("DELETE FROM run_rollup")

    bench("make", "--size", "tiny", "--sqlite", tiny)

    with closing(sqlite3.connect(tiny)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM run_rollup").fetchone() == (12,)


def test_a_database_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "platform.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE precious (id INTEGER)")

    done = bench("make", "--size", "tiny", "--sqlite", file)

    assert done.returncode == 1
    assert "has tables that no benchmark made" in done.stderr
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM precious").fetchone() == (0,)


def test_a_database_that_somebody_holds_locked_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "platform.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE precious (id INTEGER)")
        connection.execute("BEGIN EXCLUSIVE")

        done = bench("make", "--size", "tiny", "--sqlite", file)

        connection.execute("COMMIT")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be read: database is locked" in done.stderr
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM precious").fetchone() == (0,)


def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("precious")

    done = bench("make", "--size", "tiny", "--sqlite", file)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be read: file is not a database" in done.stderr
    assert file.read_text() == "precious"


def test_a_database_whose_making_was_broken_off_is_made_anew(tmp_path: Path) -> None:
    file, in_the_way = tmp_path / "tiny.sqlite", tmp_path / "files" / "TestResults"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    options = ("--size", "tiny", "--sqlite", file, "--repository", in_the_way.parent)
    assert bench("make", *options).returncode == 1
    in_the_way.unlink()

    done = bench("make", *options)

    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM test").fetchone() == (12,)


def test_every_get_is_measured_and_answered(tiny: Path, tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"

    done = bench(
        "measure", "--size", "tiny", "--sqlite", tiny, "--rounds", "1", "--save", kept
    )  # fmt: skip

    assert "NOT ANSWERED" not in done.stdout
    figures = report.saved(str(kept)).lines
    assert set(figures) == {line.name for line in LINES}, done.stderr
    assert all(line.statements or "health" in name for name, line in figures.items())


def test_what_is_changed_while_a_busy_database_is_measured_is_put_back(tiny: Path) -> None:
    def state() -> tuple[list[Any], int]:
        with closing(sqlite3.connect(tiny)) as connection:
            results = connection.execute("SELECT * FROM test_result").fetchall()
            ((marks,),) = connection.execute(
                "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'rollup_mark'"
            )
        return results, marks

    results, marks = state()

    done = bench(
        "measure", "--size", "tiny", "--sqlite", tiny, "--busy", "--only", "/runs?limit",
        "--seconds", "1",
    )  # fmt: skip

    now = state()
    assert "meanwhile: another connection changes a result" in done.stdout
    assert now[0] == results
    assert now[1] > marks + 1


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("measure", "--rounds", "0"), "'0' is not a whole number from 1"),
        (("measure", "--only", "/nothing"), "no line's name contains '/nothing'"),
        (("measure", "--save", "/nowhere/figures.json"), "cannot be written: No such file"),
        (("measure", "--against", "/nowhere/figures.json"), "cannot be read: No such file"),
        (("measure", "--against", "pyproject.toml"), "holds no figures of `measure`"),
        (("measure", "--compare-sizes", "tiny", "small", "--sqlite", "x"), "needs --mariadb"),
        (("throughput", "--turns", "0"), "'0' is not a whole number from 1"),
        (("throughput", "--clients", "0"), "'0' is not a whole number from 1"),
        (("queue", "--sqlite", "x"), "is measured on MariaDB"),
        (("import", "--sqlite", "x"), "is measured on MariaDB"),
        (("approval", "--database", "sqlite:///x"), "is measured on MariaDB"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_made(
    command: tuple[str, ...], told: str
) -> None:
    done = bench(*command)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("size", "url", "told"),
    [
        ("small", "sqlite:///x", "those are figures of small on sqlite"),
        ("tiny", "mysql+pymysql://platform@127.0.0.1/x", "those are figures of tiny on mysql"),
    ],
)
def test_figures_of_another_size_or_kind_of_database_are_not_compared(
    tmp_path: Path, size: str, url: str, told: str
) -> None:
    kept = tmp_path / "figures.json"
    report.save(kept, [], {size: url})

    done = bench("measure", "--size", "tiny", "--sqlite", tmp_path / "x", "--against", kept)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{told}, these would be of tiny on sqlite" in done.stderr


def test_a_line_that_there_is_no_more_is_named(tiny: Path, tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    lines = [Line("Runs.get_run", path) for path in ("/environments/old", "/elsewhere")]
    figures = [
        report.measured(line, bare=1.0, p50=2.0, p95=3.0, size=4, statements=5) for line in lines
    ]
    report.save(kept, figures, {"tiny": "sqlite:///x"})

    done = bench(
        "measure", "--size", "tiny", "--sqlite", tiny, "--rounds", "1", "--only", "/environments",
        "--against", kept,
    )  # fmt: skip

    assert re.findall("GONE SINCE: .*", done.stdout) == ["GONE SINCE: /environments/old"]


def test_what_is_served_has_none_of_a_developers_settings(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_ADDRESS", f"127.0.0.1:{free_port()}")  # that both would want
    environment = environment_of(f"sqlite:///{tiny}", tmp_path)

    with served(BARE, environment) as bare, served(API, environment) as api:
        assert len(bare.workers()) == len(api.workers()) == 2


def test_each_line_has_a_reference_or_a_reason_for_none() -> None:
    named = {references.name_of(line) for line in LINES}
    reasons = {references.reason_of(line) for line in LINES}

    assert references.without() == []
    assert set(references.REFERENCES) == named - {None}
    assert set(references.WITHOUT.values()) == reasons - {None}


def test_every_sort_of_runs_is_measured() -> None:
    of_runs = [dict(line.query) for line in LINES if line.endpoint == "Runs.list_runs"]
    default = RunListQuery().fields["sort"].load_default

    assert set(SORTS) == {query["sort"] for query in of_runs if "sort" in query} | {default}


def counts(answer: dict[str, Any]) -> tuple[int, int | None]:
    """Return how many rows there are on the page, and in all."""
    rows = answer.get("data", answer.get("matrix", [answer]))
    return len(rows), answer.get("pagination", {}).get("total")


def unlike(place: Place) -> list[str]:
    """The lines whose reference gives another number of rows, on a page or in all."""
    found = []
    values = asdict(subjects(place.size))
    client = create_app(place.settings).test_client()
    with quiet(), closing(bare.connected(place.url)) as connection:
        for line in LINES:
            name = references.name_of(line)
            if name is None or line.deep:
                continue
            asked = {**references.asked_of(line, values), "offset": "0"}
            reference = bare.answer(connection, references.REFERENCES[name], asked)
            answer = client.get(line.url(values), headers=HEADERS).get_json()
            if counts(answer) != counts(reference):
                found.append(line.name)
    return found


def test_references_give_the_rows_of_the_api(tiny: Path) -> None:
    place = Place(SIZES["tiny"], f"sqlite:///{tiny}", tiny.parent / "repository_tiny")

    assert unlike(place) == []


def test_a_get_without_a_measurement_is_named(sqlite_app: Flask) -> None:
    assert operations.missing(sqlite_app) == []

    other = Flask("other")
    other.add_url_rule("/new", "New.operation", dict)

    assert operations.missing(other) == ["New.operation", "static"]


def test_no_operation_is_named_that_there_is_no_more(sqlite_app: Flask) -> None:
    named = {line.endpoint for line in LINES} | set(operations.LEFT_OUT)

    assert named - {rule.endpoint for rule in sqlite_app.url_map.iter_rules()} == set()


@dataclass(frozen=True)
class Site:
    """A database of the size for tests on MariaDB, and the options that name it."""

    options: tuple[str | Path, ...]
    connection: "pymysql.Connection[pymysql.cursors.Cursor]"

    def one(self, query: str) -> Any:
        """The only row that it gives."""
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()


@pytest.fixture(scope="module")
def tiny_mariadb(
    mariadb: MariaDB, worker: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    name = f"bench_{worker}"
    mariadb.fresh(name)
    files = tmp_path_factory.mktemp("repository")
    options = ("--size", "tiny", "--database", mariadb.url(name), "--repository", files)
    try:
        done = bench("make", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        with mariadb.connect(name) as connection:
            yield Site(options, connection)
    finally:
        mariadb.drop(name)


def test_the_same_on_mariadb(tiny_mariadb: Site) -> None:
    newest = tiny_mariadb.one("SELECT created_at FROM run_record WHERE test_id = 12")

    assert tiny_mariadb.one("SELECT COUNT(*) FROM run_rollup") == (12,)
    assert newest[0] == histories.NEWEST.replace(tzinfo=None)


def test_a_name_does_not_make_a_database_the_benchmarks(mariadb: MariaDB, worker: str) -> None:
    name = f"bench_{worker}_precious"
    mariadb.fresh(name)
    try:
        mariadb.execute(f"CREATE TABLE `{name}`.precious (id INTEGER)")

        done = bench("make", "--size", "tiny", "--database", mariadb.url(name))

        assert "has tables that no benchmark made" in done.stderr
        mariadb.execute(f"SELECT COUNT(*) FROM `{name}`.precious")
    finally:
        mariadb.drop(name)


def test_references_give_the_rows_of_the_api_on_mariadb(tiny_mariadb: Site) -> None:
    *_, url, _, files = map(str, tiny_mariadb.options)

    assert unlike(Place(SIZES["tiny"], url, Path(files))) == []


def test_ratios_are_shown_beside_the_figures() -> None:
    line = Line("Runs.get_run", "/runs/{run}")
    figures = report.measured(
        line, bare=2.0, p50=6.0, p95=7.0, size=8, statements=1, reference=1.5, small=3.0
    )
    table = report.Table(two_sizes=True, before={line.name: figures})

    shown = dict(zip(table.head.split(), table.row(figures).split(), strict=False))

    assert [shown[head] for head in ("/bare", "/ref", "over")] == ["3.0", "4.00", "4.00"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            ("queue", "--runs", "60", "--claims", "2", "--runners", "4", "--at-once", "24"),
            r"4 runners at once: 24 claims .* 0 doubled, 0 lost",
        ),
        (("import", "--results", "13"), r"runner: result .* ms \("),
        (("approval", "--runs", "1", "--turns", "1"), r"1 outputs of \d+ runs"),
    ],
)
def test_what_writes_to_a_database_leaves_it_as_it_was(
    tiny_mariadb: Site, command: tuple[str, ...], told: str
) -> None:
    tables = (
        "test", "customized_test", "test_progress", "test_result", "gcp_instance", "run_attempt",
        "run_record", "regression_test_output_files", "rollup_mark WHERE run_id IS NOT NULL",
    )  # fmt: skip
    counts = "SELECT " + ", ".join(f"(SELECT COUNT(*) FROM {table})" for table in tables)
    before = tiny_mariadb.one(counts)

    done = bench(*command, *tiny_mariadb.options)

    assert re.search(told, done.stdout), done.stdout + done.stderr
    assert tiny_mariadb.one(counts) == before


def test_a_kept_connection_that_the_server_has_closed_is_opened_anew() -> None:
    class Forgetful(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # whose connections are kept unless somebody says otherwise

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        asked = Asked(HTTPConnection("127.0.0.1", server.server_port, timeout=10), "/", {})

        took = [asked.once() for _ in range(3)]
        server.shutdown()

    assert len(took) == 3
    assert asked.body == b"{}"


@pytest.mark.parametrize("number", [1, 157, 200])
def test_a_run_fails_in_the_same_way_at_every_size(number: int) -> None:
    def differing(size: str) -> list[Row]:
        wanted = SIZES[size]
        run = histories.facts(number, wanted)
        rows = histories.rows(run, Definitions(wanted), histories.Ids())["test_result_file"]
        return [row[:3] for row in rows if row[4] not in (None, "error")]

    of_small, of_large = (set(differing(size)) for size in ("small", "large"))

    assert of_small <= of_large
    assert {row for row in of_large if int(str(row[1])) <= SIZES["small"].tests} == of_small


def test_a_line_breaks_the_bounds_that_it_is_above() -> None:
    line = Line("Runs.list_runs", "/runs", (("limit", "50"),), Kind.LIST)

    def figures(**changed: float) -> Measured:
        values = {"bare": 1.0, "p50": 8.9, "p95": 20.0, "size": 9, "statements": 6, **changed}
        return report.measured(line, **values)  # type: ignore[arg-type]  # each by its name

    assert figures().broken == []
    assert figures(p50=9.1).broken == ["slow"]
    assert figures(statements=7).broken == ["SQL"]
    assert figures(small=6.0).broken == ["grows"]
    assert figures(small=6.0, total=20_000, small_total=250).broken == []
    assert figures(small=6.0, same=7.7).broken == []
    assert figures(small=6.0, same=7.9).broken == ["grows"]
