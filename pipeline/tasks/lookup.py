"""Where findings and alerts are looked up: a sink's destination where one can be asked, else Kafka."""

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
    """A sink's destination that can be asked."""

    at: ConfiguredSink
    module: Searched


def store_of(settings: Settings, name: str | None) -> Store | None:
    """What `--store` names; else the first sink of the settings that can be asked; None: Kafka. Raises UserError."""
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
    """The answer of a sink's destination (`there`) or of Kafka (`held`), as `store_of` says. Raises UserError."""
    found = store_of(settings, store)
    return held() if found is None else found.at.asked(there(found))


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
            "too short for an id",
            fix=f"write at least its first {LEAST} characters",
            place=plain(id),
        )
    these = named(found, id)
    if len(these) > 1:
        ids = ", ".join(sorted(each["id"] for each in these)[:5])
        raise UserError(
            f"several {noun}s begin so", fix=f"write more of it: {ids}", place=plain(id)
        )
    if not these:
        click.echo(f"there is no {noun} {plain(id)} (driftline {noun}s list shows what there is; --store looks elsewhere)", err=True)  # fmt: skip
        return None
    return these[0]
