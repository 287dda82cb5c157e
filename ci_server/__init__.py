"""The original job server's way to be started: `uvicorn ci_server.app:app`."""
