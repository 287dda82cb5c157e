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
NAMED = tuple((part.replace("-", "_"), f"/{part}") for part in PARTS)


def of_run(run_id: int, base: str) -> dict[str, str]:
    """Return the links of a run."""
    run = f"{base}/runs/{run_id}"
    links = {"self": run}
    for name, path in NAMED:
        links[name] = run + path
    return links


def of_result(run_id: int, regression_id: int, sample_id: int, base: str) -> dict[str, str]:
    """Return the links of one regression test of a run."""
    run, sample = f"{base}/runs/{run_id}", f"{base}/samples/{sample_id}"
    result = f"{run}/samples/{regression_id}"
    return {
        "self": result,
        "run": run,
        "logs": result + "/logs",
        "regression_test": f"{base}/regression-tests/{regression_id}",
        "sample": sample,
        "history": f"{sample}/history?regression_id={regression_id}",
    }


def of_output(
    run_id: int, sample_id: int, regression_id: int, output_id: int, base: str
) -> dict[str, str]:
    """Return the links to an output's files and their difference."""
    result = f"{base}/runs/{run_id}/samples/{sample_id}"
    query = f"regression_id={regression_id}&output_id={output_id}"
    return {name: f"{result}/{name}?{query}" for name in ("expected", "actual", "diff")}


def of_sample(sample_id: int, base: str) -> dict[str, str]:
    """Return the links of a media sample."""
    return {
        "self": f"{base}/samples/{sample_id}",
        "history": f"{base}/samples/{sample_id}/history",
        "regression_tests": f"{base}/regression-tests?sample_id={sample_id}",
    }


def of_regression_test(regression_id: int, sample_id: int, base: str) -> dict[str, str]:
    """Return the links of a regression test."""
    sample = f"{base}/samples/{sample_id}"
    return {
        "self": f"{base}/regression-tests/{regression_id}",
        "sample": sample,
        "history": f"{sample}/history?regression_id={regression_id}",
    }
