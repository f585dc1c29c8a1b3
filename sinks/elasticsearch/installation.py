"""Templates, the index behind the alias, and its replacement when the mapping changes.

An index is *filling* from its making until the last pass over the topic, and says so in its mapping's `_meta`: an installation
that was cut off is finished by the next one, and two at once do the same work twice. Versions keep the newer document."""

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException
from elasticsearch import AsyncElasticsearch, BadRequestError, NotFoundError

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.records.topics import FINDINGS
from driftline.sinks.elasticsearch.refill import refill
from driftline.sinks.elasticsearch.render import ALIAS, history_stream
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.templates import fingerprint, templates
from driftline.sinks.module import SinkContext

ABANDONED_MS = 3_600_000
"""A filling index this old is nobody's: what was deleted since is not known to it."""


def run(name: str) -> str:
    """The next step where something is missing."""
    return f"run: driftline sink {name} --install"


async def state(es: AsyncElasticsearch) -> tuple[str | None, str | None]:
    """The index behind the alias and its mapping's fingerprint; None where there is none."""
    try:
        found = await es.indices.get(index=ALIAS)
    except NotFoundError:
        return None, None
    name, about = next(iter(found.items()))
    return name, _meta(about).get("driftline")


async def check(es: AsyncElasticsearch, name: str) -> Problem | None:
    """What is missing, with the next step; None when all is as it should be. `name`: the sink's."""
    again = run(name)
    index, have = await state(es)
    if index is None:
        return Problem(f"the alias {ALIAS} is missing", fix=again)
    if have != fingerprint():
        return Problem(f"{index} has another mapping than this version writes", fix=again)
    if index == ALIAS:
        return Problem(f"{ALIAS} is an index, and must be an alias", fix=f"delete it, then {again}")
    if _meta((await es.indices.get(index=index))[index]).get("filling"):
        return Problem(
            f"{index} is not yet filled: an installation is under way or was cut off",
            fix=again,
        )
    await es.mget(index=ALIAS, ids=["none"])  # a role of an earlier version cannot
    for template, wanted in templates().items():
        try:
            found = await es.indices.get_index_template(name=template)
        except NotFoundError:
            return Problem(f"the template {template} is missing", fix=again)
        if found["index_templates"][0]["index_template"].get("_meta") != wanted["_meta"]:
            return Problem(f"the template {template} is another than this version's", fix=again)
    return None


async def install(
    es: AsyncElasticsearch,
    settings: ElasticsearchSettings,
    context: SinkContext,
    tell: Callable[[str], None],
) -> None:
    """Makes what is missing; replaces the index behind the alias when the mapping has changed. Raises UserError."""
    for name, template in templates().items():
        await es.indices.put_index_template(name=name, **template)
    tell("templates: written")
    stream = history_stream(settings.namespace)
    if await _stream_is_old(es, stream):
        await es.indices.rollover(alias=stream)
        tell(f"{stream}: rolled over to the new mapping")
    index, have = await state(es)
    if index == ALIAS:
        raise UserError(f"{ALIAS} is an index, and must be an alias: delete it, then install again")
    there = await es.indices.get(index=f"{ALIAS}-v*", expand_wildcards="all")
    if index is not None and have == fingerprint():
        if _meta(there[index]).get("filling"):
            await _finish(es, settings, context, index, tell)
        else:
            tell(f"{index}: as it should be")
        return
    new = await _make(es, dict(there), index)
    if index is not None:  # else there is nothing to look at meanwhile
        await _fill(es, settings, context, new, tell)
    swap = (
        [{"remove": {"index": f"{ALIAS}-v*", "alias": ALIAS, "must_exist": False}}] if index else []
    )
    await es.indices.update_aliases(
        actions=[*swap, {"add": {"index": new, "alias": ALIAS, "is_write_index": True}}]
    )
    tell(f"{new}: behind the alias" + (f", in place of {index}" if index else ""))
    await _finish(es, settings, context, new, tell)


async def _make(es: AsyncElasticsearch, there: dict[str, Any], index: str | None) -> str:
    """The next index, empty; or the one that an installation now under way, or just cut off, is filling."""
    newest = max(there, key=_number, default=None)
    if newest is not None and newest != index and _is_ours(there[newest]):
        return newest
    name = f"{ALIAS}-v{_number(newest) + 1 if newest else 1}"
    try:
        await es.indices.create(
            index=name, mappings={"_meta": {"driftline": fingerprint(), "filling": True}}
        )
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
    return name


def _number(name: str) -> int:
    """Of an index: 2 of …-v2. One that a person named otherwise comes before all."""
    number = name.rpartition("-v")[2]
    return int(number) if number.isdecimal() else 0


def _is_ours(about: dict[str, Any]) -> bool:
    age = time.time() * 1000 - int(about["settings"]["index"]["creation_date"])
    return _meta(about) == {"driftline": fingerprint(), "filling": True} and age < ABANDONED_MS


async def _finish(
    es: AsyncElasticsearch,
    settings: ElasticsearchSettings,
    context: SinkContext,
    index: str,
    tell: Callable[[str], None],
) -> None:
    """What was said, and what ended, while the index was being filled and swapped; then the others go."""
    await _fill(es, settings, context, index, tell)
    now, _ = await state(es)
    if now != index:
        raise UserError(
            f"another installation has put {now} in place of {index}: {run(context.name)} once more"
        )
    await es.indices.put_mapping(index=index, meta={"driftline": fingerprint()})
    for name in await es.indices.get(index=f"{ALIAS}-v*", expand_wildcards="all"):
        if _number(name) < _number(index):
            await es.options(ignore_status=404).indices.delete(index=name)
            tell(f"{name}: deleted")


async def _fill(
    es: AsyncElasticsearch,
    settings: ElasticsearchSettings,
    context: SinkContext,
    index: str,
    tell: Callable[[str], None],
) -> None:
    try:
        tell(f"{index}: {await refill(es, settings, context, index)} from {FINDINGS.name}")
    except KafkaException as why:
        # An index that nobody could have looked at before is filled by the sink, and by what is said again.
        if (await es.count(index=index))["count"] or len(
            await es.indices.get(index=f"{ALIAS}-v*")
        ) > 1:
            raise UserError(
                f"{index} cannot be filled from {FINDINGS.name}: {why.args[0].str()}",
                fix=f"the old view stays; {run(context.name)} again",
            ) from None
        tell(f"{index}: not filled, {FINDINGS.name} cannot be read: {why.args[0].str()}")


async def _stream_is_old(es: AsyncElasticsearch, stream: str) -> bool:
    """Whether the history's write index has another mapping. The first document makes the stream."""
    try:
        found = await es.indices.get_mapping(index=stream)
    except NotFoundError:
        return False
    newest = max(found.keys(), key=lambda name: int(name.rpartition("-")[2]))
    return bool(found[newest]["mappings"].get("_meta", {}).get("driftline") != fingerprint())


def _meta(about: dict[str, Any]) -> dict[str, Any]:
    return dict(about["mappings"].get("_meta", {}))
