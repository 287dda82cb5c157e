"""Security headers of every response; which host links may name."""

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from config import TRUSTED_HOST, Settings
from mod_api import application

PREFIX = "/api/v1"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STRICT = {"Strict-Transport-Security": "max-age=31536000"}


def install(app: Flask, settings: Settings) -> None:
    """Give every response of `app` its headers."""
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.after_request(_finish)


def base_url() -> str:
    """What links start with: PUBLIC_URL, else the request's own host where it is trusted, else
    nothing, so that a forged Host never enters an answer."""
    settings = application.settings()
    if settings.public_url:
        return settings.public_url + PREFIX
    host, trusted = request.host, settings.trusted_hosts
    # Asked with an empty list, werkzeug trusts everybody.
    if trusted and TRUSTED_HOST.fullmatch(host) and host_is_trusted(host, trusted):
        return f"{request.scheme}://{host}{PREFIX}"
    return PREFIX


def _finish(response: Response) -> Response:
    settings = application.settings()
    wanted = SECURITY
    if settings.public_url and settings.public_url.startswith("https:"):
        wanted = SECURITY | STRICT
    # Asking for each by itself would go through all headers as often.
    known = {name.lower() for name, _ in response.headers}
    response.headers.extend(
        (name, value) for name, value in wanted.items() if name.lower() not in known
    )
    return response
