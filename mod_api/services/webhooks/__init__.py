"""Webhooks: receivers of events, and what becomes of the messages to them."""
