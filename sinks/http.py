"""HTTP sessions for sinks, with TLS, client certificate and proxy from their settings."""

import base64
from typing import Any

import aiohttp
from aiohttp.hdrs import PROXY_AUTHORIZATION

from driftline.pipeline.settings.connections import HttpSettings


def session(settings: HttpSettings, *, connections: int = 10, **more: Any) -> aiohttp.ClientSession:
    """Must be called in a running event loop. `connections`: at most so many to one host; `more`: as aiohttp names it.
    Raises OSError where the files of the settings cannot be used."""
    context = settings.tls_context()
    connector = aiohttp.TCPConnector(limit_per_host=connections, ssl=True if context is None else context)  # fmt: skip
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, proxy=settings.proxy,
        request_class=_request_class(settings), **more,
    )  # fmt: skip


def _request_class(settings: HttpSettings) -> type[aiohttp.ClientRequest]:
    """Requests that send credentials to the proxy only."""
    if not (settings.proxy_username and settings.proxy_password):
        return aiohttp.ClientRequest
    login = f"{settings.proxy_username}:{settings.proxy_password.get_secret_value()}"
    header = {PROXY_AUTHORIZATION: f"Basic {base64.b64encode(login.encode()).decode()}"}

    class Request(aiohttp.ClientRequest):
        def __init__(self, method: str, url: Any, **rest: Any) -> None:
            name = "proxy_headers" if url.scheme == "https" else "headers"  # a tunnel's, or its own
            rest[name] = {**(rest.get(name) or {}), **header}
            super().__init__(method, url, **rest)

    return Request
