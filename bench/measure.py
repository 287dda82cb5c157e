"""Measures every GET of the API beside a bare Flask route and beside raw queries.

Serves a database that `make` made (and makes it if need be) with gunicorn as in production, two
processes, limits off. A round asks the bare route, the raw query and the API in turn, each on a
connection that is kept. Exit status 1: a bound of issue 6 is broken.
"""

import argparse
import contextlib
import json
import re
import time
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from bench import busy, make, mariadb, operations, references, report, statements
from bench.definitions import token_of
from bench.operations import API, LEFT_OUT, LINES, Line
from bench.options import Refused, at_least, writable
from bench.places import (
    Place,
    add_options,
    described,
    kind_of_database,
    places,
)
from bench.references import WITHOUT
from bench.report import Measured
from bench.serving import API as PLATFORM
from bench.serving import BARE, quiet, served
from bench.sizes import SIZES
from bench.subjects import subjects
from bench.timing import Asked, WrongAnswer, in_turn
from mod_auth.models import Role
from run import create_app

DEEPEST_PAGES, MOST_ROWS, WALK_SECONDS = 60, 100, 20
HEADERS = {"Authorization": f"Bearer {token_of(Role.admin)}"}


@dataclass(frozen=True)
class Site:
    """A served database: a kept connection to its API, and what paths there name."""

    place: Place
    connection: HTTPConnection
    values: dict[str, Any]

    def asked(self, line: Line) -> Asked:
        """A line's request here; of a deep page it is found by walking there."""
        cursor = self._deep_cursor(line) if line.deep else None
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        return Asked(self.connection, line.url(self.values, **more), HEADERS)

    def _deep_cursor(self, line: Line) -> str | None:
        """The cursor of a page behind six tenths of the rows, but not more than 6,000 and not
        farther than 20 s of walking; None where all rows are on the first page."""
        until = time.monotonic() + WALK_SECONDS
        cursor, limit = None, min(MOST_ROWS, max(1, self.place.size.runs // 10))
        for _ in range(DEEPEST_PAGES):
            more: dict[str, Any] = {"cursor": cursor} if cursor else {}
            page = Asked(self.connection, line.url(self.values, limit=limit, **more), HEADERS)
            page.once()
            answer = json.loads(page.body)["pagination"]
            if not answer["next_cursor"]:
                break
            cursor = answer["next_cursor"]
            if answer["offset"] + limit >= 0.6 * answer["total"] or time.monotonic() > until:
                break
        return cursor


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument(
        "--compare-sizes", nargs=2, choices=SIZES, metavar=("SMALL", "LARGE"),
        help="two databases of the same server in one run; instead of --size",
    )  # fmt: skip
    parser.add_argument(
        "--only", default="", type=_part_of_a_name, metavar="TEXT",
        help="lines whose names contain it",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=at_least(1), default=100, help="requests of each kind (100)"
    )
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="at most for a line, of three rounds at least"
    )
    parser.add_argument(
        "--busy", action="store_true", help=f"measure while {busy.TOLD}, and put it back in the end"
    )
    parser.add_argument("--explain", action="store_true", help="print the plan of each statement")
    parser.add_argument("--save", type=writable, metavar="FILE", help="keep the figures")
    parser.add_argument(
        "--against", type=report.saved, metavar="FILE",
        help="show ratios with kept ones, of the same size and kind of database",
    )  # fmt: skip


def _part_of_a_name(text: str) -> str:
    if not any(text in line.name for line in LINES):
        raise argparse.ArgumentTypeError(f"no line's name contains {text!r}")
    return text


def main(asked: argparse.Namespace) -> int:
    """Measure; 0 when every bound is kept."""
    sizes = asked.compare_sizes or [asked.size]
    _refuse_what_does_not_go_together(asked, sizes[-1])
    with places(asked, *sizes) as found, contextlib.ExitStack() as stack:
        for place in found:
            make.made(place)
        app = create_app(found[-1].settings)
        stack.enter_context(quiet())
        unknown = operations.missing(app)
        if unknown:
            raise SystemExit(f"Neither measured nor left out with a reason: {', '.join(unknown)}")
        if asked.busy:
            for place in found:
                stack.enter_context(busy.written_to(place))
        lines = [line for line in LINES if asked.only in line.name]
        results, refused = _measure(asked, app, found, lines, stack)
    if asked.save:
        report.save(asked.save, results, _about(asked, found))
    print(report.summary(results))
    for name in _gone(asked):
        print(f"GONE SINCE: {name}")
    for told in refused:
        print(f"NOT ANSWERED: {told}")
    return 1 if refused or any(each.broken for each in results) else 0


def _refuse_what_does_not_go_together(asked: argparse.Namespace, size: str) -> None:
    if asked.compare_sizes and (asked.database or asked.sqlite):
        raise Refused("--compare-sizes needs --mariadb: two databases of one server")
    of = size, kind_of_database(asked)
    if asked.against and asked.against.of != of:
        then, now = (" on ".join(each) for each in (asked.against.of, of))
        raise Refused(f"--against: those are figures of {then}, these would be of {now}")


def _gone(asked: argparse.Namespace) -> list[str]:
    """The lines of the earlier run that there are no more."""
    if not asked.against:
        return []
    names = {line.name for line in LINES}
    return [name for name in asked.against.lines if asked.only in name and name not in names]


def _measure(
    asked: argparse.Namespace,
    app: Flask,
    found: list[Place],
    lines: list[Line],
    stack: contextlib.ExitStack,
) -> tuple[list[Measured], list[str]]:
    """The figures of the lines, and what was not answered with success."""
    for name, text in _about(asked, found).items():
        print(f"{name}: {text}")
    for endpoint in sorted(set(LEFT_OUT) & set(app.view_functions)):
        print(f"left out: {endpoint}, {LEFT_OUT[endpoint]}")
    for name, reason in sorted(WITHOUT.items()):
        print(f"without a reference: {name}, {reason}")
    beside = stack.enter_context(served(BARE, found[-1].environment)).connect()
    sites = [
        Site(
            place,
            stack.enter_context(served(PLATFORM, place.environment)).connect(),
            asdict(subjects(place.size)),
        )
        for place in found
    ]
    before = asked.against.lines if asked.against else None
    table = report.Table(two_sizes=len(found) > 1, before=before)
    print(f"\n{table.head}")
    results: list[Measured] = []
    refused: list[str] = []
    for line in lines:
        try:
            result, url = _line(asked, app, beside, sites, line)
        except WrongAnswer as error:
            refused.append(str(error))
            continue
        results.append(result)
        print(table.row(result), flush=True)
        if asked.explain:
            sent = statements.statements_of(app, url, HEADERS)
            print(statements.explained(app, sent), flush=True)
    return results, refused


def _line(
    asked: argparse.Namespace, app: Flask, beside: HTTPConnection, sites: list[Site], line: Line
) -> tuple[Measured, str]:
    """A line's figures, and the URL that was asked for at the largest size."""
    bare = Asked(beside, "/bare", HEADERS)
    of_sites = [site.asked(line) for site in sites]
    reference = _reference(beside, sites[-1], line, of_sites[-1])
    as_many = _as_many(line, of_sites)
    in_turn([bare, *reference, *of_sites, *as_many], asked.rounds, asked.seconds)
    last = of_sites[-1]
    more: dict[str, Any] = {"total": _total(last), "reference": None}
    if reference:
        more["reference"] = reference[0].median
    if len(of_sites) > 1:
        more |= {"small": of_sites[0].median, "small_total": _total(of_sites[0])}
    if as_many:
        more["same"] = as_many[0].median
    result = report.measured(
        line,
        bare=bare.median,
        p50=last.median,
        p95=last.p95,
        size=len(last.body),
        statements=len(statements.statements_of(app, last.url, HEADERS)),
        **more,
    )
    return result, last.url


def _reference(beside: HTTPConnection, site: Site, line: Line, of_site: Asked) -> list[Asked]:
    """The reference's request for the same page, where there is one."""
    name = references.name_of(line)
    if name is None:
        return []
    asked = references.asked_of(line, site.values)
    if "limit" in asked:
        of_site.once()
        asked["offset"] = str(json.loads(of_site.body)["pagination"]["offset"])
    return [Asked(beside, f"/reference?{urlencode({'reference': name, **asked})}", HEADERS)]


def _as_many(line: Line, of_sites: list[Asked]) -> list[Asked]:
    """Where the smaller size has fewer rows on its page: a page of as many at the larger one, to be
    held against it. What a row costs has nothing to do with how large a database is."""
    if len(of_sites) < 2 or "limit" not in dict(line.query):
        return []
    rows = []
    for each in of_sites:
        each.once()
        rows.append(len(json.loads(each.body)["data"]))
    if rows[0] >= rows[-1]:
        return []
    last = of_sites[-1]
    url = re.sub("(?<=limit=)[0-9]+", str(max(1, rows[0])), last.url)
    return [Asked(last.connection, url, HEADERS)]


def _total(asked: Asked) -> int | None:
    """Return how many rows matched, where the answer is a list that says so."""
    if not asked.body.startswith(b"{"):
        return None
    total = json.loads(asked.body).get("pagination", {}).get("total")
    return total if isinstance(total, int) else None


def _about(asked: argparse.Namespace, found: list[Place]) -> dict[str, str]:
    about = {place.size.name: described(place.url) for place in found}
    if any(place.url.startswith("mysql") for place in found):
        about["MariaDB of our own"] = " ".join(mariadb.SETTINGS)
    if asked.busy:
        about["meanwhile"] = busy.TOLD
    return about | {"API": API, "gunicorn": "gunicorn.conf.py, 2 processes, limits off"}
