"""Where findings and alerts are looked up: Elasticsearch where it is set up, else Kafka."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import click
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_UNREAD
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.report.query import LEAST, named
from driftline.pipeline.report.table import console
from driftline.pipeline.report.totals import ascii_json, plain
from driftline.pipeline.settings.blocks import Settings
from rich.console import Console

T = TypeVar("T")


def uses_elasticsearch(settings: Settings, store: str | None) -> bool:
    """What `--store` says; else whether the settings name an Elasticsearch."""
    if store is not None:
        return store == "elasticsearch"
    return "url" in settings.elasticsearch.model_fields_set


def from_elasticsearch(settings: Settings, asked: Coroutine[Any, Any, T]) -> T:
    """The answer. Raises UserError where there is none."""
    from driftline.sinks.elasticsearch import explained

    try:
        return asyncio.run(asked)
    except Exception as error:
        told = explained(error, settings)
        if told is None:
            raise
        raise told from None


def looked_up(
    settings: Settings,
    store: str | None,
    there: Callable[[], Coroutine[Any, Any, T]],
    held: Callable[[], T],
) -> T:
    """The answer of Elasticsearch (`there`) or of Kafka (`held`), as `uses_elasticsearch` says. Raises UserError."""
    return from_elasticsearch(settings, there()) if uses_elasticsearch(settings, store) else held()


def shown(
    noun: str,
    id: str,
    found: Sequence[dict[str, Any]],
    form: str,
    show: Callable[[Console, dict[str, Any]], None],
) -> int:
    """Prints the one that an id names, whole; the exit code."""
    document = one(noun, id, found)
    if document is None:
        return EXIT_UNREAD
    if form == "json":
        click.echo(ascii_json(document))
    else:
        show(console(sys.stdout), document)
    return 0


def counted(found: Sequence[object], total: int, noun: str) -> str:
    """How many a list shows, and of how many."""
    if total == len(found):
        return number_of(total, noun)
    return f"{len(found):,} of {number_of(total, noun)} (--limit shows more)"


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
