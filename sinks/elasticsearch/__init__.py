"""Forward to Elasticsearch. A latest view that Kibana's Findings page reads, and a history of transitions."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.settings.blocks import Settings

if TYPE_CHECKING:
    from driftline.sinks.base import Sink


def create(settings: Settings) -> "Sink":
    from driftline.sinks.elasticsearch.sink import ElasticsearchSink

    return ElasticsearchSink(settings.elasticsearch, kafka=settings.kafka)


async def install(settings: Settings, tell: Callable[[str], None]) -> None:
    """Writes templates and index; a changed mapping is replaced. `tell` gets a line for each thing done."""
    from driftline.sinks.elasticsearch.installation import install as write
    from driftline.sinks.elasticsearch.sink import client

    async with client(settings.elasticsearch) as es:
        await write(es, settings, tell)


async def check(settings: Settings) -> str | None:
    """What differs from what install would write, with the next step; None if nothing does."""
    from driftline.sinks.elasticsearch.installation import check as compare
    from driftline.sinks.elasticsearch.sink import client

    async with client(settings.elasticsearch) as es:
        return await compare(es)


def explained(error: Exception, settings: Settings) -> UserError | None:
    """What to tell the user about a client's error, NotThere where Elasticsearch may answer later; None if it is none of
    the client's."""
    from elasticsearch import ApiError, SSLError, TransportError

    if not isinstance(error, ApiError | TransportError):
        return None
    look = "is it running, and are the address and credentials right? try: driftline doctor"
    if isinstance(error, SSLError):
        look = "look at elasticsearch.ca_file; and does the certificate name the host of elasticsearch.url?"
    elif isinstance(error, ApiError) and error.status_code == 401:
        look = "correct elasticsearch.username and password, or api_key"
    elif isinstance(error, ApiError) and error.status_code == 403:
        look = "the rights that it needs: driftline permissions elasticsearch"
    if isinstance(error, ApiError):
        why, passes = str(error), error.status_code == 429 or error.status_code >= 500
    else:
        why, passes = error.message[:300], not isinstance(error, SSLError)
    kind = NotThere if passes else UserError
    return kind(f"Elasticsearch at {settings.elasticsearch.url}: {why} ({look})")
