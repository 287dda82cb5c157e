"""Where a benchmark's database and files are: the options that say it, and what they mean."""

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from bench import mariadb
from bench.options import Refused
from bench.sizes import SIZES, Size
from config import INSTANCE, Settings

SECRET = "only-for-measuring-0123456789abcdefghijklmnop"  # noqa: S105  of databases made by us


@dataclass(frozen=True)
class Place:
    """A database of a size, by its SQLAlchemy URL, and its sample repository."""

    size: Size
    url: str
    repository: Path

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(self.url, self.repository)

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(dict(self.environment))


def environment_of(url: str, repository: Path) -> dict[str, str]:
    """The settings of an application with this database and these files, without limits."""
    return {
        "FLASK_SKIP_DOTENV": "1",
        "DATABASE_URL": url,
        "SAMPLE_REPOSITORY": str(repository),
        "SECRET_KEY": SECRET,
        **{f"RATE_LIMIT_{kind}": "off" for kind in ("READ", "WRITE", "AUTH", "RUNNER")},
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--size` and where its database is."""
    parser.add_argument("--size", choices=SIZES, default="small", help="of the database (small)")
    add_place_options(parser)


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Where databases are; without any option a MariaDB of our own in `instance/bench`."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--database", metavar="URL", help="the database itself, as DATABASE_URL")
    where.add_argument(
        "--mariadb",
        type=Path,
        metavar="FOLDER",
        help="a MariaDB of our own whose data is kept here (instance/bench/mariadb); the databases "
        "are bench_SIZE",
    )
    where.add_argument("--sqlite", type=Path, metavar="FILE", help="a SQLite file")
    parser.add_argument(
        "--repository",
        type=Path,
        metavar="FOLDER",
        help="the sample repository (repository_SIZE beside the data, or in instance/bench)",
    )


def kind_of_database(asked: argparse.Namespace) -> str:
    """What the options name, as in URLs: `sqlite` or `mysql`."""
    if asked.sqlite:
        return "sqlite"
    return make_url(asked.database).get_backend_name() if asked.database else "mysql"


@contextlib.contextmanager
def places(
    asked: argparse.Namespace, *sizes: str, only_mariadb: bool = False
) -> Iterator[list[Place]]:
    """The places of these sizes; a MariaDB of our own runs meanwhile. Raises Refused."""
    if only_mariadb and kind_of_database(asked) == "sqlite":
        raise Refused("this is measured on MariaDB: --mariadb FOLDER or --database URL")
    with contextlib.ExitStack() as stack:
        if asked.database or asked.sqlite:
            file = asked.sqlite and asked.sqlite.expanduser().resolve()
            beside = file.parent if file else INSTANCE / "bench"
            urls = [asked.database or f"sqlite:///{file}"] * len(sizes)
        else:
            folder = (asked.mariadb or INSTANCE / "bench" / "mariadb").expanduser().resolve()
            server = stack.enter_context(mariadb.running(folder))
            beside = folder
            urls = [server.url(f"bench_{size}") for size in sizes]
        yield [
            Place(SIZES[size], url, (asked.repository or beside / f"repository_{size}").resolve())
            for size, url in zip(sizes, urls, strict=True)
        ]


def described(url: str) -> str:
    """A database as it may be shown: without its password."""
    return make_url(url).render_as_string(hide_password=True)
