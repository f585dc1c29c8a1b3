"""What `driftline doctor` asks Elasticsearch."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.ops.checks import Check, Line, failed
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.module import SinkContext

SILENT = "is Elasticsearch running, and does elasticsearch.url name it?"


def checks(settings: ElasticsearchSettings, context: SinkContext, seconds: float) -> list[Check]:
    """Both of them; the second needs the first."""

    async def health(es: Any) -> Line:
        return await _health(es, settings)

    async def templates(es: Any) -> Line:
        return await _templates(es, context.name)

    return [
        Check("Elasticsearch", lambda: _asked(settings, seconds, health), silent=SILENT),
        Check("templates", lambda: _asked(settings, seconds, templates), "Elasticsearch", SILENT),
    ]


def _asked(
    settings: ElasticsearchSettings, seconds: float, ask: Callable[[Any], Awaitable[Line]]
) -> Iterator[Line]:
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
            fix="correct elasticsearch.username, password or api_key; its roles: driftline "
            "permissions elasticsearch",
        ) from None
    except TransportError as error:
        raise UserError(error.message[:300], fix=SILENT, place=settings.url) from None


async def _health(es: Any, settings: ElasticsearchSettings) -> Line:
    health = await es.cluster.health()
    told = await es.nodes.info(metric="os", filter_path="nodes.*.version")
    versions = "/".join(sorted({str(node["version"]) for node in told.get("nodes", {}).values()}))
    where = f"{health['cluster_name']} {versions} at {settings.url} is {health['status']}"
    version = health.meta.headers.get("x-elastic-product", "")
    if version != "Elasticsearch":
        return Line("Elasticsearch", "fail", f"{where}, and does not say that it is Elasticsearch", SILENT)  # fmt: skip
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
