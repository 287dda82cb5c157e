"""Outputs and files while the bucket is down, slow, refusing or lying, and files come and go."""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from google.oauth2 import service_account

from mod_sample.storage import LocalBackend, Repository, media_info_key, result_key
from mod_sample.storage.breaker import Breaker
from mod_sample.storage.existence import Existence
from mod_sample.storage.gcs import GcsBackend, Limits
from tests import factories
from tests.conftest import Site
from tests.mod_api.compared import BAD, GOOD, Compared, compared
from tests.mod_sample.storage.conftest import (  # noqa: F401  fixtures
    BUCKET,
    key_file,
    private_key,
    proxy,
    signer,
    storage_server,
)
from tests.mod_sample.storage.proxy import Fault, Proxy
from tests.patience import until
from tests.runners import runner

FAULTS = {
    "down": lambda: Fault(reset=True),
    "silent": lambda: Fault(hang=True),
    "slow": lambda: Fault(delay_s=5.0),
    "dripping": lambda: Fault(drip_s=0.2),
    "refusing": lambda: Fault(
        answers=[b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"] * 99
    ),
    "broken": lambda: Fault(answers=[b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"] * 99),
    "cutting": lambda: Fault(cut_body_at=3),
}
LIMITS = Limits(connect_s=1.0, lookup_s=1.0, first_bytes_s=1.0, part_s=1.0, transfer_s=1.0)


@pytest.fixture
def bucket(proxy: Proxy) -> GcsBackend:  # noqa: F811  the fixture
    return GcsBackend(BUCKET, limits=LIMITS)


@pytest.fixture
def in_storage(
    sqlite_app: Flask, site: Site, bucket: GcsBackend
) -> Iterator[Callable[..., Repository]]:
    """`in_storage(local=, with_bucket=)`: where the application has its files from now on."""
    before = sqlite_app.extensions["repository"]

    def use(*, local: bool = True, with_bucket: GcsBackend | None = bucket) -> Repository:
        repository = Repository(
            LocalBackend(site.repository) if local else None,
            with_bucket,
            breaker=Breaker(pause_s=0.05),
            existence=Existence(present_s=0.0, absent_s=0.0),
        )
        sqlite_app.extensions["repository"] = repository
        return repository

    yield use
    sqlite_app.extensions["repository"] = before


@pytest.fixture
def case(sample_repository: Path, in_storage: Any) -> Compared:
    """A failing run whose files are in the folder and in the bucket."""
    made = compared(sample_repository)
    repository = in_storage()
    for content in (GOOD, BAD):
        key = result_key(factories.digest(content.decode()), ".srt")
        repository.put(key, sample_repository / key)
    return made


@pytest.fixture
def reader(sqlite_app: Flask) -> dict[str, str]:
    return factories.signed_in("user", "results:read", "runs:read")


def outputs(client: FlaskClient, case: Compared, by: dict[str, str]) -> list[Any]:
    """The run's files that are of its output."""
    files = client.get(f"/api/v1/runs/{case.run.id}/artifacts", headers=by)
    assert files.status_code == 200
    return [file for file in files.json["data"] if file["output_id"]]


def test_what_both_have_is_ok_and_what_one_has_is_degraded(
    client: FlaskClient, case: Compared, reader: dict[str, str], sample_repository: Path
) -> None:
    both = client.get(case.url("actual"), headers=reader).json
    (sample_repository / "TestResults" / f"{case.actual}.srt").unlink()

    one = client.get(case.url("actual"), headers=reader).json

    assert both["storage_status"] == "ok"
    assert one == {**both, "storage_status": "degraded", "download_url": one["download_url"]}
    assert client.get(one["download_url"]).data == BAD
    states = {file["type"]: file["storage_status"] for file in outputs(client, case, reader)}
    assert states == {"sample_output": "degraded", "expected_output": "ok", "diff": "degraded"}


def test_a_bucket_that_can_sign_is_where_files_are_fetched(
    client: FlaskClient,
    case: Compared,
    reader: dict[str, str],
    in_storage: Any,
    signer: service_account.Credentials,  # noqa: F811  the fixture
    proxy: Proxy,  # noqa: F811  the fixture
) -> None:
    in_storage(with_bucket=GcsBackend(BUCKET, signer=signer, limits=LIMITS))

    url = client.get(case.url("actual"), headers=reader).json["download_url"]

    assert url.startswith(proxy.url)
    assert f"{case.actual}.srt" in urlsplit(url).path
    assert "X-Goog-Signature=" in url
    assert "X-Goog-Expires=600" in url
    difference = client.get(case.url("diff"), headers=reader).json
    assert difference["actual"]["download_url"].startswith(proxy.url)


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_folder_beside_it_a_failing_bucket_makes_answers_degraded(
    client: FlaskClient,
    case: Compared,
    reader: dict[str, str],
    proxy: Proxy,  # noqa: F811  the fixture
    fault: str,
) -> None:
    proxy.fault = FAULTS[fault]()

    actual = client.get(case.url("actual", format="text"), headers=reader).json
    difference = client.get(case.url("diff"), headers=reader).json

    assert actual["content"].encode() == BAD
    assert actual["storage_status"] == "degraded"
    assert difference["status"] == "different"
    assert difference["expected"]["storage_status"] == "degraded"
    found = outputs(client, case, reader)
    assert {file["storage_status"] for file in found} == {"degraded"}
    assert all(client.get(file["download_url"]).status_code == 200 for file in found)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_bucket_alone_is_asked_again_later_and_gives_no_address(
    client: FlaskClient,
    case: Compared,
    reader: dict[str, str],
    in_storage: Any,
    proxy: Proxy,  # noqa: F811  the fixture
    fault: str,
) -> None:
    in_storage(local=False)
    url = client.get(case.url("actual"), headers=reader).json["download_url"]
    proxy.fault = FAULTS[fault]()

    for part in ("expected", "actual", "diff"):
        answer = client.get(case.url(part), headers=reader)
        assert (part, answer.status_code) == (part, 503)
        assert answer.headers["Retry-After"]
    assert client.get(url).status_code == 503
    found = outputs(client, case, reader)
    assert {(file["storage_status"], file["download_url"]) for file in found} == {
        ("degraded", None)
    }
    test = client.get(f"/api/v1/regression-tests/{case.test.id}", headers=reader)
    (output,) = test.json["expected_outputs"]
    assert test.status_code == 200
    assert (output["storage_status"], output["download_url"]) == ("degraded", None)
    assert (output["content"], output["truncated"], output["size_bytes"]) == ("", True, None)

    proxy.fault = None

    until(lambda: client.get(case.url("actual"), headers=reader).status_code == 200)


@pytest.mark.parametrize("fault", ["down", "cutting"])
def test_nothing_is_approved_while_nobody_can_tell_whether_the_file_exists(
    client: FlaskClient,
    case: Compared,
    in_storage: Any,
    proxy: Proxy,  # noqa: F811  the fixture
    fault: str,
) -> None:
    admin = factories.signed_in("admin", "baselines:write", "results:read")
    body = {**case.asked, "reason": "The new wording is right."}
    asked = client.post(f"{case.base}/baseline-approval", json=body, headers=admin).json
    approval = f"/api/v1/baseline-approvals/{asked['approval_id']}"
    in_storage(local=False)
    proxy.fault = FAULTS[fault]()

    refused = client.post(f"{approval}/approve", headers=admin)
    shown = client.get(approval, headers=admin)

    assert refused.status_code == 503
    assert shown.status_code == 200
    assert (shown.json["status"], shown.json["diff"]) == ("pending_review", None)


def test_a_bucket_whose_file_is_cut_while_it_is_sent_is_no_whole_file(
    client: FlaskClient,
    case: Compared,
    reader: dict[str, str],
    in_storage: Any,
    proxy: Proxy,  # noqa: F811  the fixture
) -> None:
    in_storage(local=False)
    proxy.fault = Fault(when=b"alt=media", cut_body_at=10)

    assert client.get(case.url("actual"), headers=reader).status_code == 503
    assert client.get(case.url("diff"), headers=reader).status_code == 503


def test_files_that_come_and_go_cause_no_error_of_ours(
    client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    """What is deleted between being found and being read is not found."""
    case = compared(sample_repository)
    path = sample_repository / "TestResults" / f"{case.actual}.srt"
    hidden = path.with_suffix(".hidden")
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            path.rename(hidden)
            hidden.rename(path)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        statuses = {part: set[int]() for part in ("actual", "diff")}
        seen = set()
        for _ in range(40):
            for part, found in statuses.items():
                answer = client.get(case.url(part), headers=reader)
                found.add(answer.status_code)
                if part == "diff" and answer.status_code == 200:
                    seen.add(answer.json["status"])
            outputs(client, case, reader)
    finally:
        stop.set()
        thread.join()

    assert statuses["actual"] <= {200, 404}
    assert statuses["diff"] <= {200, 503}
    assert seen <= {"different", "missing_actual"}


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_sample_whose_report_nobody_can_read_now_that_is_said(
    client: FlaskClient,
    case: Compared,
    reader: dict[str, str],
    in_storage: Any,
    proxy: Proxy,  # noqa: F811  the fixture
    fault: str,
) -> None:
    sample = factories.sample()
    repository = in_storage(local=False)
    report = b'<MediaInfo><track type="General"><Format>MPEG-TS</Format></track></MediaInfo>'
    repository.put(media_info_key(sample.sha), io.BytesIO(report), "application/xml")

    def told() -> tuple[dict[str, Any], str]:
        answer = client.get(f"/api/v1/samples/{sample.id}", headers=reader)
        assert answer.status_code == 200
        return answer.json["media_info"], answer.json["media_info_status"]

    whole = ({"tracks": [{"type": "General", "Format": "MPEG-TS"}]}, "ok")
    assert told() == whole
    proxy.fault = FAULTS[fault]()
    assert told() == ({}, "degraded")
    proxy.fault = None

    until(lambda: told() == whole)


@pytest.mark.parametrize("fault", ["down", "silent", "broken"])
def test_a_claim_whose_sizes_nobody_knows_leads_to_downloads_that_ask_for_another_try(
    client: FlaskClient,
    sample_repository: Path,
    in_storage: Any,
    proxy: Proxy,  # noqa: F811  the fixture
    fault: str,
) -> None:
    test = factories.regression_test()
    factories.run(tests=[test])
    in_storage(local=False)
    proxy.fault = FAULTS[fault]()

    held = runner(client).claim()

    (sample,) = held.claim["samples"]
    assert sample["size_bytes"] is None
    answer = client.get(sample["url"], headers=held.headers)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
