"""`driftline forget`: ends the findings of an account or resource that is no longer monitored."""

from datetime import UTC, datetime

import click

from driftline.pipeline.cli._ending import confirm, show_ends, tell
from driftline.pipeline.cli._options import formats
from driftline.pipeline.common.errors import UserError, exclusive
from driftline.pipeline.providers.installed import names
from driftline.pipeline.settings.blocks import load_settings


@click.command(name="forget")
@click.option("--account", metavar="ID", help="Everything of an account (subscription, project).")
@click.option("--uid", help="One resource, as findings name it.")
@click.option(
    "--region", help="Only this region of the account (`global` for resources without a region)."
)
@click.option("--type", "type_", metavar="TYPE", help="Only this type in the account.")
@click.option("--provider", type=click.Choice(names()), default="aws", show_default=True, help="The account's provider, if no finding shows it.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only show what would end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@formats()
def command(
    account: str | None, uid: str | None, region: str | None, type_: str | None, provider: str, form: str, *, dry_run: bool,
    yes: bool,
) -> None:  # fmt: skip
    """End the findings of an account or resource. They end with the reason `forgotten`.

    Stop its sweeps first: resources that are read later are tracked again."""
    from driftline.pipeline.kafka import forgetting
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import FINDINGS

    exclusive({"--dry-run": dry_run, "--yes": yes})
    if (account is None) == (uid is None) and not (account and uid):
        raise UserError("nothing selected", fix="use --account ID or --uid UID")
    given = {"--account": account, "--uid": uid, "--region": region, "--type": type_}
    if wrong := [name for name, value in given.items() if value is not None and not value.strip()]:
        raise UserError("is empty", fix="write it, or leave the option out", place=wrong[0])
    if wrong := [name for name, value in given.items() if name != "--uid" and "*" in (value or "")]:
        raise UserError(
            "contains a *", fix="write it in full: patterns are not supported here", place=wrong[0]
        )
    if uid and (region or type_):
        raise UserError("--region and --type go with --account: --uid names one resource")
    settings, wanted = load_settings(), forgetting.Wanted(account, uid, region, type_)
    with explained(settings.kafka):
        found = forgetting.ends(read_compacted(settings.kafka, FINDINGS.name).values(), wanted)
    gone = forgetting.words(found, wanted, provider, datetime.now(UTC))
    if not gone:
        raise UserError(
            f"no finding names {uid}",
            fix="write it as in a finding's resource.uid if it has no findings, add --account",
        )
    show_ends(found, form)
    if not found.resources:
        click.echo("no findings match (driftline coverage shows accounts, regions and types)", err=True)  # fmt: skip
    if dry_run:
        return
    confirm("forget all this?", "nothing was forgotten", yes=yes)
    tell(settings, gone)
    click.echo("sent to the stream; the findings end as `forgotten` within minutes, while the clock runs", err=True)  # fmt: skip
