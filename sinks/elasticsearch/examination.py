"""The checks of `driftline doctor` on Elasticsearch."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.ops.checks import Check, Line, failed
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.module import SinkContext


def checks(settings: ElasticsearchSettings, context: SinkContext, seconds: float) -> list[Check]:
    """Both checks; the second needs the first."""

    silent = f"check that Elasticsearch is running, and {context.name}.url"

    async def health(es: Any) -> Line:
        return await _health(es, settings, silent)

    async def templates(es: Any) -> Line:
        return await _templates(es, context.name)

    def asked(ask: Callable[[Any], Awaitable[Line]]) -> Iterator[Line]:
        return _asked(settings, context.name, silent, seconds, ask)

    return [
        Check("Elasticsearch", lambda: asked(health), silent=silent),
        Check("templates", lambda: asked(templates), "Elasticsearch", silent),
    ]


def _asked(
    settings: ElasticsearchSettings, name: str, silent: str, seconds: float, ask: Callable[[Any], Awaitable[Line]]
) -> Iterator[Line]:  # fmt: skip
    from elasticsearch import AuthenticationException, AuthorizationException, TransportError

    from driftline.sinks.elasticsearch.sink import client

    async def run() -> Line:
        async with client(settings) as es:
            return await ask(es.options(request_timeout=seconds))

    try:
        yield asyncio.run(run())
    except (AuthenticationException, AuthorizationException) as error:
        raise UserError(
            f"{settings.url} refuses us: {error.status_code}",
            fix=f"correct {name}.username, password or api_key; its roles: driftline permissions {name}",
        ) from None
    except TransportError as error:
        raise UserError(error.message[:300], fix=silent, place=settings.url) from None


async def _health(es: Any, settings: ElasticsearchSettings, silent: str) -> Line:
    health = await es.cluster.health()
    told = await es.nodes.info(metric="os", filter_path="nodes.*.version")
    versions = "/".join(sorted({str(node["version"]) for node in told.get("nodes", {}).values()}))
    where = f"{health['cluster_name']} {versions} at {settings.url} is {health['status']}"
    version = health.meta.headers.get("x-elastic-product", "")
    if version != "Elasticsearch":
        return Line("Elasticsearch", "fail", f"{where}, and does not say that it is Elasticsearch", silent)  # fmt: skip
    red = health["status"] == "red"
    step = "see its cluster's allocation explain API" if red else ""
    return Line("Elasticsearch", "fail" if red else "ok", where, step)


async def _templates(es: Any, name: str) -> Line:
    from driftline.sinks.elasticsearch.installation import check, state
    from driftline.sinks.elasticsearch.templates import fingerprint

    problem = await check(es, name)
    if problem:
        return failed("templates", problem)
    index, _ = await state(es)
    return Line("templates", "ok", f"version {fingerprint()}, behind the alias: {index}")
