"""`driftline timeline`: what happened to a resource, or what someone did, in order."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.pipeline.offline.timeline import Line, Timeline


@click.command(name="timeline")
@click.argument("subject", metavar="UID|ACTOR")
@click.option("--from", "since", metavar="WHEN", default="7d", show_default=True, help="Start: a duration before now (2h, 3d) or a time (RFC 3339).")  # fmt: skip
@click.option("--to", "until", metavar="WHEN", help="Only before then.")
@formats()
def command(subject: str, since: str, until: str | None, form: str) -> int:
    """Show what happened to a resource, or what someone did.

    Readings, changes, drifts, findings, exceptions and alerts of a resource (its uid), or of someone (an id, or the name
    of a person, user, role or session; for a person in `people`, all names), in order, as far back as the topics go. Exit 3: nothing is known."""
    from driftline.pipeline.offline.timeline import Timeline
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json, plain
    from driftline.pipeline.settings.people_files import people_of
    from driftline.pipeline.settings.times import in_order, moment

    settings, now = load_settings(), datetime.now(UTC)
    first, last = moment("--from", since, now), moment("--to", until, now)
    in_order(first, last)
    timeline = Timeline(subject, first, last, people_of(settings.people))
    _read(settings, timeline, first)
    lines = timeline.lines()
    if form == "json":
        click.echo(ascii_json([line._asdict() for line in lines]))
    elif lines:
        console(sys.stdout).print(_table(lines, subject))
    if not lines:
        click.echo(f"nothing is known of {plain(subject)} since {since} (use a finding's resource.uid, or an actor's id; --from searches further back)", err=True)  # fmt: skip
    return 0 if lines else 3


def _read(settings: Settings, timeline: "Timeline", since: datetime | None) -> None:
    """Every topic that may have records of it. Compacted topics are read completely, because the latest record may be old."""
    from rich.console import Console

    from driftline.pipeline.kafka.client import explained, read_all, starts
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.records.topics import (
        ALERTS,
        CHANGES,
        DRIFT,
        EXCEPTIONS,
        FINDINGS,
        SNAPSHOTS,
    )

    topics = (CHANGES, SNAPSHOTS, DRIFT, FINDINGS, EXCEPTIONS, ALERTS)
    with Console(stderr=True).status("reading …") as status, explained(settings.kafka):
        there(settings.kafka, topics)
        for topic in topics:
            status.update(topic.name)
            first = None if topic.cleanup == "compact" else since
            begin = starts(settings.kafka, topic.name, range(topic.partitions), first)
            for message in read_all(settings.kafka, topic.name, begin):
                timeline.take(topic.name, message.value() or b"")


def _table(lines: "Sequence[Line]", subject: str) -> "Table":
    from driftline.pipeline.report.table import texts

    rows = (
        (
            f"{line.at[:19]}Z",
            line.kind,
            line.what,
            line.who,
            "" if line.resource == subject else line.resource,
        )
        for line in lines
    )
    return texts(("at", "kind", "what", "who", "resource"), rows, whole=("at", "kind"))
