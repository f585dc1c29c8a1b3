"""`driftline detections`: checks, lists and creates Sigma rules, and lists the forms of calls."""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats, into, write_new
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.yaml_source import YAML, require_files

if TYPE_CHECKING:
    from driftline.pipeline.detections import Detection, DetectionSet
    from driftline.pipeline.detections.correlations import Correlation
    from driftline.pipeline.detections.load import LoadedDocument

TEMPLATE = """\
title: What happened, as a sentence
id: {id}
name: {name}
status: experimental
description: What happened, and why it matters.
author: You
date: {date}
tags: []                    # MITRE ATT&CK: attack.persistence, attack.t1098
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventSource: {source}.amazonaws.com
    eventName: {names}
    {succeeded}         # it succeeded
  condition: selection
falsepositives: [Legitimate reasons for it]
level: medium               # informational (only a part of correlations), low, medium, high, critical
driftline:
  alerts: by itself         # in correlations; by itself and in correlations
  sources: [{kind}]         # docs/detections.md
  next: What to check first.
  examples:
    base:
      eventSource: {source}.amazonaws.com
      eventName: {event}
      awsRegion: eu-west-1
      sourceIPAddress: 198.51.100.7
      userIdentity: {{type: IAMUser, arn: "arn:aws:iam::111111111111:user/mallory", accountId: "111111111111", userName: mallory}}
      driftline: {{type: change, account: "111111111111", outcome: success, actor: {{id: "arn:aws:iam::111111111111:user/mallory", type: user}}}}
    fires:
      - {{name: it is called}}{versioned}
    silent:
      - {{name: it failed, set: {{{failed}}}}}
      - {{name: another call, {other}}}
      - {{name: another service, set: {{eventSource: other.amazonaws.com}}}}
"""

VERSIONED = """
      - {{name: with the version of the interface, calls: [{}]}}"""

PATHS = click.argument(
    "paths", nargs=-1, required=True, metavar="DIR…", type=click.Path(path_type=Path)
)
FORM = formats()


@click.group(name="detections", cls=Commands)
def command() -> None:
    """Check, list and create Sigma detections and correlations."""


@command.command()
@PATHS
@FORM
def check(paths: tuple[Path, ...], form: str) -> int:
    """Check rules, correlations and filters.

    Reports whether each one loads and passes its examples. A file also fails for an example with an unexpected result, for a mutation of its condition that no example detects,
    and for a source, call, field or resource type that no event has. Your files may refer to built-in rules.
    Exit 2: some files fail; 3: there are none."""
    from driftline.pipeline.proof.detections import proof
    from driftline.pipeline.report.totals import plain

    found, mine = _loaded(paths)
    bad = [one for one in mine if one.problems]
    own = {one.path for one in mine}
    wrong = _wrong(found, own)
    unproven = [one for one in _every(found) if one.path in own and not proof.proven(one)]
    if form == "json":
        rows = [{"path": t.path, "title": t.title, "kind": t.kind, "loads": not t.problems,
                 "problems": [*t.problems, *wrong.get((t.path, t.title), ())]} for t in mine]  # fmt: skip
        summary = {"loaded": len(rows) - len(bad), "refused": len(bad), "failed": len(wrong), "without_examples": len(unproven)}  # fmt: skip
        click.echo(
            json.dumps({"documents": rows, **summary, "passed_over": found.others}, indent=2)
        )
        return 2 if bad or wrong else 0 if mine else 3
    for problem in [
        *(p for one in bad for p in one.problems),
        *(p for each in wrong.values() for p in each),
    ]:
        click.echo(plain(problem), err=True)
    kinds = Counter(one.kind for one in mine if not one.problems)
    others = f"; {found.others} posture rules and frameworks skipped" if found.others else ""
    click.echo(f"{number_of(kinds['rule'], 'rule')}, {number_of(kinds['correlation'], 'correlation')} load; {len(bad)} of {len(mine)} documents do not{others}")  # fmt: skip
    if wrong:
        click.echo(f"{len(wrong)} of those that load fail")
    if unproven:
        click.echo(f"{len(unproven)} have no examples and are not tested (write driftline: {{examples: {{base, fires, silent}}}})")  # fmt: skip
    if not mine:
        click.echo("nothing was evaluated: no Sigma document found", err=True)
    return 2 if bad or wrong else 0 if mine else 3


def _loaded(paths: tuple[Path, ...]) -> tuple["DetectionSet", list["LoadedDocument"]]:
    """The documents of the folders and the built-in ones; and which of them are from the folders."""
    from driftline.pipeline.detections import load
    from driftline.pipeline.rulebook import builtin_folder

    own = {one.path for one in load(paths).documents}
    content = [builtin_folder() / name for name in ("detections", "correlations")]
    found = load([*paths, *content])
    found.others = load(paths).others
    return found, [one for one in found.documents if one.path in own]


def _calls() -> Any:
    """Known calls of an audit log: those of the first collector that has some."""
    from driftline.collectors import installed
    from driftline.collectors.collector import KnowsCalls

    return next(one.calls() for one in installed.own() if isinstance(one, KnowsCalls))


def _every(found: "DetectionSet") -> list["Detection | Correlation"]:
    return [*found.rules.values(), *found.correlations.values()]


def _wrong(found: "DetectionSet", mine: set[str]) -> dict[tuple[str, str], list[str]]:
    """Problems of files that load, by path and title."""
    calls = _calls()
    from driftline.pipeline.detections.engine import DetectionEngine
    from driftline.pipeline.detections.rule import Detection
    from driftline.pipeline.proof.detections import events, proof
    from driftline.pipeline.rulebook.shapes import builtin_shapes

    watch, types = DetectionEngine(found), set(builtin_shapes())
    out: dict[tuple[str, str], list[str]] = {}
    for one in _every(found):
        if one.path not in mine:
            continue
        if isinstance(one, Detection):
            asks = events.problems(one, calls, types)
        else:
            asks = events.correlation_problems(one, found.rules, calls)
        if why := [*proof.problems(watch, {one.id}), *(f"{proof.place(one)}: {problem}" for problem in asks)]:  # fmt: skip
            out[one.path, one.title] = why
    return out


@command.command()
@PATHS
@FORM
def forms(paths: tuple[Path, ...], form: str) -> int:
    """List the forms of the calls that rules name.

    CloudTrail may report what a rule looks for in several forms; each is listed with whether an example covers it. For each call that a rule names: the call, its name with a version, the other calls about the same thing, and parameters
    similar to those that the rule checks. Exit 2: no example covers some form; 3: no rule names a call."""
    calls = _calls()
    from driftline.pipeline.detections import load
    from driftline.pipeline.proof.detections import forms as every
    from driftline.pipeline.report.totals import plain

    rows = [
        {"rule": rule.name or rule.title, **one._asdict()}
        for rule in load(paths).rules.values()
        for one in every.forms(rule, calls)
    ]
    missing = [row for row in rows if not row["shown"]]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            mark = "shown" if row["shown"] else "missing"
            click.echo(
                plain(f"{mark:<8} {row['rule']}  {row['call']}  {row['what']}  {row['written']}")
            )
        click.echo(f"{number_of(len(rows), 'form')}, {len(missing)} of them in no example")
    return 2 if missing else 0 if rows else 3


@command.command(name="list")
@PATHS
@FORM
def list_(paths: tuple[Path, ...], form: str) -> int:
    """List rules and correlations with level, log source, title and id."""
    from driftline.pipeline.detections import load
    from driftline.pipeline.report.table import console, entries
    from driftline.pipeline.report.totals import plain

    require_files(paths, YAML, "detection")
    found = load(paths)
    rows = [
        {"id": r.id, "title": r.title, "level": r.level, "source": "/".join(r.logsource.values()), "tags": list(r.tags)}
        for r in found.rules.values()
    ]  # fmt: skip
    rows += [
        {"id": c.id, "title": c.title, "level": c.level, "source": c.kind, "tags": list(c.tags)}
        for c in found.correlations.values()
    ]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return 0
    listed = [
        (str(r["level"]), plain(str(r["title"])), plain(f"{r['source']}  {r['id']}")) for r in rows
    ]
    for line in entries(listed, console(sys.stdout).width, 13):
        click.echo(line)
    return 0


@command.command()
@click.argument("name")
@click.option(
    "--event",
    "call",
    required=True,
    metavar="SOURCE:NAME",
    help="The call to detect, as CloudTrail names it: cloudtrail:StopLogging.",
)
@into("rules/detections/aws")
def new(name: str, call: str, folder: Path) -> None:
    """Create a detection. Writes a skeleton that loads and passes its check."""
    from datetime import UTC, datetime
    from uuid import NAMESPACE_URL, uuid5

    calls = _calls()
    from driftline.pipeline.common.yaml_source import hint, nearest
    from driftline.pipeline.detections import load
    from driftline.pipeline.rulebook import builtin_folder

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            "not a detection's name",
            fix="write lower-case words joined by _: aws_trail_silenced",
            place=name,
        )
    source, _, event = call.partition(":")
    if source not in calls.sources() and not calls.names(source):
        raise UserError(
            f"no such source{nearest(source, calls.sources())}",
            fix="write it as cloudtrail:StopLogging",
            place=f"--event {call}",
        )
    event = next(
        (one for one in calls.names(source) if event in calls.versioned(source, one)), event
    )
    if event not in calls.names(source):
        raise UserError(
            f"{source} has no such call",
            fix=hint(event, calls.names(source)),
            place=f"--event {call}",
        )
    content = [builtin_folder() / kind for kind in ("detections", "correlations")]
    if any(name in (rule.name, rule.id) for rule in load(content).rules.values()):
        raise UserError("a detection with this name exists", fix="choose another name", place=name)
    path = folder / f"{name}.yml"
    others = calls.relatives(source, event)
    kind = "reads" if event.startswith(calls.READS) else "management"
    versions = calls.versioned(source, event)
    signs_in = source == "signin"  # a failed login has no error code
    text = TEMPLATE.format(
        id=uuid5(NAMESPACE_URL, f"driftline:{name}"),
        name=name,
        date=datetime.now(UTC).date().isoformat(),
        source=source,
        event=event,
        names=f"[{', '.join([event, *versions])}]" if versions else event,
        versioned=VERSIONED.format(", ".join(versions)) if versions else "",
        succeeded="driftline.outcome: success" if signs_in else "errorCode: null",
        failed="driftline.outcome: failure" if signs_in else "errorCode: AccessDenied",
        kind=kind,
        other=f"calls: [{', '.join(others)}]" if others else "set: {eventName: OtherCall}",
    )
    write_new(path, text, "choose another name")
    click.echo(f"{path}: edit it, then run: driftline detections check {path}")
