"""The command as one file, as the platform serves it, and `/llms.txt`."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from config import ROOT


def test_the_file_is_a_program_that_needs_nothing_else(client: FlaskClient, tmp_path: Path) -> None:
    program = tmp_path / "ci"
    program.write_bytes(client.get("/ci").data)

    said = subprocess.run(
        [sys.executable, "-I", "-S", program, "--version"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
    )

    assert (said.returncode, said.stdout.startswith("ci 1.")) == (0, True), said.stderr
    assert program.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_the_file_has_every_module_and_what_this_python_makes_of_it(
    client: FlaskClient, tmp_path: Path
) -> None:
    program = tmp_path / "ci"
    program.write_bytes(client.get("/ci").data)
    package = ROOT / "clients" / "python" / "ccextractor_ci"
    modules = {str(path.relative_to(package.parent)) for path in package.rglob("*.py")}

    names = set(zipfile.ZipFile(program).namelist())

    assert names == {"__main__.py"} | modules | {f"{name}c" for name in modules}


def test_who_has_the_file_already_is_told_so(client: FlaskClient) -> None:
    tag = client.get("/ci").headers["ETag"]

    assert client.get("/ci", headers={"If-None-Match": tag}).status_code == 304


def test_programs_are_told_where_to_begin(make_app: Callable[..., Flask]) -> None:
    answer = make_app(public_url="https://ci.example.org").test_client().get("/llms.txt")

    assert answer.mimetype == "text/plain"
    assert "https://ci.example.org/ci" in answer.text
    assert len(answer.data) < 2048
