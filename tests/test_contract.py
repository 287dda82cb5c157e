"""Our OpenAPI document keeps the contract agreed with its clients."""

import subprocess
import sys

from config import ROOT


def test_the_document_lacks_nothing_of_the_contract() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "contract" / "check", ROOT / "openapi-ci-api.yaml"],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert checked.stdout == "the contract holds\n", checked.stdout + checked.stderr
    assert checked.returncode == 0
