"""Tests of the outbox: messages, signatures, sending."""
