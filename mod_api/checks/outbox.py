"""Findings about the outbox: messages that nobody delivers."""

from mod_api.checks.finding import Finding, ok, warn
from mod_outbox import outbox

LATE_SECONDS = 600


def finding() -> Finding:
    """Report whether messages that are due are delivered."""
    messages = outbox.waiting()
    if float(messages.overdue_ms or 0) > LATE_SECONDS * 1000:
        minutes = round(float(messages.overdue_ms) / 60_000)
        return warn(
            "outbox",
            f"A message has been due for {minutes} minutes, and {messages.count} wait: "
            "is `flask --app run outbox deliver` run by a timer?",
        )
    return ok("outbox", f"{outbox.listeners()} webhooks are on; {messages.count} messages wait.")
