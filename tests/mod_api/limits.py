"""Many requests one after the other."""

from tests.runners import API

READ = "runs:read"


def codes(client, count: int, path: str = f"{API}/runs", **options) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(count)]
