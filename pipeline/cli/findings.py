"""`driftline findings`: lists and shows current findings from a sink's destination or from Kafka."""

import sys
from typing import Any

import click

from driftline.pipeline.cli._options import Commands, choosing, formats, store
from driftline.pipeline.common import exit_codes
from driftline.pipeline.offline.content import rulebook_and_options
from driftline.pipeline.report.query import WantedFindings
from driftline.pipeline.settings.blocks import Settings, load_settings

STATUSES = ("open", "suppressed", "resolved", "clear")


@click.group(name="findings", cls=Commands)
def command() -> None:
    """List findings, or show one."""


@command.command(name="list")
@click.option("--status", "statuses", multiple=True, type=click.Choice([*STATUSES, "all"]), default=["open"], show_default=True, help="May be repeated.")  # fmt: skip
@click.option("--account", "accounts", multiple=True, metavar="ID|NAME", help="Only findings in this account; may be repeated.")  # fmt: skip
@click.option(
    "--region", "regions", multiple=True, help="Only findings in this region; may be repeated."
)
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only findings on resources of this type; may be repeated.")  # fmt: skip
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only findings of this rule; may be repeated.")  # fmt: skip
@click.option("--owner", "owners", multiple=True, metavar="ID", help="Only of this owner; may be repeated.")  # fmt: skip
@click.option("--resource", default="", metavar="TEXT", help="Only findings on resources with this text in their uid or name.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number to show.")  # fmt: skip
@choosing
@store
@formats("csv")
def list_(limit: int, form: str, store: str | None, **given: Any) -> int:
    """List findings, worst first. Exit 3: there are none."""
    from driftline.pipeline.report import totals
    from driftline.pipeline.report.findings import print_failing
    from driftline.pipeline.report.table import console
    from driftline.pipeline.tasks.lookup import counted

    settings = load_settings()
    found, total = _found(settings, store, _wanted(settings, given), limit)
    if form == "json":
        click.echo(totals.ascii_json({"total": total, "findings": found}))
    elif form == "csv":
        click.echo(totals.as_csv(found), nl=False)
    else:
        out = console(sys.stdout)
        print_failing(out, found, ids=True)
        out.print(counted(found, total, "finding"), highlight=False)
    return 0 if found else exit_codes.EXIT_UNREAD


@command.command()
@click.argument("id")
@store
@formats()
def show(id: str, store: str | None, form: str) -> int:
    """Show one finding completely. ID may be shortened to its first eight characters. Exit 3: it does not exist."""
    from driftline.pipeline.kafka import stored_documents as stored
    from driftline.pipeline.report.detail import print_finding
    from driftline.pipeline.tasks.lookup import looked_up, shown

    settings = load_settings()
    found = looked_up(
        settings, store, lambda at: at.module.finding_named(at.at.settings, id),
        lambda: stored.findings(settings.kafka, lambda one: one["id"].startswith(id)),
    )  # fmt: skip
    return shown("finding", id, found, form, print_finding)


def _wanted(settings: Settings, given: dict[str, Any]) -> WantedFindings:
    """Checks services and excluded rules against the known rules. Raises UserError."""
    from driftline.pipeline.assess.ownership.owner_id import owner_id
    from driftline.pipeline.rulebook.narrowing import named, narrow, severities

    rules = tuple(given["rules"])
    services = named("--service", given["services"])
    if services or given["excluded"]:
        book = narrow(rulebook_and_options(settings)[0], [], services, given["excluded"])
        known = [rule.id for rule in book.rules]
        rules = tuple(rule for rule in known if not rules or rule in rules)
    statuses = given["statuses"]
    return WantedFindings(
        statuses=() if "all" in statuses else statuses, severities=severities(given["severities"]),
        accounts=given["accounts"], regions=given["regions"], types=given["types"], rules=rules, resource=given["resource"],
        owners=tuple(map(owner_id, given["owners"])),
    )  # fmt: skip


def _found(
    settings: Settings, store: str | None, wanted: WantedFindings, limit: int
) -> tuple[list[dict[str, Any]], int]:
    from driftline.pipeline.kafka import stored_documents as stored
    from driftline.pipeline.report.query import order
    from driftline.pipeline.tasks.lookup import looked_up
    from driftline.sinks.module import Found

    def held() -> Found:
        every = sorted(stored.findings(settings.kafka, wanted.takes), key=order)
        return Found(every[:limit], len(every))

    return looked_up(
        settings, store, lambda at: at.module.findings(at.at.settings, wanted, limit), held
    )
