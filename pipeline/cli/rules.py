"""`driftline rules`: list, show, test, new."""

import json
import re
from pathlib import Path

import click

from pipeline.errors import UserError
from pipeline.rulebook import Rule, Rulebook
from pipeline.settings import load_settings
from pipeline.shell import rulebook_and_options

own = click.option("--rules", "paths", multiple=True, type=click.Path(exists=True, path_type=Path),
                   help="A folder of rules of your own; may be repeated.")  # fmt: skip


@click.group(name="rules")
def command() -> None:
    """The rules: list, show, test, begin a new one."""


def _rulebook(paths: tuple[Path, ...]) -> Rulebook:
    return rulebook_and_options(load_settings(), paths)[0]


def _about(rule: Rule) -> dict[str, object]:
    f = rule.file
    return {
        "id": f.id, "provider": rule.provider, "resource_type": f.type, "severity": f.severity, "title": f.title,
        "frameworks": f.frameworks, "version": f.version, "section": f.section, "needs": f.needs, "params": f.params,
    }  # fmt: skip


@command.command(name="list")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--framework", help="Only rules of this framework.")
@click.option("--type", "type_", help="Only rules on this resource type.")
@own
def list_(form: str, framework: str | None, type_: str | None, paths: tuple[Path, ...]) -> None:
    """List the rules."""
    rules = _rulebook(paths).only((), [type_] if type_ else [], framework or "").rules
    if form == "json":
        click.echo(json.dumps([_about(rule) for rule in rules], indent=2))
        return
    for rule in rules:
        click.echo(f"{rule.file.severity:<13} {rule.id:<52} {rule.file.title}")
    click.echo(f"{len(rules)} rules")


@command.command()
@click.argument("id")
@own
def show(id: str, paths: tuple[Path, ...]) -> None:
    """Show one rule as it is written."""
    rule = _rulebook(paths).only([id]).rules[0]
    click.echo(f"# {rule.path}\n{rule.path.read_text()}", nl=False)


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]…")
@own
def test(ids: tuple[str, ...], paths: tuple[Path, ...]) -> int:
    """Run every example and every mutant; exit 1 where one fails or survives."""
    from pipeline.rulebook.proof import cases, failures, survivors

    rules = _rulebook(paths).only(ids).rules
    problems: list[str] = []
    examples = mutants = 0
    for rule in rules:
        wrong = failures(rule)
        problems += wrong
        examples += len(cases(rule))
        if not wrong:  # a mutant says nothing where the rule itself is wrong
            count, alive = survivors(rule)
            mutants += count
            problems += alive
    for problem in problems:
        click.echo(problem)
    click.echo(
        f"{len(rules)} rules, {examples} examples, {mutants} mutants; {len(problems)} problems"
    )
    return 1 if problems else 0


TEMPLATE = """\
id: {id}
version: 1
title: What holds when this passes, as a sentence
severity: medium            # informational, low, medium, high, critical
type: {type}
section: Other              # how people group findings: the service
exposure: none              # none, account, organization, internet: who can reach what fails
privilege: none             # none, read, write, admin: what they could do then
needs: [{part}]
must: |
  resource.config.{part} != null
why: Why it matters, in your own words.
remediation:
  console: ""
  cli: ""
  terraform: ""
references: []
frameworks: {{}}
examples:
  base: {{config: {{{part}: {{}}}}}}
  passed: [{{name: as it should be}}]
  failed: [{{name: as it must not be, set: {{config.{part}: null}}}}]
  unknown: [{{name: it may not be read, unread: [{part}]}}]
"""


@command.command()
@click.argument("id")
@click.option(
    "--type", "type_", required=True, help="The resource type, for example AWS::S3::Bucket."
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rules"),
    show_default=True,
    help="Where its file is written.",
)
def new(id: str, type_: str, folder: Path) -> None:
    """Begin a rule: a file that loads and passes its test, to be filled."""
    from pipeline.rulebook.rule import ID
    from pipeline.rulebook.shapes import builtin_shapes
    from pipeline.rulebook.source import nearest

    if not re.fullmatch(ID, id):
        raise UserError(
            f"{id}: no rule's id (write lower-case words joined by -: own-bucket-logging)"
        )
    if any(rule.id == id for rule in _rulebook(()).rules):
        raise UserError(f"{id}: there is a rule of this id (choose another)")
    shapes = builtin_shapes()
    if type_ not in shapes:
        raise UserError(f"--type {type_}: no such type{nearest(type_, shapes)}")
    path = folder / f"{id}.yaml"
    if path.exists():
        raise UserError(f"{path} is there already (choose another id)")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE.format(id=id, type=type_, part=next(iter(shapes[type_]["parts"]))))
    click.echo(f"{path}: fill it, then run: driftline rules test --rules {folder} {id}")
