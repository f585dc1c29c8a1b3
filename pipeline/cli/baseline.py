"""`driftline baseline`: the expected configuration of resources. Any difference is a finding until it is gone."""

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.yaml_source import FOLDER, YAML, require_files
from driftline.pipeline.settings.blocks import load_settings

if TYPE_CHECKING:
    from driftline.pipeline.state.resource import Body

KINDS = ("approved", "declared", "recorded")
FORM = formats()


@click.group(name="baseline", cls=Commands)
def command() -> None:
    """Manage the expected configuration of resources. It is approved by people, or declared by code."""


@command.command()
@click.argument("patterns", nargs=-1, required=True, metavar="UID…")
@click.option("--by", required=True, metavar="WHO", help="Who approves it.")
@click.option("--reason", required=True, help="Why it is right so.")
@click.option("--type", "type_", metavar="TYPE", help="Only resources of this type.")
@click.option("--account", metavar="ID", help="Only in this account.")
@click.option("--part", "parts", multiple=True, metavar="NAME", help="Only this part of the configuration; may be repeated.")  # fmt: skip
@click.option(
    "--recreated", is_flag=True, help="Also apply to a resource recreated under the same name."
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Write files for `baseline apply` to this folder instead of approving.")  # fmt: skip
def approve(
    patterns: tuple[str, ...], by: str, reason: str, type_: str | None, account: str | None, parts: tuple[str, ...],
    recreated: bool, output: Path | None,
) -> int:  # fmt: skip
    """Approve resources as they are now. * in UID matches any text. Later differences are findings.

    Exit 3: parts that could not be read were not approved."""
    from driftline.pipeline.common.wildcards import matches
    from driftline.pipeline.kafka import baseline_store
    from driftline.pipeline.model import Baseline
    from driftline.pipeline.report.totals import plain
    from driftline.pipeline.settings import baseline_files

    settings, now = load_settings(), datetime.now(UTC)
    bodies = [
        body for body in baseline_store.present(settings.kafka, lambda uid: any(matches(p, uid) for p in patterns)).values()
        if type_ in (None, body.resource["type"]) and account in (None, body.resource["account"])
    ]  # fmt: skip
    if not bodies:
        raise UserError(
            "no such resource was read within the last week",
            fix="write it as in a finding's resource.uid",
            place=f"{', '.join(patterns)}",
        )
    lacking = 0
    records = []
    for body in sorted(bodies, key=lambda body: str(body.resource["uid"])):
        uid, expect = body.resource["uid"], _expected(body, parts)
        if unread := sorted(set(body.hidden) & set(parts or body.hidden)):
            lacking += 1
            click.echo(f"not read, not approved: {plain(uid)}: {', '.join(unread)}", err=True)
        if expect:
            records.append(Baseline(uid=uid, type=body.resource["type"], kind="approved", expect=expect, at=now, by=by, reason=reason, recreated=recreated))  # fmt: skip
    if output:
        for record in records:
            click.echo(str(baseline_files.write(output, record)))
    else:
        baseline_store.say(settings.kafka, records)
    click.echo(f"{number_of(len(records), 'resource')} {'written' if output else 'approved'}")
    return 3 if lacking else 0


def _expected(body: "Body", parts: tuple[str, ...]) -> dict[str, Any]:
    from driftline.pipeline.compare.paths import pointer

    hidden = set(body.hidden)
    known = {} if "*" in hidden else {k: v for k, v in body.config.items() if k not in hidden}
    return {
        pointer(part): value for part, value in sorted(known.items()) if not parts or part in parts
    }


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
def apply(paths: tuple[Path, ...], dry_run: bool) -> None:
    """Approve the baselines in files. Baselines that are no longer in any file end; those approved by command are kept."""
    from driftline.pipeline.kafka import baseline_store
    from driftline.pipeline.kafka.decision_store import same
    from driftline.pipeline.report.totals import plain
    from driftline.pipeline.settings import baseline_files

    settings, now = load_settings(), datetime.now(UTC)
    require_files(
        paths, (*YAML, ".json"), "baseline", fix=f"{FOLDER}; driftline baseline revoke ends one"
    )
    records, problems = baseline_files.read(paths, now)
    if problems:
        raise UserError(*problems)
    known = {
        b.uid: b for b in baseline_store.stored(settings.kafka).values() if b.kind == "approved"
    }
    wanted = {record.uid for record in records}
    new = [r for r in records if r.uid not in known or not same(r, known[r.uid])]
    over = [b.model_copy(update={"at": now, "revoked": now}) for b in known.values()
            if b.source == baseline_files.FROM_FILE and b.revoked is None and b.uid not in wanted]  # fmt: skip
    for record in new:
        click.echo(plain(f"{'changed' if record.uid in known else 'new'}: {record.uid}"))
    for record in over:
        click.echo(plain(f"ended: {record.uid}"))
    click.echo(f"{len(new)} begin or change, {len(over)} end, {len(records) - len(new)} unchanged")
    if not dry_run:
        baseline_store.say(settings.kafka, [*new, *over])


@command.command()
@click.option("--plan", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
              help="Output of `terraform show -json` for a plan or a state, or a state file.")  # fmt: skip
@click.option("--workspace", required=True, metavar="NAME", help="Workspace of the code. What it declared before and no longer declares ends.")  # fmt: skip
@click.option("--repository", default="", metavar="URL", help="Repository of the code, shown in findings.")  # fmt: skip
@click.option("--path", "folder", default="", metavar="PATH", help="Folder or file in that repository.")  # fmt: skip
@click.option("--ignore", "ignored", multiple=True, metavar="ADDRESS.ATTRIBUTE", help="Do not compare (plans do not contain lifecycle.ignore_changes); * matches any text.")  # fmt: skip
@click.option("--sets", multiple=True, metavar="ADDRESS.ATTRIBUTE", help="Set by code although the plan cannot show it (dynamic blocks, expressions); * matches any text.")  # fmt: skip
@click.option("--claims", is_flag=True, help="Report what these resources have in addition to the declaration (policies of roles, users and groups; rules of security groups) as a difference.")  # fmt: skip
@click.option("--partition", default="aws", show_default=True, metavar="NAME", help="Partition of buckets for which the plan does not show it.")  # fmt: skip
@click.option("--applied-by", "appliers", multiple=True, metavar="ACTOR", help="Who applies the code (a role's ARN, * matches any text): differences are not reported until half an hour after their last change of a resource.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only show what is compared and what is not.")
@click.option("--force", is_flag=True, help="Accept a state that is older or has another lineage, an incomplete plan (then nothing ends), or resources that another workspace declares.")  # fmt: skip
@FORM
def declare(
    plan: Path, workspace: str, repository: str, folder: str, ignored: tuple[str, ...], sets: tuple[str, ...], claims: bool,
    partition: str, appliers: tuple[str, ...], dry_run: bool, force: bool, form: str,
) -> int:  # fmt: skip
    """Create baselines from Terraform plans or states. A plan at the applied commit is `declared`; a state alone is only `recorded`,
    because an apply writes reality into it. Only attributes that code sets and mapping.yaml names are compared; the rest is listed with the reason."""
    from driftline.collectors import installed
    from driftline.collectors.collector import Declares
    from driftline.collectors.declared import joined
    from driftline.pipeline.kafka import baseline_store
    from driftline.pipeline.tasks import declare as declaring

    settings, now = load_settings(), datetime.now(UTC)
    found = joined([
        one.declared(plan, workspace, ignored, now, claims=claims, sets=sets, partition=partition)
        for one in installed.modules() if isinstance(one, Declares)
    ])  # fmt: skip
    if not force:
        declaring.whole(plan, found.partial)
    for record in found.records:
        record.appliers, record.repository, record.path = list(appliers), repository, folder
    known = baseline_store.stored(settings.kafka) if not dry_run else {}
    standing = [b for b in known.values() if b.kind == found.kind and b.revoked is None]
    mine = [b for b in standing if b.source == workspace]
    if not force:
        declaring.grown(found.serial, found.lineage, mine)
        declaring.alone(found, [b for b in standing if b.source != workspace])
    wanted = {record.uid for record in found.records}
    over = [] if found.partial else [b.model_copy(update={"at": now, "revoked": now}) for b in mine if b.uid not in wanted]  # fmt: skip
    declaring.show(found, over, form)
    if not dry_run:
        baseline_store.say(settings.kafka, [*found.records, *over])
    return 0


@command.command()
@click.argument("uids", nargs=-1, required=True, metavar="UID…")
@click.option(
    "--kind", type=click.Choice(KINDS), default="approved", show_default=True, help="Of this kind."
)
def revoke(uids: tuple[str, ...], kind: str) -> None:
    """End baselines. Their findings end with them."""
    from driftline.pipeline.common.yaml_source import hint
    from driftline.pipeline.kafka import baseline_store

    settings, now = load_settings(), datetime.now(UTC)
    known = {
        b.uid: b
        for b in baseline_store.stored(settings.kafka).values()
        if b.kind == kind and b.revoked is None
    }
    if unknown := [uid for uid in uids if uid not in known]:
        raise UserError(
            *(Problem(f"no {kind} baseline", fix=hint(uid, known), place=uid) for uid in unknown)
        )
    baseline_store.say(
        settings.kafka, [known[uid].model_copy(update={"at": now, "revoked": now}) for uid in uids]
    )
    click.echo(f"{len(uids)} ended")


@command.command(name="list")
@FORM
def list_(form: str) -> None:
    """List the baselines in force. Shows their kind, the status of the resource, and the author."""
    from driftline.pipeline.kafka import baseline_store
    from driftline.pipeline.report.totals import ascii_json

    settings = load_settings()
    standing = [b for b in baseline_store.stored(settings.kafka).values() if b.revoked is None]
    states = baseline_store.statuses(settings.kafka)
    rows = [
        {"uid": b.uid, "kind": b.kind, "state": states.get(baseline_store.key(b), "not judged"), "by": b.by, "at": b.at.isoformat(),
         "source": b.source, "reason": b.reason, "places": sorted(b.expect)}
        for b in sorted(standing, key=lambda b: (b.uid, b.kind))
    ]  # fmt: skip
    if form == "json":
        click.echo(ascii_json(rows))
    elif rows:
        _shown(rows, ("uid", "kind", "state", "by", "source", "at"))
    else:
        click.echo("no baselines")


@command.command()
@click.argument("uid")
@FORM
def diff(uid: str, form: str) -> int:
    """Show how a resource differs from its baselines. Compares its latest reading. Exit 1: it differs; 3: not known."""
    from driftline.pipeline.assess.decisions.baselines import differences
    from driftline.pipeline.kafka import baseline_store
    from driftline.pipeline.offline.content import hints
    from driftline.pipeline.report.totals import ascii_json

    settings = load_settings()
    mine = [
        b
        for b in baseline_store.stored(settings.kafka).values()
        if b.uid == uid and b.revoked is None
    ]
    if not mine:
        raise UserError("no such baseline", fix="see: driftline baseline list", place=uid)
    body = baseline_store.present(settings.kafka, lambda one: one == uid).get(uid)
    if body is None:
        click.echo(f"{uid}: not read within the last week, or deleted", err=True)
        return 3
    own = hints().get(body.resource["type"])
    rows = [
        {"kind": b.kind, "op": change["op"], "path": change["path"], "expected": change.get("before"), "now": change.get("after")}
        for b in sorted(mine, key=lambda b: b.kind) for change in differences(b.expect, body.config, own)
    ]  # fmt: skip
    if form == "json":
        click.echo(ascii_json(rows))
    elif rows:
        _shown(rows, ("kind", "op", "path", "expected", "now"))
    else:
        click.echo("no difference")
    return 1 if rows else 0


def _shown(rows: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> None:
    from driftline.pipeline.report.table import console, texts

    console(sys.stdout).print(texts(names, ([row[name] for name in names] for row in rows)))
