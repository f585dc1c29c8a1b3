"""`driftline config`: check and show the settings."""

import re
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, examine, load_settings, shown
from driftline.pipeline.settings.warnings import hints, warnings

if TYPE_CHECKING:
    from driftline.pipeline.settings.reader import Read


@click.group(name="config", cls=Commands)
def command() -> None:
    """Check and show the settings. They are read from driftline.yaml and the environment."""


@command.command()
def check() -> None:
    """Report every error in the settings. Includes the rules, people and owners that they name."""
    found = examine()
    for warning in warnings(found):
        click.echo(f"warning: {warning}", err=True)
    count, wrong = _rules(found)
    wrong += _people(found)
    wrong += _owners(found)
    if found.problems or wrong:
        raise UserError(*found.problems, *wrong)
    for hint in hints(found):
        click.echo(f"hint: {hint}", err=True)
    click.echo(f"the settings are valid; {number_of(count, 'rule')}")


def _rules(found: "Read[Settings]") -> tuple[int, list[Problem]]:
    """The number of rules, and their errors with locations in the settings or in files."""
    from driftline.pipeline.rulebook import load

    rules = found.settings.rules
    there = [path for path in rules.paths if path.exists()]
    wrong = [
        Problem(
            "no such folder",
            fix="correct it",
            place=_element(found, "rules", "paths", number),
        )
        for number, path in enumerate(rules.paths)
        if path not in there
    ]
    try:
        return len(load(there, rules.overrides, builtin=rules.builtin).rules), wrong
    except UserError as error:
        placed = (
            problem.at(
                re.sub(
                    r"^rules\.overrides\[(\d+)\]",
                    lambda match: _override(found, match),
                    problem.place,
                )
            )
            for problem in error.problems
        )
        return 0, [*wrong, *placed]


def _people(found: "Read[Settings]") -> list[Problem]:
    """Errors in the map of people's names and its files."""
    from driftline.pipeline.settings.people_files import names_of

    def place(number: int) -> str:
        return _element(found, "people", number)

    return names_of(found.settings.people, place)[1]


def _owners(found: "Read[Settings]") -> list[Problem]:
    """What is wrong with the files of the map of owners, and with the list of those that there are."""
    from driftline.pipeline.settings.owner_files import known_owners, rows_of

    def place(number: int) -> str:
        return _element(found, "owners", "map", number)

    try:
        known_owners(found.settings.owners)
        wrong = []
    except UserError as error:
        wrong = [*error.problems]
    return rows_of(found.settings.owners.map, place)[1] + wrong


def _override(found: "Read[Settings]", match: re.Match[str]) -> str:
    return _element(found, "rules", "overrides", int(match[1]))


def _element(found: "Read[Settings]", *where: str | int) -> str:
    """The location of a list element, and its name."""
    written = found.written(*where)
    return f"{found.place(*written)}: {'.'.join(map(str, written))}"


@command.command()
def show() -> None:
    """Print the settings in effect, with secrets masked."""
    click.echo(shown(load_settings()), nl=False)
