"""The command line as one file, `/ci`, and `/llms.txt`, which tells programs where to begin.

curl -O https://the-platform/ci && python3 ci --help
"""

import io
import py_compile
import tempfile
import zipapp
import zipfile
from pathlib import Path

from flask import Blueprint, Response

from config import ROOT
from mod_api.application import PREFIX, base_url
from mod_api.middleware import limits, parsing
from mod_api.middleware.kept import Kept

PACKAGE = ROOT / "clients" / "python" / "ccextractor_ci"
# Where PUBLIC_URL does not say it: what a request names is not believed.
UNKNOWN = "https://ADDRESS-OF-THIS-SITE"
MAIN = "from ccextractor_ci.cli.main import main\n\nraise SystemExit(main())\n"
TEXT = """# CI platform of CCExtractor

> Tests commits of CCExtractor on media samples; says which captions came out late, reworded or
> missing.

API: {api} (OpenAPI: {api}/openapi.yaml). Send `Authorization: Bearer TOKEN`. A command line without
requirements: `curl -O {site}/ci`, then `python3 ci --help`, with CI_PLATFORM_URL={site} and
CI_PLATFORM_TOKEN in the environment.

## Recipes

- Why did run N fail, and what of it is new: GET {api}/runs/N/report?format=text (at most 4 kB), or
  `python3 ci why N`
- Test a commit and wait: `python3 ci run SHA --repository OWNER/NAME --wait`; exit status 0 pass,
  1 fail, 10 no verdict. Over HTTP: POST {api}/runs with an Idempotency-Key, then GET
  {api}/runs/N?wait=30&status=queued until the status is none of queued and running
- What differs in test T: `python3 ci diff N T`; over HTTP GET {api}/runs/N/diffs?regression_id=T
- The newest run of a branch: GET {api}/runs?branch=master&limit=1

Obey Retry-After. Never approve a baseline unless a person asked for it.
"""

bp = Blueprint("client", __name__)


@bp.before_request
def count() -> None:
    parsing.no_query()
    limits.check()


def one_file() -> bytes:
    """The client as a zip that Python runs: sources, and beside each what this Python makes of it,
    which another version passes over."""
    with tempfile.TemporaryDirectory(prefix="client-") as folder:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("__main__.py", MAIN)
            for path in sorted(PACKAGE.rglob("*.py")):
                name = path.relative_to(PACKAGE.parent)
                archive.writestr(str(name), path.read_bytes())
                compiled = Path(folder) / "compiled"
                py_compile.compile(
                    str(path), str(compiled), str(name), doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )  # fmt: skip
                archive.writestr(f"{name}c", compiled.read_bytes())
        source, target = io.BytesIO(content.getvalue()), io.BytesIO()
        # It ends with what it is called with, whatever Python 3 is first on the path.
        zipapp.create_archive(source, target, interpreter="/usr/bin/env python3")
    return target.getvalue()


FILE = Kept(one_file, "application/octet-stream")


@bp.get("/ci")
def command_line() -> Response:
    """The client as one file."""
    return FILE.answer()


@bp.get("/llms.txt")
def for_programs() -> Response:
    """Where a program that acts by itself begins."""
    site = base_url().removesuffix(PREFIX) or UNKNOWN
    text = TEXT.format(api=site + PREFIX, site=site)
    return Response(text, mimetype="text/plain")
