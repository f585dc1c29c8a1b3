"""Templates, the index behind the alias, and its replacement when the mapping changes.

An index is *filling* from its creation until the last pass over the topic, which is recorded in its mapping's `_meta`: an interrupted
installation is completed by the next one, and two concurrent ones do the same work twice. Versions keep the newer document."""

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
"""Age above which a filling index is abandoned, because it has missed deletions."""


def run(name: str) -> str:
    """The next step if something is missing."""
    return f"run: driftline sink {name} --install"


async def state(es: AsyncElasticsearch) -> tuple[str | None, str | None]:
    """The index behind the alias and its mapping's fingerprint; None if there is none."""
    try:
        found = await es.indices.get(index=ALIAS)
    except NotFoundError:
        return None, None
    name, about = next(iter(found.items()))
    return name, _meta(about).get("driftline")


async def check(es: AsyncElasticsearch, name: str) -> Problem | None:
    """What is missing, with the next step; None if everything is correct. `name`: the sink's."""
    again = run(name)
    index, have = await state(es)
    if index is None:
        return Problem(f"the alias {ALIAS} is missing", fix=again)
    if have != fingerprint():
        return Problem(f"{index} has a different mapping than this version", fix=again)
    if index == ALIAS:
        return Problem(f"{ALIAS} is an index, and must be an alias", fix=f"delete it, then {again}")
    if _meta((await es.indices.get(index=index))[index]).get("filling"):
        return Problem(
            f"{index} is not yet filled: an installation is under way or was cut off",
            fix=again,
        )
    await es.mget(index=ALIAS, ids=["none"])  # fails with the role of an earlier version
    for template, wanted in templates().items():
        try:
            found = await es.indices.get_index_template(name=template)
        except NotFoundError:
            return Problem(f"the template {template} is missing", fix=again)
        if found["index_templates"][0]["index_template"].get("_meta") != wanted["_meta"]:
            return Problem(f"the template {template} differs from this version's", fix=again)
    return None


async def install(
    es: AsyncElasticsearch,
    settings: ElasticsearchSettings,
    context: SinkContext,
    tell: Callable[[str], None],
) -> None:
    """Creates what is missing; replaces the index behind the alias if the mapping has changed. Raises UserError."""
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
    if index is not None:  # otherwise there is no view to keep meanwhile
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
    """The next index, empty; or the one that a running or interrupted installation is filling."""
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
    """The number of an index: 2 for …-v2. Indices with other names come first."""
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
    """Applies writes and deletions made while the index was filled and swapped, then deletes the other indices."""
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
        # A first index is filled by the sink and by restatements.
        if (await es.count(index=index))["count"] or len(
            await es.indices.get(index=f"{ALIAS}-v*")
        ) > 1:
            raise UserError(
                f"{index} cannot be filled from {FINDINGS.name}: {why.args[0].str()}",
                fix=f"the old view stays; {run(context.name)} again",
            ) from None
        tell(f"{index}: not filled, {FINDINGS.name} cannot be read: {why.args[0].str()}")


async def _stream_is_old(es: AsyncElasticsearch, stream: str) -> bool:
    """Whether the history's write index has a different mapping. The first document creates the stream."""
    try:
        found = await es.indices.get_mapping(index=stream)
    except NotFoundError:
        return False
    newest = max(found.keys(), key=lambda name: int(name.rpartition("-")[2]))
    return bool(found[newest]["mappings"].get("_meta", {}).get("driftline") != fingerprint())


def _meta(about: dict[str, Any]) -> dict[str, Any]:
    return dict(about["mappings"].get("_meta", {}))
