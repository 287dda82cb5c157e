"""The token of a claim: recalled from the last one, and held against the tables by each."""

import pytest

from tests import factories
from tests.raw import Raw
from tests.runners import API, Runner, runner
from tests.sql import counted


@pytest.fixture
def ours(client) -> Runner:
    """A runner whose token has taken a run already."""
    found = runner(client)
    factories.run()
    found.claim()
    return found


@pytest.fixture(autouse=True)
def waiting_run(ours) -> factories.RunRow:
    return factories.run()


def number_of_attempts(raw: Raw) -> int:
    ((count,),) = raw.execute("SELECT count(*) FROM run_attempt")
    return count


BAD = {
    "revoked": "UPDATE api_token SET revoked_at = created_at",
    "expired": "UPDATE api_token SET expires_at = created_at",
    "deleted": "DELETE FROM api_token",
    "another text": "UPDATE api_token SET token_hash = 'ändert'",
    "account disabled": "UPDATE account_record SET disabled_at = '2020-01-01'",
    "account deleted": "DELETE FROM user",
}


@pytest.mark.parametrize("statement", BAD.values(), ids=BAD.keys())
def test_a_token_that_is_good_no_more_takes_nothing(app, client, ours, raw, statement) -> None:
    if "account_record" in statement:
        raw.execute(
            "INSERT INTO account_record (user_id) SELECT id FROM user WHERE NOT EXISTS "
            "(SELECT 1 FROM account_record r WHERE r.user_id = user.id)"
        )
    before = number_of_attempts(raw)
    raw.execute(statement)

    assert ours.ask().status_code == 401
    assert ours.ask().status_code == 401  # what was recalled is forgotten
    assert number_of_attempts(raw) == before


@pytest.mark.parametrize(
    "asked",
    [{"platform": "amiga"}, {"platform": "windows"}, {"wait": 0, "nonsense": 1}, {"wait": 1}],
    ids=str,
)
def test_such_a_token_is_told_before_anything_else(app, client, ours, raw, asked) -> None:
    raw.execute("UPDATE api_token SET revoked_at = created_at")

    assert ours.ask(**asked).status_code == 401


def test_the_query_comes_after_the_token(app, client, ours, raw) -> None:
    raw.execute("UPDATE api_token SET revoked_at = created_at")

    url = f"{API}/attempts?nonsense=1"
    assert client.post(url, json={}, headers=ours.headers).status_code == 401


def test_a_role_that_is_lost_takes_the_scope_with_it(app, client, ours, raw) -> None:
    raw.execute("UPDATE user SET role = 'tester'")

    for _ in range(2):
        refused = ours.ask()
        assert refused.status_code == 403
        assert refused.json["details"]["required_scope"] == "runs:execute"
    assert ours.ask("amiga").status_code == 403
    raw.execute("UPDATE user SET role = 'admin'")
    assert ours.ask().status_code == 201


def test_an_account_that_is_blocked_between_two_claims_is_told_so(app, client, raw) -> None:
    theirs = Runner(client, factories.signed_in("admin", "runs:execute", github_id=77))
    factories.run()
    theirs.claim()
    raw.execute("INSERT INTO blocked_users (user_id, comment) VALUES (77, '')")

    refused = theirs.ask()
    assert (refused.status_code, refused.json["code"]) == (403, "blocked")
    assert theirs.ask("amiga").status_code == 400  # as with a token that was not recalled
    raw.execute("DELETE FROM blocked_users")
    assert theirs.ask().status_code == 201


def test_a_token_is_asked_for_along_with_the_run(app, client, ours) -> None:
    with counted(app) as statements:
        ours.claim()

    assert len([one for one in statements if "api_token" in one]) == 1


def test_an_attempt_is_of_the_account_that_the_token_has_now(app, client, ours, raw) -> None:
    raw.execute("UPDATE user SET id = id + 500")
    held = ours.claim()

    assert raw.execute(
        "SELECT account_id FROM run_attempt WHERE id = ?", [held.claim["attempt_id"]]
    ) == raw.execute("SELECT user_id FROM api_token")
