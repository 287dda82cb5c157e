"""What the API and the tables say of a run that an attempt reports."""

from tests.runners import API

OTHER = b"1\n00:00:01,000 --> 00:00:02,000\nAnother text\n\n"


def shown(client, reader, run_id: int) -> dict:
    return client.get(f"{API}/runs/{run_id}", headers=reader).json


def status(client, reader, run_id: int) -> str:
    return shown(client, reader, run_id)["status"]


def summary(client, reader, run_id: int) -> dict:
    return client.get(f"{API}/runs/{run_id}/summary", headers=reader).json


def events(client, reader, run_id: int) -> list[dict]:
    return client.get(f"{API}/runs/{run_id}/progress", headers=reader).json["data"]


def stored(raw, run_id: int) -> list[tuple]:
    return raw.execute(
        "SELECT regression_test_id, regression_test_output_id, expected, got "
        "FROM test_result_file WHERE test_id = ? ORDER BY 1, 2",
        [run_id],
    )
