"""Asking for runs, and what there is to ask for."""

from tests.runners import API

NEW = {"repository": "CCExtractor/ccextractor", "commit_sha": "A" * 40, "platform": "linux"}
DONE = ("preparation", "testing", "completed")


def listed(client, reader, **query) -> list[int]:
    response = client.get(f"{API}/runs", query_string=query, headers=reader)
    assert response.status_code == 200, response.json
    found = [row["run_id"] for row in response.json["data"]]
    if "limit" not in query:
        assert response.json["pagination"]["total"] == len(found)
    return found


def get(client, reader, run_id: int, part: str = "") -> dict:
    response = client.get(f"{API}/runs/{run_id}{part}", headers=reader)
    assert response.status_code == 200, response.json
    return response.json
