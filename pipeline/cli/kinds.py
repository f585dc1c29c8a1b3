"""`driftline kinds`: for developers of this repository; changes and checks its tables."""

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.yaml_source import nearest


@click.group(name="kinds", cls=Commands)
def command() -> None:
    """Create and check rows of resource types.

    For developers of this repository: needs a checkout."""


@command.command()
@click.argument("type_", metavar="TYPE")
@click.option("--service", help="botocore's name of the service [default: derived from the type].")
@click.option(
    "--list",
    "listing",
    metavar="OPERATION",
    help="The call that lists the resources [default: derived from the type].",
)
def new(type_: str, service: str | None, listing: str | None) -> None:
    """Propose the row of a resource type. For example AWS::KinesisVideo::Stream.

    Reads botocore's service model and writes into this checkout: the row with its calls, tags and events, the page in the console,
    and the operations that the row does not claim. The proposal is guessed from names: review and edit all of it."""
    from driftline.collectors import installed
    from driftline.collectors.collector import ProposesRows

    for one in installed.own():
        if isinstance(one, ProposesRows):
            for line in one.propose_row(type_, service, listing):
                click.echo(line)
            return


@command.command()
@click.argument("types", nargs=-1, metavar="[TYPE]…")
def check(types: tuple[str, ...]) -> int:
    """Check the paths of rows against botocore's service models. Exit 1: a path matches nothing."""
    from driftline.collectors import installed
    from driftline.collectors.collector import ChecksRows

    owners = [one for one in installed.own() if isinstance(one, ChecksRows)]
    checks = {type: one.row_problems for one in owners for type in one.kinds()}
    known = {type: row for one in owners for type, row in one.kinds().items()}
    wrong = [f"{one}: no row has this type{nearest(one, known)}" for one in types if one not in known]  # fmt: skip
    if wrong:
        raise UserError(*wrong)
    chosen = [known[one] for one in types] or list(known.values())
    problems = [line for kind in chosen for line in checks[kind.type](kind)]
    for problem in problems:
        click.echo(problem)
    click.echo(f"{number_of(len(chosen), 'row')}, {number_of(len(problems), 'problem')}")
    return 1 if problems else 0
