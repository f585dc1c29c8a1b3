"""`driftline rules`: lists, shows, tests and creates rules."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from driftline.pipeline.cli._options import Commands, formats, into, write_new
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.yaml_source import hint, nearest
from driftline.pipeline.offline.content import rulebook_and_options
from driftline.pipeline.report.table import console, entries, hanging
from driftline.pipeline.rulebook import Rule, Rulebook
from driftline.pipeline.settings.blocks import load_settings

LEAD = 13
"""Columns of a severity, or a control's id."""
own = click.option("--rules", "paths", multiple=True, type=click.Path(exists=True, path_type=Path),
                   help="Folder of your own rules; may be repeated.")  # fmt: skip


@click.group(name="rules", cls=Commands)
def command() -> None:
    """List, show, test and create rules."""


def _rulebook(paths: tuple[Path, ...]) -> Rulebook:
    return rulebook_and_options(load_settings(), paths)[0]


def _about(rule: Rule) -> dict[str, object]:
    f = rule.file
    return {
        "id": f.id, "provider": rule.provider, "resource_type": f.type, "severity": f.severity, "title": f.title,
        "frameworks": rule.frameworks, "version": f.version, "section": f.section, "family": f.family, "needs": f.needs, "params": f.params,
    }  # fmt: skip


def _controls(rulebook: Rulebook, framework: str) -> list[dict[str, Any]]:
    """The controls of a framework, each with the ids of the rules that cover it."""
    return [
        {
            "id": id,
            "text": control.text,
            "rules": [
                rule.id for rule in rulebook.rules if id in rule.frameworks.get(framework, ())
            ],
        }
        for id, control in rulebook.frameworks.catalogues[framework].controls.items()
    ]


@command.command(name="list")
@formats()
@click.option(
    "--framework",
    help="Only rules of this framework; the table also shows its controls without a rule.",
)
@click.option(
    "--controls", is_flag=True, help="List the framework's controls instead, each with its rules."
)
@click.option("--type", "type_", help="Only rules on this resource type.")
@own
def list_(
    form: str, framework: str | None, controls: bool, type_: str | None, paths: tuple[Path, ...]
) -> None:
    """List the rules, or a framework's controls."""
    if controls and not framework:
        raise UserError("requires a framework", fix="add --framework ID", place="--controls")
    whole = _rulebook(paths)
    chosen = whole.only((), [type_] if type_ else [], framework or "")
    if controls and framework:
        _list_controls(form, _controls(chosen, framework))
    elif form == "json":
        click.echo(json.dumps([_about(rule) for rule in chosen.rules], indent=2))
    else:
        width = console(sys.stdout).width
        found = [(rule.file.severity, rule.id, rule.file.title) for rule in chosen.rules]
        for line in entries(found, width, LEAD):
            click.echo(line)
        without = (
            [one for one in _controls(whole, framework) if not one["rules"]] if framework else []
        )
        if without:
            click.echo("\ncontrols without a rule:")
        for one in without:
            click.echo("\n".join(hanging(one["id"], one["text"], width, LEAD)))
        if framework:
            click.echo()
        click.echo(
            number_of(len(chosen.rules), "rule")
            + (f", {number_of(len(without), 'control')} without a rule" if framework else "")
        )


def _list_controls(form: str, listed: list[dict[str, Any]]) -> None:
    if form == "json":
        click.echo(json.dumps(listed, indent=2))
        return
    for one in listed:
        click.echo("\n".join(hanging(one["id"], one["text"], console(sys.stdout).width, LEAD)))
        for rule in one["rules"]:
            click.echo(f"{'':<{LEAD}} - {rule}")
    ruled = sum(bool(one["rules"]) for one in listed)
    click.echo(f"{number_of(len(listed), 'control')}, {ruled} of them with rules")


def _named(rulebook: Rulebook, ids: Sequence[str]) -> list[Rule]:
    """The rules with these ids. Raises UserError for unknown ids."""
    known = {rule.id: rule for rule in rulebook.rules}
    wrong = [
        Problem(f"no such rule{nearest(id, known)}", fix="driftline rules list shows all", place=id)
        for id in ids
        if id not in known
    ]
    if wrong:
        raise UserError(*wrong)
    return [known[id] for id in ids]


@command.command()
@click.argument("id")
@own
def show(id: str, paths: tuple[Path, ...]) -> None:
    """Show the file of a rule."""
    [rule] = _named(_rulebook(paths), [id])
    click.echo(f"# {rule.path}\n{rule.path.read_text()}", nl=False)


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option(
    "--write-sentences",
    is_flag=True,
    help="First write the sentences of failing examples into the files. Review them before you commit.",
)
@own
def test(ids: tuple[str, ...], write_sentences: bool, paths: tuple[Path, ...]) -> int:
    """Run the examples and mutants of rules. Exit 1: an example fails or a mutant survives."""
    from driftline.pipeline.proof.rules.pinning import write
    from driftline.pipeline.proof.rules.proof import cases, failures, survivors
    from driftline.pipeline.proof.rules.sentences import unsaid

    whole = _rulebook(paths)
    rules = _named(whole, ids) if ids else list(whole.rules)
    if write_sentences:
        for rule in rules:
            for told in write(rule):
                click.echo(told)
        rules = _named(_rulebook(paths), [rule.id for rule in rules])
    problems: list[str] = []
    examples = mutants = 0
    for rule in rules:
        wrong = failures(rule) + unsaid(rule)
        problems += wrong
        examples += len(cases(rule))
        if not wrong:  # mutants are meaningless if the rule itself fails
            count, alive = survivors(rule)
            mutants += count
            problems += alive
    for problem in problems:
        click.echo(problem)
    click.echo(
        f"{number_of(len(rules), 'rule')}, {number_of(examples, 'example')}, {number_of(mutants, 'mutant')}; {number_of(len(problems), 'problem')}"
    )
    return 1 if problems else 0


TEMPLATE = """\
id: {id}
version: 1
title: What is true if this passes, as a sentence
severity: medium            # informational, low, medium, high, critical
type: {type}
section: Other              # for grouping findings: the service
family: ""                  # the question it asks, the same for all clouds; listed in rules/families.json
exposure: none              # none, account, organization, internet: who can reach the resource
privilege: none             # none, read, write, admin: what they could do
needs: [{part}]
must: |
  resource.config.{part} != null
sentence: "{{resource}} has no {part}"   # why it fails; define your own names as expressions under `values`
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
  failed: [{{name: as it must not be, says: example has no {part}, set: {{config.{part}: null}}}}]
  unknown: [{{name: it may not be read, unread: [{part}]}}]
"""


@command.command()
@click.argument("id")
@click.option(
    "--type", "type_", required=True, help="The resource type, for example AWS::S3::Bucket."
)
@into("rules")
def new(id: str, type_: str, folder: Path) -> None:
    """Create a rule. Writes a skeleton that loads and passes its test."""
    from driftline.pipeline.rulebook.rule import ID
    from driftline.pipeline.rulebook.shapes import builtin_shapes

    if not re.fullmatch(ID, id):
        raise UserError(
            "not a rule id",
            fix="expected lower-case words joined by -: own-bucket-logging",
            place=id,
        )
    if any(rule.id == id for rule in _rulebook(()).rules):
        raise UserError("a rule with this id exists", fix="choose another", place=id)
    shapes = builtin_shapes()
    if type_ not in shapes:
        raise UserError("no such type", fix=hint(type_, shapes), place=f"--type {type_}")
    path = folder / f"{id}.yaml"
    text = TEMPLATE.format(id=id, type=type_, part=next(iter(shapes[type_]["parts"])))
    write_new(path, text, "choose another id")
    click.echo(f"{path}: edit it, then run: driftline rules test --rules {folder} {id}")
