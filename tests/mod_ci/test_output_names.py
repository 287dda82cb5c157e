"""Names of outputs: from the part between stem and extension, as the existing tables have it."""

import pytest

from tests import factories
from tests.factories import Expected
from tests.mod_ci.attempts import OTHER
from tests.runners import API, accepted

CONVENTIONS = [
    # what the table has, what is shown, and what a single output's `-o` is
    ("", ".srt", "output.srt", "output.srt"),
    (None, ".srt", "output.srt", "output.srt"),
    ("_1", ".srt", "output_1.srt", "output_1.srt"),
    (".p0.svc01", ".txt", "output.p0.svc01.txt", "output.p0.svc01.txt"),
    ("output_1.srt", ".srt", "output_1.srt", "output.srt"),
    ("news.srt", ".srt", "news.srt", "output.srt"),
    ("", "", "output", "output"),
    ("_1", "", "output_1", "output_1"),
]


@pytest.mark.parametrize(("kept", "extension", "shown", "asked_for"), CONVENTIONS)
def test_the_claim_has_the_name_of_the_file_and_what_the_program_is_told(
    app, ours, kept, extension, shown, asked_for
) -> None:
    test = factories.regression_test(outputs=[Expected(filename=kept, extension=extension)])
    factories.run(tests=[test])

    (claimed,) = ours.claim().claim["tests"]

    assert claimed["outputs"][0]["filename"] == shown
    assert claimed["output_filename"] == asked_for


def test_the_first_output_tells_the_name_also_when_it_is_ignored(app, ours) -> None:
    outputs = [
        Expected(filename="", ignore=True), Expected(filename="_1"), Expected(filename="_2")
    ]  # fmt: skip
    factories.run(tests=[factories.regression_test(outputs=outputs)])

    (claimed,) = ours.claim().claim["tests"]

    assert claimed["output_filename"] == "output.srt"
    names = [output["filename"] for output in claimed["outputs"]]
    assert names == ["output.srt", "output_1.srt", "output_2.srt"]


def test_a_test_without_outputs_has_no_name(app, ours) -> None:
    factories.run(tests=[factories.regression_test(outputs=[], output_type="null")])

    (claimed,) = ours.claim().claim["tests"]

    assert claimed["output_filename"] is None


@pytest.mark.parametrize(("kept", "extension", "shown", "_"), CONVENTIONS[:5])
def test_every_endpoint_shows_the_name_and_never_the_bare_suffix(
    app, client, ours, kept, extension, shown, _
) -> None:
    expected = [Expected(filename=kept, extension=extension), Expected(filename="_9")]
    test = factories.regression_test(outputs=expected)
    run = factories.run(tests=[test])
    held = ours.claim()
    accepted(held.report(test.id, {test.outputs[0].id: OTHER}))
    accepted(held.finish())
    reader = factories.signed_in(
        "contributor", "runs:read", "results:read", "system:read", "baselines:write"
    )

    def get(path: str):
        response = client.get(f"{API}{path}", headers=reader)
        assert response.status_code == 200, response.json
        return response.json

    result = get(f"/runs/{run.id}/samples/{test.id}")
    assert [output["filename"] for output in result["outputs"]] == [shown, "output_9.srt"]
    errors = get(f"/runs/{run.id}/errors")["data"]
    messages = {error["type"]: error["message"] for error in errors}
    assert shown in messages["diff_mismatch"]
    assert "output_9.srt" in messages["missing_output"]
    shown_test = get(f"/regression-tests/{test.id}")
    assert shown_test["expected_outputs"][0]["filename"] == shown
    artifacts = get(f"/runs/{run.id}/artifacts?type=sample_output")["data"]
    assert [artifact["filename"] for artifact in artifacts] == [shown]
    asked = f"regression_id={test.id}&output_id={test.outputs[0].id}"
    actual = get(f"/runs/{run.id}/samples/{test.sample.id}/actual?{asked}")
    assert actual["filename"] == shown
