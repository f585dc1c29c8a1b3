"""`driftline alerts`: lists and shows alerts from a sink's destination or from Kafka."""

import sys
from datetime import UTC, datetime
from typing import Any

import click

from driftline.pipeline.cli._options import Commands, formats, store
from driftline.pipeline.common import exit_codes
from driftline.pipeline.report.query import WantedAlerts
from driftline.pipeline.settings.blocks import Settings, load_settings

STATES = ("active", "ended", "merged", "withdrawn")


@click.group(name="alerts", cls=Commands)
def command() -> None:
    """List alerts, or show one."""


@command.command(name="list")
@click.option("--state", "states", multiple=True, type=click.Choice([*STATES, "all"]), default=["active", "ended"], show_default=True, help="May be repeated.")  # fmt: skip
@click.option("--severity", "severities", multiple=True, metavar="LIST", help="Only these severities: critical,high.")  # fmt: skip
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only alerts of this detection or correlation; may be repeated.")  # fmt: skip
@click.option("--about", default="", metavar="TEXT", help="Only alerts with this text in a resource's uid or an actor's id.")  # fmt: skip
@click.option("--from", "since", default="7d", show_default=True, metavar="WHEN", help="Start: a duration before now (2h, 3d) or a time (RFC 3339).")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number to show.")  # fmt: skip
@store
@formats()
def list_(limit: int, form: str, store: str | None, **given: Any) -> int:
    """List alerts, newest first. Exit 3: there are none."""
    from driftline.pipeline.report import totals
    from driftline.pipeline.report.alerts import alerts_table
    from driftline.pipeline.report.table import console
    from driftline.pipeline.tasks.lookup import counted

    settings = load_settings()
    found, total = _found(settings, store, _wanted(given), limit)
    if form == "json":
        click.echo(totals.ascii_json({"total": total, "alerts": found}))
    else:
        out = console(sys.stdout)
        if found:
            out.print(alerts_table(found, (), ids=True))
            out.print()
        out.print(counted(found, total, "alert"), highlight=False)
    return 0 if found else exit_codes.EXIT_UNREAD


@command.command()
@click.argument("id")
@store
@formats()
def show(id: str, store: str | None, form: str) -> int:
    """Show one alert with its story. ID may be shortened to its first eight characters. Exit 3: it does not exist."""
    from driftline.pipeline.kafka import stored_documents as stored
    from driftline.pipeline.report.detail import print_alert
    from driftline.pipeline.tasks.lookup import looked_up, shown

    settings = load_settings()
    found = looked_up(
        settings, store, lambda at: at.module.alert_named(at.at.settings, id),
        lambda: stored.alerts(settings.kafka, lambda one: one["id"].startswith(id)),
    )  # fmt: skip
    return shown("alert", id, found, form, print_alert)


def _wanted(given: dict[str, Any]) -> WantedAlerts:
    from driftline.pipeline.model import from_micros, micros
    from driftline.pipeline.rulebook.narrowing import severities
    from driftline.pipeline.settings.times import moment

    since = moment("--from", given["since"], datetime.now(UTC))
    return WantedAlerts(
        states=() if "all" in given["states"] else given["states"], severities=severities(given["severities"]),
        rules=given["rules"], about=given["about"], since=from_micros(micros(since)) if since else "",
    )  # fmt: skip


def _found(
    settings: Settings, store: str | None, wanted: WantedAlerts, limit: int
) -> tuple[list[dict[str, Any]], int]:
    from driftline.pipeline.kafka import stored_documents as stored
    from driftline.pipeline.tasks.lookup import looked_up
    from driftline.sinks.module import Found

    def held() -> Found:
        every = stored.alerts(settings.kafka, wanted.takes)
        every.sort(key=lambda one: (one["last"], one["id"]), reverse=True)
        return Found(every[:limit], len(every))

    return looked_up(
        settings, store, lambda at: at.module.alerts(at.at.settings, wanted, limit), held
    )
