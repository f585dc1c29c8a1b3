"""Templates, the index behind the alias, and its replacement when the mapping changes."""

import re
from collections.abc import Callable
from typing import Any

import orjson
from elasticsearch import AsyncElasticsearch, NotFoundError

from pipeline.kafka import read_compacted
from pipeline.settings import Settings
from pipeline.topics import FINDINGS
from sinks.elasticsearch.render import ALIAS, history_stream
from sinks.elasticsearch.sink import ElasticsearchSink
from sinks.elasticsearch.templates import fingerprint, history_template, latest_template

LATEST, HISTORY = "driftline-latest", "driftline-history"
CHUNK = 1000


async def state(es: AsyncElasticsearch) -> tuple[str | None, str | None]:
    """The index behind the alias and its mapping's fingerprint; None where there is none."""
    try:
        found = await es.indices.get(index=ALIAS)
    except NotFoundError:
        return None, None
    name, about = next(iter(found.items()))
    return name, about["mappings"].get("_meta", {}).get("driftline")


async def check(es: AsyncElasticsearch) -> str | None:
    """What is missing, with the next step; None when all is as it should be."""
    index, have = await state(es)
    if index is None:
        return f"the alias {ALIAS} is missing (run: driftline sink elasticsearch --install)"
    if have != fingerprint():
        return f"{index} has another mapping than this version writes (run: driftline sink elasticsearch --install)"
    for name in (LATEST, HISTORY):
        if not await es.indices.exists_index_template(name=name):
            return f"the template {name} is missing (run: driftline sink elasticsearch --install)"
    return None


async def install(es: AsyncElasticsearch, settings: Settings, tell: Callable[[str], None]) -> None:
    """Makes what is missing; replaces the index behind the alias when the mapping has changed."""
    await es.indices.put_index_template(name=LATEST, **latest_template())
    await es.indices.put_index_template(name=HISTORY, **history_template())
    tell("templates: written")
    stream = history_stream(settings.elasticsearch.namespace)
    if await _stream_is_old(es, stream):
        await es.indices.rollover(alias=stream)
        tell(f"{stream}: rolled over to the new mapping")
    index, have = await state(es)
    if index is None:
        await es.indices.create(index=f"{ALIAS}-v1", aliases={ALIAS: {"is_write_index": True}})
        tell(f"{ALIAS}-v1: made, behind its alias")
    elif have != fingerprint():
        await _replace(es, settings, index, tell)
    else:
        tell(f"{index}: as it should be")


async def _stream_is_old(es: AsyncElasticsearch, stream: str) -> bool:
    """Whether the history's write index has another mapping. The first document makes the stream."""
    try:
        found = await es.indices.get_mapping(index=stream)
    except NotFoundError:
        return False
    newest = found[max(found.keys())]["mappings"]
    return bool(newest.get("_meta", {}).get("driftline") != fingerprint())


async def _replace(
    es: AsyncElasticsearch, settings: Settings, old: str, tell: Callable[[str], None]
) -> None:
    match = re.search(r"-v(\d+)$", old)
    new = f"{ALIAS}-v{int(match[1]) + 1 if match else 2}"
    await es.options(ignore_status=404).indices.delete(
        index=new
    )  # left by a replacement that was cut
    await es.indices.create(index=new)
    count = await refill(es, settings, new)
    await es.indices.update_aliases(
        actions=[{"remove": {"index": old, "alias": ALIAS}},
                 {"add": {"index": new, "alias": ALIAS, "is_write_index": True}}]
    )  # fmt: skip
    # what running sinks wrote to the old one meanwhile; versions keep the newer
    count += await refill(es, settings, new)
    await es.indices.delete(index=old)
    tell(f"{new}: filled with {count} writes from {FINDINGS.name}, in place of {old}")


async def refill(es: AsyncElasticsearch, settings: Settings, index: str) -> int:
    """Writes every standing finding of the topic into an index; says how many."""
    sink = ElasticsearchSink(settings.elasticsearch, es)
    import time

    lines: list[dict[str, Any]] = []
    count = 0
    for value in read_compacted(settings.kafka, FINDINGS.name).values():
        for action in sink.render(orjson.loads(value), int(time.time() * 1e6)):
            if action.target == ALIAS and action.body is not None:
                meta = {
                    "_index": index,
                    "_id": action.id,
                    "version": action.version,
                    "version_type": "external",
                }
                lines += [{"index": meta}, action.body]
                count += 1
        if len(lines) >= 2 * CHUNK:
            await es.bulk(operations=lines)
            lines = []
    if lines:
        await es.bulk(operations=lines)
    await es.indices.refresh(index=index)
    return count
