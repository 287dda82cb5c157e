"""Addresses of resources, below a base that the caller gives (PUBLIC_URL, a trusted host or none)."""


def of_run(run_id: int, base: str) -> dict[str, str]:
    """Where everything about a run is."""
    run = f"{base}/runs/{run_id}"
    parts = ("summary", "progress", "config", "samples", "errors", "error-summary")
    parts += ("infrastructure-errors", "artifacts", "logs")
    return {"self": run, **{part.replace("-", "_"): f"{run}/{part}" for part in parts}}
