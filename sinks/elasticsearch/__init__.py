"""Forward to Elasticsearch. A latest view that Kibana's Findings page reads, and a history of transitions."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS, Topic
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.module import Found, SinkContext

if TYPE_CHECKING:
    from driftline.pipeline.ops.checks import Check
    from driftline.pipeline.report.query import WantedAlerts, WantedFindings
    from driftline.sinks.base import Sink

kind = "elasticsearch"
Settings = ElasticsearchSettings
topics: tuple[Topic, ...] = (FINDINGS, RESTATEMENTS, DRIFT, ALERTS)
references = False
roles = ("driftline_sink", "driftline_install", "driftline_reader")


def create(settings: ElasticsearchSettings, context: SinkContext) -> "Sink":
    from driftline.sinks.elasticsearch.sink import ElasticsearchSink

    return ElasticsearchSink(settings, context=context)


async def install(
    settings: ElasticsearchSettings, context: SinkContext, tell: Callable[[str], None]
) -> None:
    """Writes templates and index; a changed mapping is replaced. `tell` is called with a line for each action."""
    from driftline.sinks.elasticsearch.installation import install as write
    from driftline.sinks.elasticsearch.sink import client

    async with client(settings) as es:
        await write(es, settings, context, tell)


async def check(settings: ElasticsearchSettings, context: SinkContext) -> str | None:
    """The difference from what install would write, with the next step; None if there is none."""
    from driftline.sinks.elasticsearch.installation import check as compare
    from driftline.sinks.elasticsearch.sink import client

    async with client(settings) as es:
        return await compare(es, context.name)


def explained(
    error: Exception, settings: ElasticsearchSettings, context: SinkContext
) -> UserError | None:
    """The user-facing error for a client error, NotThere if Elasticsearch may answer later; None for other
    errors."""
    from elasticsearch import ApiError, SSLError, TransportError

    if not isinstance(error, ApiError | TransportError):
        return None
    look, see = "is it running, and are the address and credentials right?", "driftline doctor"
    if isinstance(error, SSLError):
        look, see = (
            f"look at {context.name}.ca_file; and does the certificate name the host of {context.name}.url?",
            "",
        )
    elif isinstance(error, ApiError) and error.status_code == 401:
        look, see = f"correct {context.name}.username and password, or api_key", ""
    elif isinstance(error, ApiError) and error.status_code == 403:
        look, see = f"the rights that it needs: driftline permissions {context.name}", ""
    if isinstance(error, ApiError):
        why, passes = str(error), error.status_code == 429 or error.status_code >= 500
    else:
        why, passes = error.message[:300], not isinstance(error, SSLError)
    kind = NotThere if passes else UserError
    return kind(why, fix=look, place=f"Elasticsearch at {settings.url}", see=see)


def doctor(settings: ElasticsearchSettings, context: SinkContext, seconds: float) -> "list[Check]":
    """Checks health and version, and whether the templates match this version."""
    from driftline.sinks.elasticsearch.examination import checks

    return checks(settings, context, seconds)


def permissions(settings: ElasticsearchSettings) -> Mapping[str, Any]:
    """Print the roles of the sink. Includes those of its installation, and of readers (`findings`, `alerts`)."""
    from driftline.sinks.elasticsearch.privileges import privileges

    return privileges(settings.namespace)


def searchable(settings: ElasticsearchSettings) -> bool:
    """Whether an address is configured explicitly."""
    return "url" in settings.model_fields_set


async def findings(settings: ElasticsearchSettings, wanted: "WantedFindings", limit: int) -> Found:
    """The first matching findings, worst first."""
    from driftline.sinks.elasticsearch import lookup

    return await lookup.findings(settings, wanted, limit)


async def finding_named(settings: ElasticsearchSettings, id: str) -> Sequence[dict[str, Any]]:
    """A few documents whose id begins with a prefix."""
    from driftline.sinks.elasticsearch import lookup

    return await lookup.finding_named(settings, id)


async def alerts(settings: ElasticsearchSettings, wanted: "WantedAlerts", limit: int) -> Found:
    """The first matching alerts, newest first."""
    from driftline.sinks.elasticsearch import lookup

    return await lookup.alerts(settings, wanted, limit)


async def alert_named(settings: ElasticsearchSettings, id: str) -> Sequence[dict[str, Any]]:
    """A few documents whose id begins with a prefix."""
    from driftline.sinks.elasticsearch import lookup

    return await lookup.alert_named(settings, id)
