"""Addresses of resources, below a base: PUBLIC_URL, a trusted host, or none."""

PARTS = (
    "summary",
    "progress",
    "config",
    "samples",
    "errors",
    "error-summary",
    "infrastructure-errors",
    "artifacts",
    "logs",
)


def of_run(run_id: int, base: str) -> dict[str, str]:
    """Where everything about a run is."""
    run = f"{base}/runs/{run_id}"
    return {"self": run, **{part.replace("-", "_"): f"{run}/{part}" for part in PARTS}}
