"""The runner: takes runs from the queue, executes their regression tests, reports them.

A plain HTTP client of `docs/runner-protocol.md`; it imports nothing of the server.
"""
