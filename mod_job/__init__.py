"""Jobs: submitted projects whose tests run in a container. A job is no run (ADR 040)."""
