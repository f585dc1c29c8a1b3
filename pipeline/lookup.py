"""Where findings and alerts are looked up: Elasticsearch where it is set up, else Kafka."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import click

from pipeline.errors import UserError
from pipeline.report import plain
from pipeline.settings import Settings
from pipeline.wanted import LEAST, named

T = TypeVar("T")


def uses_elasticsearch(settings: Settings, store: str | None) -> bool:
    """What `--store` says; else whether the settings name an Elasticsearch."""
    if store is not None:
        return store == "elasticsearch"
    return "url" in settings.elasticsearch.model_fields_set


def from_elasticsearch(settings: Settings, asked: Coroutine[Any, Any, T]) -> T:
    """The answer. Raises UserError where there is none."""
    from sinks.elasticsearch import explained

    try:
        return asyncio.run(asked)
    except Exception as error:
        told = explained(error, settings)
        if told is None:
            raise
        raise told from None


def one(noun: str, id: str, found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The one that an id, or the beginning of one, names; None is told. Raises UserError where it names several."""
    if len(id) < LEAST:
        raise UserError(
            f"{plain(id)}: too short for an id (write at least its first {LEAST} characters)"
        )
    these = named(found, id)
    if len(these) > 1:
        ids = ", ".join(sorted(each["id"] for each in these)[:5])
        raise UserError(f"{plain(id)}: several {noun}s begin so (write more of it: {ids})")
    if not these:
        click.echo(f"there is no {noun} {plain(id)} (driftline {noun}s list shows what there is; --store looks elsewhere)", err=True)  # fmt: skip
        return None
    return these[0]
