"""Looks up findings and alerts in a searchable sink's destination, else in Kafka."""

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

import click
from rich.console import Console

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_UNREAD
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.report.query import LEAST, named
from driftline.pipeline.report.table import console
from driftline.pipeline.report.totals import ascii_json, plain
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.configured import ConfiguredSink, configured, configured_sink
from driftline.sinks.module import Searched

T = TypeVar("T")
KAFKA = "kafka"


class Store(NamedTuple):
    """A sink whose destination can be searched."""

    at: ConfiguredSink
    module: Searched


def store_of(settings: Settings, name: str | None) -> Store | None:
    """The sink named by `--store`; else the first searchable sink of the settings; None: Kafka. Raises UserError."""
    if name == KAFKA:
        return None
    if name is None:
        for one in configured(settings):
            if isinstance(one.module, Searched) and one.module.searchable(one.settings):
                return Store(one, one.module)
        return None
    at = configured_sink(settings, name)
    if not isinstance(at.module, Searched):
        raise UserError(
            f"a sink of the kind {at.module.kind} cannot be searched",
            fix="write --store kafka",
            place=f"--store {name}",
        )
    return Store(at, at.module)


def looked_up(
    settings: Settings,
    store: str | None,
    there: Callable[[Store], Coroutine[Any, Any, T]],
    held: Callable[[], T],
) -> T:
    """The result from a sink's destination (`there`) or from Kafka (`held`), according to `store_of`. Raises UserError."""
    found = store_of(settings, store)
    return held() if found is None else found.at.asked(there(found))


def shown(
    noun: str,
    id: str,
    found: Sequence[dict[str, Any]],
    form: str,
    show: Callable[[Console, dict[str, Any]], None],
) -> int:
    """Prints the complete document with an id; returns the exit code."""
    document = one(noun, id, found)
    if document is None:
        return EXIT_UNREAD
    if form == "json":
        click.echo(ascii_json(document))
    else:
        show(console(sys.stdout), document)
    return 0


def counted(found: Sequence[object], total: int, noun: str) -> str:
    """The number of documents shown, and the total."""
    if total == len(found):
        return number_of(total, noun)
    return f"{len(found):,} of {number_of(total, noun)} (--limit shows more)"


def one(noun: str, id: str, found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The document with an id or prefix of one; if there is none, prints an error and returns None. Raises UserError if there are several."""
    if len(id) < LEAST:
        raise UserError(
            "too short for an id",
            fix=f"write at least its first {LEAST} characters",
            place=plain(id),
        )
    these = named(found, id)
    if len(these) > 1:
        ids = ", ".join(sorted(each["id"] for each in these)[:5])
        raise UserError(
            f"several {noun}s begin with it", fix=f"write more characters: {ids}", place=plain(id)
        )
    if not these:
        click.echo(f"no {noun} {plain(id)} (see: driftline {noun}s list; --store selects another store)", err=True)  # fmt: skip
        return None
    return these[0]
