"""Messages from the end of a job or run to a receiver, and what becomes of them on the way."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from config import ROOT
from mod_outbox import outbox, sending
from tests import factories, jobs
from tests.conftest import SETTINGS_DEFAULTS
from tests.mod_outbox.conftest import Hooks
from tests.mod_outbox.receiver import Receiver
from tests.patience import until
from tests.raw import Raw
from tests.runners import LONG_AGO, accepted, runner
from tests.servers import free_port


def end_a_job(hooks: Hooks) -> str:
    mine = jobs.Submitter(hooks.client, hooks.headers)
    job_id = mine.submit(name="mine", labels=["main"])
    accepted(jobs.runner(hooks.client).claim().finish(exit_code=1))
    return job_id


def end_a_run(hooks: Hooks, requested_by: factories.AccountRow | None) -> int:
    run = factories.run(tests=[factories.regression_test()], requested_by=requested_by)
    held = runner(hooks.client).claim()
    accepted(held.finish("completed"))
    return run.id


def test_the_end_of_a_job_is_told_signed(app: Flask, hooks: Hooks, receiver: Receiver) -> None:
    hook = hooks.create(receiver.url, "job.ended")
    job_id = end_a_job(hooks)

    assert hooks.deliver() == "Deliveries tried: delivered 1.\n"

    (message,) = receiver.messages
    told = message.verified(hook["secret"])
    assert told["type"] == "job.ended"
    assert told["data"]["job_id"] == job_id
    assert (told["data"]["conclusion"], told["data"]["labels"]) == ("failure", ["main"])
    assert told["data"]["url"] == f"/api/v1/jobs/{job_id}"
    (delivery,) = hooks.deliveries(hook)
    assert (delivery["state"], delivery["tries"]) == ("delivered", 1)
    assert delivery["message_id"] == message.id
    assert [(one["outcome"], one["status"]) for one in delivery["log"]] == [("delivered", 204)]
    assert hooks.deliver() == "Deliveries tried: none.\n"
    assert len(receiver.messages) == 1


def test_the_end_of_a_run_is_told_to_who_started_it_and_who_asks_for_all(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hooks.create(receiver.url, "run.ended")
    hooks.create(f"{receiver.url}?all", "run.ended", all_runs=True)
    mine = end_a_run(hooks, hooks.account)
    others = end_a_run(hooks, None)

    hooks.deliver()

    told = [message.told["data"] for message in receiver.messages]
    assert sorted(data["run_id"] for data in told) == sorted([mine, mine, others])
    assert {data["status"] for data in told} == {"error"}  # it had no results


def test_nothing_is_written_where_nobody_asks(app: Flask, hooks: Hooks, receiver: Receiver) -> None:
    off = hooks.create(receiver.url)
    accepted(hooks.ask("PATCH", f"/{off['webhook_id']}", json={"enabled": False}))
    hooks.create(receiver.url, "run.ended")
    somebody = jobs.submitter(hooks.client)

    somebody.submit()
    accepted(jobs.runner(hooks.client).claim().finish())
    end_a_job(hooks)
    end_a_run(hooks, None)

    assert hooks.count_messages() == 0


def test_a_disabled_account_is_told_nothing(app: Flask, hooks: Hooks, receiver: Receiver) -> None:
    hook = hooks.create(receiver.url, "job.ended")
    end_a_job(hooks)
    disabled = hooks.app.test_cli_runner().invoke(args=["accounts", "disable", hooks.account.email])
    assert disabled.exit_code == 0

    assert hooks.deliver() == "Deliveries tried: none.\n"

    assert receiver.messages == []
    found = hooks.raw.execute("SELECT state, why FROM outbox_message")
    assert found == [("given_up", "The account is disabled.")]
    assert hook


def test_an_end_by_another_program_is_found_once(
    app: Flask, hooks: Hooks, receiver: Receiver, raw: Raw
) -> None:
    before = factories.run(requested_by=hooks.account)
    factories.event(before, "completed", at=datetime.now(UTC) - timedelta(minutes=1))
    hooks.create(receiver.url, "run.ended")
    run = factories.run(requested_by=hooks.account, progress=["preparation"])
    factories.event(run, "canceled", "by the site", datetime.now(UTC) + timedelta(seconds=1))

    hooks.deliver()
    hooks.deliver()
    raw.execute("UPDATE webhook SET told_to = 0")
    hooks.deliver()

    (message,) = receiver.messages
    assert message.told["data"]["run_id"] == run.id
    assert message.told["data"]["status"] == "canceled"


@pytest.mark.parametrize(
    ("mood", "outcome", "status"),
    [
        ("error", "bad_status", 500),
        ("missing", "bad_status", 404),
        ("redirect", "redirect", 302),
        ("cut", "unreachable", None),
        ("mute", "timeout", None),
        ("trickle", "timeout", None),
    ],
)
def test_a_receiver_that_fails_is_tried_again_with_the_same_message(
    sqlite_app: Flask, hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch,
    mood: str, outcome: str, status: int | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    hook = hooks.create(receiver.url, "job.ended")
    end_a_job(hooks)
    receiver.mood = mood

    assert hooks.deliver() == f"Deliveries tried: {outcome} 1.\n"

    (failed,) = hooks.deliveries(hook, state="waiting")
    assert [(one["outcome"], one["status"]) for one in failed["log"]] == [(outcome, status)]
    assert failed["next_try_at"] > failed["log"][0]["at"]
    assert hooks.get(hook)["failing_since"] is not None
    assert hooks.deliver() == "Deliveries tried: none.\n"  # it is not due yet
    receiver.mood = "well"
    monkeypatch.undo()
    assert hooks.deliver_due() == "Deliveries tried: delivered 1.\n"
    assert len(receiver.messages) == 2
    assert len(set(receiver.ids)) == 1
    assert len({message.body for message in receiver.messages}) == 1
    assert hooks.get(hook)["failing_since"] is None


def test_a_receiver_that_is_down_or_refuses(sqlite_app: Flask, hooks: Hooks) -> None:
    hook = hooks.create(f"http://127.0.0.1:{free_port()}/", "job.ended")
    end_a_job(hooks)

    assert hooks.deliver() == "Deliveries tried: unreachable 1.\n"

    (delivery,) = hooks.deliveries(hook)
    assert delivery["log"][0]["message"] == "Connection refused."


def test_a_huge_answer_is_not_read(sqlite_app: Flask, hooks: Hooks, receiver: Receiver) -> None:
    hooks.create(receiver.url, "job.ended")
    end_a_job(hooks)
    receiver.mood = "huge"

    assert hooks.deliver() == "Deliveries tried: delivered 1.\n"


def test_a_message_is_given_up_after_three_days_and_sent_again_when_asked(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    pauses = [outbox.pause_after(failures) for failures in range(1, outbox.MOST_FAILURES)]
    assert 2.4 * 86_400 < sum(pauses) < 3.8 * 86_400
    hook = hooks.create(receiver.url, "job.ended")
    end_a_job(hooks)
    receiver.mood = "error"

    for _ in range(outbox.MOST_FAILURES):
        hooks.deliver_due()

    (delivery,) = hooks.deliveries(hook)
    assert (delivery["state"], delivery["why"]) == ("given_up", "11 tries failed.")
    assert hooks.deliver_due() == "Deliveries tried: none.\n"
    assert hooks.get(hook)["enabled"] is True
    receiver.mood = "well"
    path = f"/{hook['webhook_id']}/deliveries/{delivery['delivery_id']}/replay"
    assert accepted(hooks.ask("POST", path)).get_json()["state"] == "waiting"
    assert hooks.ask("POST", path).get_json()["code"] == "still_waiting"
    hooks.deliver()
    assert len(set(receiver.ids)) == 1
    assert hooks.deliveries(hook)[0]["state"] == "delivered"


def test_a_webhook_that_fails_for_days_is_switched_off_and_says_so(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.create(receiver.url, "job.ended")
    receiver.mood = "error"
    end_a_job(hooks)
    hooks.deliver()
    end_a_job(hooks)
    hooks.raw.execute("UPDATE webhook SET failing_since = ?", [LONG_AGO])

    hooks.deliver_due()

    found = hooks.get(hook)
    assert found["enabled"] is False
    assert found["disabled_reason"] == "Every delivery has failed for 5 days."
    assert {one["state"] for one in hooks.deliveries(hook)} == {"given_up"}
    assert hooks.ask("POST", f"/{hook['webhook_id']}/test").get_json()["code"] == "webhook_off"
    events = hooks.raw.execute("SELECT action FROM audit_event ORDER BY id DESC")
    assert events[0][0] == "webhook.switched_off"
    receiver.mood = "well"
    again = hooks.ask("PATCH", f"/{hook['webhook_id']}", json={"enabled": True})
    assert accepted(again).get_json()["disabled_reason"] is None
    hooks.test(hook)
    assert hooks.deliver() == "Deliveries tried: delivered 1.\n"


def test_a_receiver_that_is_gone_is_told_nothing_more(
    sqlite_app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.create(receiver.url, "job.ended")
    end_a_job(hooks)
    receiver.mood = "gone"

    hooks.deliver()

    assert hooks.get(hook)["disabled_reason"] == "The receiver answered that it is gone (410)."


def test_a_dead_receiver_holds_up_no_other_and_is_asked_once_a_pass(
    sqlite_app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    dead = hooks.create(f"http://127.0.0.1:{free_port()}/", "job.ended")
    hooks.create(receiver.url, "job.ended")
    for _ in range(3):
        end_a_job(hooks)

    assert hooks.deliver() == "Deliveries tried: delivered 3, unreachable 1.\n"

    assert sum(one["tries"] for one in hooks.deliveries(dead)) == 1


def test_two_deliverers_at_once_deliver_each_message_once(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.create(receiver.url)
    for _ in range(12):
        hooks.test(hook)
    together = threading.Barrier(2)

    def deliver() -> None:
        together.wait()
        hooks.deliver()

    workers = [threading.Thread(target=deliver) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(receiver.ids) == len(set(receiver.ids)) == 12


def test_a_deliverer_that_is_killed_loses_nothing(
    app: Flask, hooks: Hooks, receiver: Receiver, site: Any
) -> None:
    hook = hooks.create(receiver.url)
    hooks.test(hook)
    receiver.holds = True
    environment = {
        **os.environ,
        "SECRET_KEY": SETTINGS_DEFAULTS["secret_key"],
        "DATABASE_URL": site.url,
        "SAMPLE_REPOSITORY": str(site.repository),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
    }
    command = [sys.executable, "-m", "flask", "--app", "run", "outbox", "deliver"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as deliverer:
        until(lambda: receiver.messages)
        assert hooks.deliver() == "Deliveries tried: none.\n"  # it is on its way
        deliverer.send_signal(signal.SIGKILL)
    receiver.holds = False
    receiver.let_go.set()

    assert hooks.deliver_due() == "Deliveries tried: delivered 1.\n"

    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    assert receiver.messages[1].verified(hook["secret"])["type"] == "webhook.test"


def test_old_messages_are_removed_with_their_log(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.create(receiver.url)
    for _ in range(2):
        hooks.test(hook)
    hooks.deliver()
    hooks.test(hook)
    hooks.raw.execute(
        "UPDATE outbox_message SET created_at = ? WHERE id <> ?",
        [LONG_AGO, hooks.deliveries(hook)[1]["delivery_id"]],
    )
    receiver.mood = "error"

    hooks.deliver()

    assert sorted(one["state"] for one in hooks.deliveries(hook)) == ["delivered", "waiting"]
    assert hooks.raw.execute("SELECT COUNT(*) FROM delivery_try")[0][0] == 2
