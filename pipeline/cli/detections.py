"""`driftline detections`: whether Sigma rules load, and what there is."""

import json
from pathlib import Path

import click

from pipeline.options import formats

PATHS = click.argument(
    "paths", nargs=-1, required=True, metavar="DIR…", type=click.Path(path_type=Path)
)
FORM = formats()


@click.group(name="detections")
def command() -> None:
    """Sigma detections and correlations."""


@command.command()
@PATHS
@FORM
def check(paths: tuple[Path, ...], form: str) -> int:
    """Check rules, correlations and filters. Says of each whether it loads, and why not. Exit 2: some do not; 3: there is none."""
    from pipeline.detections import load
    from pipeline.report import plain

    found = load(paths)
    bad = [one for one in found.told if one.problems]
    if form == "json":
        rows = [{"path": t.path, "title": t.title, "kind": t.kind, "loads": not t.problems, "problems": list(t.problems)} for t in found.told]  # fmt: skip
        click.echo(json.dumps({"documents": rows, "loaded": len(rows) - len(bad), "refused": len(bad), "passed_over": found.others}, indent=2))  # fmt: skip
        return 2 if bad else 0 if found.told else 3
    for problem in found.problems:
        click.echo(plain(problem), err=True)
    counts = f"{len(found.rules)} rules, {len(found.correlations)} correlations load"
    others = f"; {found.others} posture rules and frameworks passed over" if found.others else ""
    click.echo(f"{counts}; {len(bad)} of {len(found.told)} documents do not{others}")
    if not found.told:
        click.echo("nothing was looked at: there is no Sigma document in it", err=True)
    return 2 if bad else 0 if found.told else 3


@command.command(name="list")
@PATHS
@FORM
def list_(paths: tuple[Path, ...], form: str) -> int:
    """List rules and correlations. Level, log source, title, id."""
    from pipeline.detections import load
    from pipeline.report import plain

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
    for row in rows:
        click.echo(plain(f"{row['level']:<13} {row['source']:<16} {row['title']}  {row['id']}"))
    return 0
