"""`driftline baseline declare`: checks of plans and states, and its output."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.plural import number_of

if TYPE_CHECKING:
    from driftline.collectors.declared import DeclaredResources
    from driftline.pipeline.model import Baseline


def whole(plan: Path, partial: Iterable[str]) -> None:
    """Raises UserError if a plan does not show everything that its code declares, or not what is applied."""
    if reasons := list(partial):
        raise UserError(
            *(Problem(f"not complete: {why}", place=plan) for why in reasons),
            f"{plan}: nothing was declared: declare a complete plan without changes (or use --force: it is used as it is, and nothing ends)",
        )


def grown(serial: int | None, lineage: str | None, mine: "Iterable[Baseline]") -> None:
    """Checks that a state's serial increases and its lineage is unchanged. Raises UserError."""
    for known in mine:
        if lineage and known.lineage and lineage != known.lineage:
            raise UserError(
                "the state has another lineage than the previous one",
                fix="check the workspace, or use --force",
                place="--plan",
            )
        if serial is not None and known.serial is not None and serial < known.serial:
            raise UserError(
                f"the state is older (serial {serial}) than the previous one ({known.serial})",
                fix="use the newest state, or --force",
                place="--plan",
            )


def alone(found: "DeclaredResources", others: "Iterable[Baseline]") -> None:
    """A resource can be declared by one workspace only."""
    sources = {b.uid: b for b in others}
    for record in found.records:
        if other := sources.get(record.uid):
            found.not_compared[record.address] = Problem(
                f"{other.address or record.uid} of workspace {other.source} is {record.kind} for the "
                "same resource",
                fix="end that first, or --force",
            )
    found.records = [record for record in found.records if record.uid not in sources]


def show(found: "DeclaredResources", over: "Iterable[Baseline]", form: str) -> None:
    """Prints what is compared and what is not, as a table or JSON."""
    from driftline.pipeline.report.totals import ascii_json, plain

    ended = [b.uid for b in over]
    if form == "json":
        click.echo(ascii_json({
            "kind": found.kind, "declared": {r.uid: r.expect for r in found.records}, "addresses": {r.uid: found.addresses[r.uid] for r in found.records},
            "ended": ended, "not_compared": found.not_compared, "partial": found.partial, "notes": found.notes,
        }))  # fmt: skip
        return
    for why in found.partial:
        click.echo(plain(f"not complete, so nothing ends: {why}"))
    for note in found.notes:
        click.echo(plain(f"note: {note}"))
    for record in found.records:
        click.echo(plain(f"{found.kind}: {record.uid}: {', '.join(sorted(record.expect))}"))
    for uid in ended:
        click.echo(plain(f"ended: {uid}"))
    for address, why in sorted(found.not_compared.items()):
        click.echo(plain(f"not compared: {address}: {why}"))
    click.echo(f"{number_of(len(found.records), 'resource')} {found.kind}, {number_of(len(ended), 'ends', 'end')}, {number_of(len(found.not_compared), 'is', 'are')} not, or not completely, compared")  # fmt: skip
