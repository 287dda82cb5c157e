"""The outbox: messages to others, written with what caused them and delivered later (ADR 041)."""
