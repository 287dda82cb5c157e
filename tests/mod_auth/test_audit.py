"""The audit log: appended, and without secrets."""

import json

from flask import Flask
from passlib.hash import bcrypt, sha512_crypt

from database import reading, writing
from mod_auth import accounts, audit
from mod_auth.models import Role
from tests import factories
from tests.raw import Raw


def test_an_event_says_who_did_what_to_what(app: Flask, raw: Raw) -> None:
    boss = factories.account(Role.admin)

    with app.app_context():
        with reading():
            by = accounts.get(boss.id)
        with writing():
            audit.record("run.canceled", by=by, subject=("run", 7), reason="wrong 👎", tests=[1, 2])
            audit.record("queue.expired", by=None, subject=("queue", None))

    rows = raw.execute(
        "SELECT account_id, account_name, action, subject_type, subject_id, details "
        "FROM audit_event ORDER BY id"
    )
    assert [row[:5] for row in rows] == [
        (boss.id, boss.name, "run.canceled", "run", 7),
        (None, None, "queue.expired", "queue", None),
    ]
    assert [json.loads(row[5]) for row in rows] == [{"reason": "wrong 👎", "tests": [1, 2]}, {}]


def test_what_people_paste_into_a_reason_is_hidden(app: Flask, raw: Raw) -> None:
    secrets = [
        factories.token_for(factories.account(), "runs:read"),
        "spca_" + "Zz-_9" * 9,
        "ghp_" + "a1B2" * 9,
        "gho_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        sha512_crypt.using(rounds=1000).hash("a"),
        sha512_crypt.using(rounds=5000).hash("a"),
        bcrypt.using(rounds=4).hash("a"),
    ]

    with app.app_context(), writing():
        for secret in secrets:
            audit.record(
                "x", by=None, subject=("run", 1), reason=f"see {secret}, please", more=[secret]
            )
        # cut within the secret, what is left of it must not stay
        audit.record("x", by=None, subject=("run", 1), reason="a" * 1980 + secrets[0])

    log = str(raw.execute("SELECT details FROM audit_event"))
    assert log.count("see [secret], please") == len(secrets)
    for secret in secrets:
        assert secret[7:15] not in log


def test_a_very_long_reason_is_cut(app: Flask, raw: Raw) -> None:
    with app.app_context(), writing():
        audit.record("x", by=None, subject=("run", 1), reason="ß" * 1_000_000)

    ((details,),) = raw.execute("SELECT details FROM audit_event")
    assert json.loads(details)["reason"] == "ß" * 1999 + "…"
