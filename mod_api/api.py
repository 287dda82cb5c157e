"""The blueprint of the JSON API, `/api/v1`, and of the existing workers' endpoint beside it."""

from flask import Flask
from flask_smorest import Api

from config import Settings
from mod_api import metrics_page
from mod_api.application import PREFIX
from mod_api.document import CONFIG, describe
from mod_api.middleware import errors, frame, limits, rollups
from mod_api.middleware.parsing import IdConverter, id_schema
from mod_api.middleware.resource import JsonAnswers
from mod_api.routes import (
    artifacts,
    attempts,
    audit,
    auth,
    baselines,
    ci_server,
    client,
    docs,
    downloads,
    github,
    job_logs,
    job_results,
    jobs,
    labels,
    logs,
    outputs,
    regression_tests,
    results,
    root,
    run_errors,
    runs,
    samples,
    system,
    webhooks,
    workers,
)
from mod_api.services.system import health

RESOURCES = (
    auth.bp,
    github.bp,
    runs.bp,
    results.bp,
    samples.bp,
    labels.bp,
    regression_tests.bp,
    attempts.bp,
    run_errors.bp,
    logs.bp,
    outputs.bp,
    baselines.bp,
    artifacts.bp,
    downloads.bp,
    webhooks.bp,
    system.bp,
    audit.bp,
)
JOBS = (jobs.bp, job_results.bp, job_logs.bp)


def init_api(app: Flask, settings: Settings) -> None:
    """Register every resource under `/api/v1`, with what each request passes."""
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # its redirect would name whatever Host was sent
    app.json = JsonAnswers(app)
    app.json.sort_keys = False
    app.config.update(CONFIG)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    rollups.install(app)
    limits.install(app, settings)
    frame.install(app, settings)
    api = Api(app)
    describe(api)
    api.register_converter(IdConverter, id_schema)
    for resource in (*RESOURCES, *JOBS) if settings.jobs else RESOURCES:
        api.register_blueprint(resource, url_prefix=PREFIX + (resource.url_prefix or ""))
    app.register_blueprint(workers.bp)
    app.register_blueprint(root.bp)
    if settings.jobs:
        app.register_blueprint(ci_server.bp)
    app.register_blueprint(docs.bp, url_prefix=PREFIX)
    app.register_blueprint(client.bp)
    errors.install(app)
    app.extensions["openapi"] = api.spec
    app.extensions["metrics_page"] = metrics_page.page_of(app)
    app.extensions["health_probes"] = health.probes(app, app.extensions["limit_store"])
