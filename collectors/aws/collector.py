"""The AWS collector module (driftline.collectors.collector): command options, and the modules that implement the commands.

Imports in this module are loaded by every command; others when they are used."""

import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.collectors.aws.options import event_options as event_options
from driftline.collectors.aws.options import permission_options as permission_options
from driftline.collectors.aws.options import read_options as read_options
from driftline.collectors.aws.options import scan_options as scan_options
from driftline.collectors.aws.options import sweep_options as sweep_options
from driftline.collectors.aws.settings import AwsSettings, aws_settings
from driftline.collectors.collector import CollectorContext, ExtraSource, FileOutcome, SweepRequest
from driftline.collectors.declared import DeclaredResources
from driftline.collectors.folder.formats import FileReader, LogReader
from driftline.pipeline.common.errors import Problem, UserError, exclusive
from driftline.pipeline.model import Sweep
from driftline.pipeline.ops.checks import Check

if TYPE_CHECKING:
    from driftline.collectors.aws.reread.resource import ResourceReader
    from driftline.collectors.aws.row import Kind
    from driftline.collectors.aws.sweep.options import CollectOptions
    from driftline.collectors.redact import Places, Redactor

provider = "aws"
title = "AWS"
Settings = AwsSettings


no_account = "the organization lists no active one; look at --accounts and aws.accounts"
faster = "raise aws.requests_per_second"
no_source = (
    "write queues: [{url: …}], or lookup: true; deploy/aws makes the queues",
    "aws.events",
)
guide = "deploy/aws/README.md, then aws.events.queues"
more_readers = "raise aws.events.readers"
extra_sources = {
    "data": ExtraSource(
        "log", "data events (who reads objects)",
        "deploy/aws/README.md, data_event_objects; then a queue of source log in aws.events.queues",
    ),
    "guardduty": ExtraSource(
        "eventbridge", "findings of GuardDuty",
        "deploy/aws/README.md, then a queue of source eventbridge",
    ),
    "inspector": ExtraSource(
        "eventbridge", "findings of Inspector",
        "deploy/aws/README.md, then a queue of source eventbridge",
    ),
}  # fmt: skip
backfill_place = "s3://BUCKET/PREFIX"
REACHED = "check that AWS is reachable from here, and AWS_ENDPOINT_URL if set"


def kinds() -> "Mapping[str, Kind]":
    from driftline.collectors.aws.row import kinds as rows

    return rows()


def sweep(context: CollectorContext, request: SweepRequest) -> list[Sweep]:
    from driftline.collectors.aws.sweep.collect import sweep as run

    options = _options(context, request)
    return run(options, request.known, request.emit, request.progress, request.now, request.idle)


def source(context: CollectorContext) -> "ResourceReader":
    from driftline.collectors.aws.reread.resource import ResourceReader

    return ResourceReader(_options(context))


def listen(context: CollectorContext, stop: threading.Event, *, once: bool) -> None:
    from driftline.collectors.aws.sources.listen import Listener

    Listener(context.settings, _options(context), stop).run(once=once)


def backfill(
    context: CollectorContext, where: str, since: datetime | None, until: datetime | None,
    done: Callable[[FileOutcome], None],
) -> None:  # fmt: skip
    from driftline.collectors.aws.sources import backfill as past
    from driftline.collectors.aws.sources.listen import Listener

    bucket, prefix = past.place_of(where)
    listener = Listener(context.settings, _options(context), threading.Event())
    past.run(
        listener, bucket, prefix, since, until,
        lambda heard: done(FileOutcome(heard.events, heard.changes, len(heard.bad) + heard.more)),
    )  # fmt: skip


def doctor(settings: AwsSettings, seconds: float) -> list[Check]:
    from driftline.collectors.aws import doctor as aws

    caller = "AWS credentials"
    queues = Check("event queues", lambda: aws.queues(settings), caller, REACHED)
    return [
        Check(caller, lambda: aws.caller(settings), silent=REACHED),
        *([queues] if settings.events.queues else []),
        Check("AWS accounts", lambda: aws.roles(settings, seconds), caller, REACHED),
        Check("AWS permissions", lambda: aws.permissions(settings, seconds), caller, REACHED),
    ]


def permissions(
    settings: AwsSettings, types: Sequence[str], options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Print the IAM policy of the reader role. DriftlineReader reads an account."""
    from driftline.collectors.aws.api.partitions import partitions
    from driftline.collectors.aws.permissions import caller_policy, reader_policy, trust_policy
    from driftline.collectors.aws.sweep.options import chosen

    accounts, trusted, partition = options["accounts"], options["trusted"], options["partition"]
    external_id = options["external_id"]
    exclusive({"--accounts": accounts, "--trust": trusted})
    if trusted is None and external_id is not None:
        raise UserError(
            "goes with --trust", fix="add --trust ACCOUNT, or leave it out", place="--external-id"
        )
    if external_id is not None and not external_id.strip():
        raise UserError(
            "is empty", fix="write the id, or leave the option out", place="--external-id"
        )
    if partition not in partitions():
        raise UserError(
            "unknown partition",
            fix=f"one of: {', '.join(partitions())}",
            place=f"--partition {partition}",
        )
    if trusted is not None:
        if len(trusted) != 12 or not trusted.isdigit():
            raise UserError(
                "not an account id", fix="expected twelve digits", place=f"--trust {trusted}"
            )
        return trust_policy(trusted, external_id or settings.external_id, partition)
    if accounts is None:
        return reader_policy(chosen(types))
    if accounts != "all":
        raise UserError(
            "only all is known here",
            fix="the reader's policy needs no account",
            place=f"--accounts {accounts}",
        )
    return caller_policy(options["role_name"] or settings.role_name, partition, chosen(types))


def file_types() -> Collection[str]:
    from driftline.collectors.aws.files.config import MAPPINGS

    return MAPPINGS


def files(redactor: "Redactor") -> FileReader:
    from driftline.collectors.aws.files.snapshots import ConfigFiles

    return ConfigFiles(redactor)


def logs(
    redactor: "Redactor", wanted: Callable[[Any], bool], seen: Iterable[tuple[str, str, str, Iterable[str]]]
) -> LogReader:  # fmt: skip
    from driftline.collectors.aws.events.record import ChangeReader
    from driftline.collectors.aws.files.logs import TrailFiles
    from driftline.collectors.aws.sources.name_index import UidIndex

    return TrailFiles(ChangeReader(redactor, "import", UidIndex(seen), wanted))


def event_places() -> "Places":
    from driftline.collectors.aws.places import places

    return places()


def shapes() -> Mapping[str, Any]:
    from driftline.collectors.aws.shapes import generate

    return generate()


def pages() -> Iterator[tuple[str, str]]:
    from driftline.collectors.aws import type_pages

    return type_pages.pages()


def deployed() -> Iterator[tuple[str, str]]:
    from driftline.collectors.aws import deploy_files

    return deploy_files.deployed()


def row_problems(row: "Kind") -> Iterator[str]:
    from driftline.collectors.aws.row_check import told

    return told(row)


def propose_row(type: str, service: str | None, listing: str | None) -> list[str]:
    from driftline.collectors.aws.proposal import files as checkout
    from driftline.collectors.aws.proposal.row import propose
    from driftline.pipeline.common.plural import number_of

    root = checkout.checkout()
    made = propose(type, service, listing)
    written = [str(path.relative_to(root)) for path in checkout.write(made, root)]
    claimed = number_of(len(made.claimed), "operation")
    return [*written, f"{claimed} of {made.source} claimed, {len(made.unclaimed)} not. Edit the row, then run: driftline kinds check {type}"]  # fmt: skip


def calls() -> Any:
    from driftline.collectors.aws import calls as known

    return known


def declared(
    path: Path, workspace: str, ignored: Sequence[str], now: datetime, *, claims: bool, sets: Sequence[str], partition: str,
) -> DeclaredResources:  # fmt: skip
    from driftline.collectors.aws.terraform import read

    return read(path, workspace, ignored, now, claims=claims, sets=sets, partition=partition)


def explained(error: BaseException) -> Problem | None:
    known = sys.modules.get("driftline.collectors.aws.api.environment_errors")
    if known is None or not isinstance(error, known.ERRORS):
        return None
    problem: Problem = known.explained(error)
    return problem


def _options(context: CollectorContext, request: SweepRequest | None = None) -> "CollectOptions":
    """What to sweep, and with which identity: from the command's options, else the settings."""
    from driftline.collectors.aws.sweep.options import CollectOptions

    own, given = aws_settings(context.settings), context.options

    def names(name: str, otherwise: list[str]) -> list[str]:
        value: list[str] | None = given.get(name)
        return otherwise if value is None else value

    rate: float | None = own.requests_per_second
    if request and request.once and "requests_per_second" not in own.model_fields_set:
        rate = None  # it comes once: as fast as AWS's limits let it
    return CollectOptions(
        accounts=names("accounts", own.accounts), excluded=own.excluded_accounts, regions=names("regions", own.regions),
        types=request.types if request else (), profile=given.get("profile"), role_arn=given.get("role_arn"),
        role_name=given.get("role_name") or own.role_name, external_id=given.get("external_id") or own.external_id,
        requests_per_second=rate, concurrency=own.concurrency,
        shard=request.shard if request else (0, 1), redactor=context.redactor,
    )  # fmt: skip
