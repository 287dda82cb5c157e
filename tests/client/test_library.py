"""The library: typed objects, lists of any length, requests for runs and baselines."""

from datetime import UTC, datetime

import pytest

from ccextractor_ci import Client, NotFound, TimedOut, models
from ccextractor_ci.records import Record
from scripts import client_models
from tests import factories
from tests.client.conftest import Runs
from tests.openapi import read

REASON = "The new captions are right."


def test_answers_are_typed_objects(library: Client, runs: Runs) -> None:
    run = library.runs.get(runs.failed)

    assert isinstance(run, models.Run)
    assert run.status == "fail"
    assert isinstance(run.created_at, datetime)
    assert run.created_at.tzinfo is UTC
    assert run.pull_request is None
    with pytest.raises(AttributeError):
        _ = run.no_such_field


def test_a_list_is_read_page_by_page(library: Client) -> None:
    ids = [factories.run().id for _ in range(230)]

    assert [run.run_id for run in library.runs.list()] == ids[::-1]
    assert [run.run_id for run in library.runs.list(limit=105)] == ids[::-1][:105]


def test_what_a_run_says(library: Client, runs: Runs) -> None:
    run = library.runs.get(runs.failed)

    assert [error.regression_id for error in run.failures()] == [runs.late]
    assert [result.command for result in run.results(status="fail")] == [runs.command]
    assert run.summary().fail_count == 1
    assert runs.command in run.report()
    changes = {row.regression_id: row.change for row in run.compare(runs.passed)}
    assert changes[runs.late] == "new_failure"


def test_waiting_ends_with_the_run_or_in_time(library: Client, runs: Runs) -> None:
    assert library.runs.get(runs.failed).wait().status == "fail"
    with pytest.raises(TimedOut):
        library.runs.get(factories.run().id).wait(timeout_s=1)


def test_the_same_key_starts_one_run(library: Client) -> None:
    factories.regression_test()

    started = [
        library.runs.start(factories.MAIN_REPOSITORY, "a" * 40, key="once") for _ in range(2)
    ]

    assert started[0].run_id == started[1].run_id


def test_baselines_are_asked_for_approved_and_undone(library: Client, runs: Runs) -> None:
    (error,) = library.runs.get(runs.failed).failures()
    assert error.location is not None
    output = {
        "sample_id": error.sample_id,
        "regression_id": error.regression_id,
        "output_id": error.location["output_id"],
        "reason": REASON,
    }

    (approval,) = library.approvals.request(runs.failed, [output])
    approved = library.approvals.approve(approval.approval_id)
    passes = library.runs.get(runs.failed).status
    library.approvals.undo(approval.approval_id)

    assert (approved.status, passes) == ("approved", "pass")
    assert library.runs.get(runs.failed).status == "fail"


def test_what_is_not_there_is_an_exception(library: Client) -> None:
    with pytest.raises(NotFound, match="not found"):
        library.runs.get(999_999_999)


def test_models_are_those_of_the_document() -> None:
    text = (client_models.ROOT / "openapi-ci-api.yaml").read_text()

    assert client_models.MODELS.read_text() == client_models.render(plain(text))


def plain(text: str) -> dict[str, object]:
    import yaml

    document: dict[str, object] = yaml.load(text, Loader=yaml.CSafeLoader)
    return document


def test_a_field_of_a_newer_server_is_there_too() -> None:
    record = models.Run({"run_id": 1, "added_later": [1]})

    assert record.added_later == [1]
    assert isinstance(record, Record)


def test_every_model_has_the_fields_of_its_schema() -> None:
    schemas = read((client_models.ROOT / "openapi-ci-api.yaml").read_text())["components"][
        "schemas"
    ]
    of_models: dict[str, type[Record]] = {
        name: value for name, value in vars(models).items() if isinstance(value, type)
    }

    assert all(
        set(schemas[name]["properties"]) == of_models[name]._fields
        for name in ("Run", "Job", "Diff", "ErrorItem", "Report")
    )
