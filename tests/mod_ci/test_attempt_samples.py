"""The samples that an attempt reads, and their addresses."""

from tests import factories
from tests.runners import API, runner


def test_a_sample_is_read_in_ranges_with_the_attempts_credential(
    app, client, ours, sample_repository
) -> None:
    content = bytes(range(256)) * 10
    test = factories.regression_test(sample=factories.stored_sample(sample_repository, content))
    factories.run(tests=[test])
    held = ours.claim()
    (told,) = held.claim["samples"]

    whole = client.get(told["url"], headers=held.headers)
    part = client.get(told["url"], headers={**held.headers, "Range": "bytes=100-199"})

    assert told["size_bytes"] == len(content)
    assert (whole.status_code, whole.data) == (200, content)
    assert (part.status_code, part.data) == (206, content[100:200])
    assert client.get(told["url"]).status_code == 401


def test_a_sample_in_no_storage_is_404(app, client, held, test_) -> None:
    (told,) = held.claim["samples"]

    assert client.get(told["url"], headers=held.headers).status_code == 404
    assert client.get(f"{held.url}/samples/2147483647", headers=held.headers).status_code == 404


def test_addresses_of_samples_name_no_forged_host(sqlite_app, client, test_) -> None:
    factories.run(tests=[test_])
    ours = runner(client)

    response = client.post(
        f"{API}/attempts",
        json={"platform": "linux", "runner_name": "a"},
        headers={**ours.headers, "Host": "evil.example"},
    )

    assert response.status_code == 201
    assert b"evil.example" not in response.data


def test_addresses_of_samples_are_absolute_below_the_public_url(make_app, site, test_) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(public_url="https://ci.example.org").test_client()).claim()

    (told,) = held.claim["samples"]

    assert told["url"].startswith("https://ci.example.org/api/v1/attempts/")
