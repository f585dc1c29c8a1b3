"""`driftline sink`: forwards findings."""

import asyncio
import contextlib
import signal

import click

from pipeline.errors import UserError
from pipeline.settings import Settings, load_settings


@click.group(name="sink")
def command() -> None:
    """Forward findings to a destination."""


@command.command()
@click.option(
    "--install",
    is_flag=True,
    help="Write templates and index, then end; a changed mapping is replaced.",
)
@click.option(
    "--check",
    "check_only",
    is_flag=True,
    help="Say whether templates and index are as they should be.",
)
def elasticsearch(install: bool, check_only: bool) -> int:
    """Forward findings to Elasticsearch, as Kibana's Findings page reads them."""
    settings = load_settings()
    try:
        if install:
            asyncio.run(_install(settings))
            return 0
        return asyncio.run(_run(settings, check_only))
    except _connection_errors() as error:
        raise UserError(
            f"Elasticsearch at {settings.elasticsearch.url}: {error} (is it running, and are the address and"
            " credentials right? try: driftline doctor)"
        ) from None


def _connection_errors() -> tuple[type[Exception], ...]:
    from elasticsearch import AuthenticationException, AuthorizationException, TransportError

    return TransportError, AuthenticationException, AuthorizationException


async def _install(settings: Settings) -> None:
    from sinks.elasticsearch.install import install
    from sinks.elasticsearch.sink import client

    async with client(settings.elasticsearch) as es:
        await install(es, settings, click.echo)


async def _run(settings: Settings, check_only: bool) -> int:
    from pipeline import log
    from pipeline.health import serve
    from sinks.deliver import Deliverer, TooManyRefused
    from sinks.elasticsearch.install import check
    from sinks.elasticsearch.sink import ElasticsearchSink, client

    async with client(settings.elasticsearch) as es:
        problem = await check(es)
    if check_only:
        click.echo(problem or "templates and index are as they should be")
        return 2 if problem else 0
    if problem:
        raise UserError(problem)
    log.start()
    if settings.sink.port:
        serve("127.0.0.1", settings.sink.port)
    deliverer = Deliverer(settings, ElasticsearchSink(settings.elasticsearch))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, deliverer.stop)
    try:
        await deliverer.run()
    except TooManyRefused as why:
        click.echo(f"error: {why}", err=True)
        return 4
    return 0
