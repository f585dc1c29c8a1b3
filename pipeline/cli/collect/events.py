"""`driftline collect events` and `reads`: hear of changes, and read again what changed."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from driftline.pipeline.common.errors import NotThere, Undelivered, UserError, exclusive, patient
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from driftline.collectors.aws.sources.dispatch import EventDispatcher
    from driftline.collectors.aws.sources.producer import EventProducer
    from driftline.collectors.aws.sweep.collect import CollectOptions

BACKFILL = "s3://"
END = 5.0
"""Seconds that readers are given to end what is under way."""


def _until_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _at(_: Any, __: Any, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter("no time (write for example 2026-11-01 or 2026-11-01T10:00Z)") from None  # fmt: skip
    return found if found.tzinfo else found.astimezone()


@click.command()
@click.option("--once", is_flag=True, help="Until the queues are empty, then end.")
@click.option("--backfill", metavar="s3://BUCKET/PREFIX", help="Read log files that lie there already, then end.")  # fmt: skip
@click.option("--from", "since", metavar="TIME", callback=_at, help="With --backfill: events since then.")  # fmt: skip
@click.option("--to", "until", metavar="TIME", callback=_at, help="With --backfill: events until then.")  # fmt: skip
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
@click.option("--role-arn", metavar="ARN", help="Take this role first.")
def events(
    once: bool, backfill: str | None, since: datetime | None, until: datetime | None, profile: str | None,
    role_arn: str | None,
) -> int:  # fmt: skip
    """Stream change events of AWS. From the queues and lookups of aws.events. Exit 3: something could not be understood."""
    from driftline.pipeline.cli.collect import options_of
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.ops import log
    from driftline.pipeline.records.topics import (
        CHANGES,
        CONTROL,
        DEADLETTER,
        READS,
        SNAPSHOTS,
        SWEEPS,
    )
    from driftline.pipeline.settings.times import in_order

    exclusive({"--once": once, "--backfill": backfill})
    if backfill is None and (since or until):
        raise UserError("--from and --to go with --backfill", fix="add it, or leave them out")
    in_order(since, until)
    settings = load_settings()
    options = options_of(settings, {"profile": profile, "role_arn": role_arn})
    if backfill is not None:
        return _backfill(settings, options, backfill, since, until)
    own = settings.aws.events
    if not own.queues and not own.lookup:
        raise UserError(
            "no source of change events",
            fix="write queues: [{url: …}], or lookup: true; deploy/aws makes the queues",
            place="aws.events",
        )
    log.start()
    stop = _until_signal()
    _page(settings)
    with nullcontext() if once else patient():
        there(settings.kafka, (CHANGES, READS, SNAPSHOTS, SWEEPS, CONTROL, DEADLETTER))
        return Hearing(settings, options, stop).run(once=once)


def _page(settings: Settings) -> None:
    from driftline.pipeline.ops.health import listen, serve

    own = settings.aws.events
    if own.port:
        serve(listen(own.bind, own.port, "aws.events.port"))


class Hearing:
    """The sources of one process."""

    def __init__(
        self, settings: Settings, options: "CollectOptions", stop: threading.Event
    ) -> None:
        from driftline.collectors.aws.api.organization import Organization
        from driftline.pipeline.offline.content import watch

        self.settings, self.options, self.stop = settings, options, stop
        self.organization = Organization(
            options.profile, options.role_arn, options.external_id, options.requests_per_second,
            options.concurrency, threading.Event(),
        )  # fmt: skip
        self.index = index(settings)
        self.wanted = watch(settings).wants
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def run(self, *, once: bool) -> int:
        """Until stopped, or (once) until everything is empty. Raises NotThere where Kafka or AWS does not answer."""
        from driftline.collectors.aws.sources.watermark import reader_name

        with reader_name() as name:
            return self._run(name, once=once)

    def _run(self, reader: str, *, once: bool) -> int:
        from driftline.collectors.aws.sources.watermark import WatermarkReporter

        until: dict[str, Callable[[], float]] = {}
        self._queues(until, once=once)
        if self.settings.aws.events.lookup:
            self._lookups(until, once=once)
        teller = WatermarkReporter(self.settings.kafka, until, reader=reader)
        while any(thread.is_alive() for thread in self._threads):
            if self._errors or self.stop.is_set():
                break
            with self._told():
                teller.tell()
            for thread in self._threads:
                thread.join(0 if not once else 0.1)
            self.stop.wait(min(self.settings.aws.events.tell, 0.2 if once else 60))
        ended = time.monotonic() + END
        self.stop.set()
        for thread in self._threads:
            thread.join(max(0.0, ended - time.monotonic()))
        with self._told():
            if not self._errors:
                teller.tell()
                teller.end()
        if self._errors:
            raise self._errors[0]
        return 0

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Undelivered as why:
            self._errors.append(
                NotThere(why, place=f"Kafka at {self.settings.kafka.bootstrap_servers}")
            )

    def hearer(
        self, source: str, asks: Callable[[Any], bool] | None = None, buckets: Sequence[str] = ()
    ) -> "tuple[EventProducer, EventDispatcher]":  # fmt: skip
        """What one thread hears with. `buckets`: the only ones whose files it reads; none: any."""
        from driftline.collectors.aws.events.origin import TrustedOrigins
        from driftline.collectors.aws.events.record import ChangeReader
        from driftline.collectors.aws.sources.dispatch import EventDispatcher
        from driftline.collectors.aws.sources.producer import EventProducer
        from driftline.collectors.aws.sources.queue import opener

        sender = EventProducer(self.settings.kafka)
        reader = ChangeReader(self.options.redactor, source, self.index, self.wanted)
        open_ = opener(lambda region: self.organization.own("s3", region))
        trust = TrustedOrigins(buckets, self.settings.aws.events.administrators)
        return sender, EventDispatcher(sender, reader, self.options.redactor, open_, asks, trust)

    def _queues(self, until: dict[str, Callable[[], float]], *, once: bool) -> None:
        from driftline.collectors.aws.sources.queue import Queue, read
        from driftline.collectors.aws.sources.watermark import drained

        own = self.settings.aws.events
        by_source: dict[str, list[Queue]] = {}
        for place in own.queues:
            queue = Queue(
                self.organization.own("sqs", _region(place.url)), place.url, int(own.visibility)
            )
            by_source.setdefault(place.source, []).append(queue)
            for number in range(own.readers):
                sender, hearer = self.hearer(place.source, buckets=place.buckets)
                self._start(f"queue-{number}", read, queue, sender, hearer, self.stop, once=once)
            self._keep(queue)
        until |= {source: drained(*queues) for source, queues in by_source.items()}

    def _keep(self, queue: Any) -> None:
        def extend() -> None:
            while not self.stop.wait(queue.visible_after / 3):
                queue.extend()

        threading.Thread(target=extend, daemon=True, name="extend").start()

    def _lookups(self, until: dict[str, Callable[[], float]], *, once: bool) -> None:
        from driftline.collectors.aws.sources.lookup import Lookup, poll
        from driftline.collectors.aws.sources.watermark import drained
        from driftline.collectors.aws.sweep.collect import accounts_of, regions_of

        found = [
            Lookup(account, region)
            for account in accounts_of(self.options, self.organization)
            for region in regions_of(self.options, self.organization, account)
        ]
        for lookup in found:
            sender, hearer = self.hearer("lookup")
            self._start(f"lookup {lookup.name}", poll, lookup, sender, hearer, self.stop, once=once)
        until["lookup"] = drained(*found)

    def _start(self, name: str, work: Callable[..., None], *given: Any, **more: Any) -> None:
        def run() -> None:
            try:
                work(*given, **more)
            except Undelivered as why:
                self._errors.append(
                    NotThere(why, place=f"Kafka at {self.settings.kafka.bootstrap_servers}")
                )
            except BaseException as why:  # raised again by the main thread
                self._errors.append(why)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


def index(settings: Settings) -> Any:
    """The names of what sweeps have seen."""
    from driftline.collectors.aws.sources.name_index import SweepIndex
    from driftline.collectors.base import known_from
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import SWEEPS

    def load() -> dict[str, set[str]]:
        with explained(settings.kafka):
            known, _, _ = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
        return {key: one.uids for key, one in known.items() if key.count("/") >= 3}

    return SweepIndex(load)


def _region(url: str) -> str | None:
    """The region that a queue's address names; None where it names none."""
    from urllib.parse import urlsplit

    from driftline.collectors.aws.api.partitions import of_region

    return next((one for one in (urlsplit(url).hostname or "").split(".") if of_region(one)), None)


def _backfill(
    settings: Settings, options: "CollectOptions", where: str, since: datetime | None, until: datetime | None
) -> int:  # fmt: skip
    from driftline.collectors.aws.api.errors import ERRORS
    from driftline.collectors.aws.sources import backfill
    from driftline.collectors.aws.sources.dispatch import DispatchOutcome
    from driftline.collectors.base import known_from
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import SWEEPS
    from rich.console import Console
    from rich.progress import Progress

    if not where.startswith(BACKFILL) or not where.removeprefix(BACKFILL).partition("/")[0]:
        raise UserError(
            "no place in S3",
            fix="write for example s3://my-trail/AWSLogs/",
            place=f"--backfill {where}",
        )
    bucket, _, prefix = where.removeprefix(BACKFILL).partition("/")
    hearing = Hearing(settings, options, threading.Event())
    with explained(settings.kafka):
        _, headers, _ = known_from(read_compacted(settings.kafka, SWEEPS.name).items())

    def asks(wish: Any) -> bool:
        """Not what a complete sweep has read since."""
        header = headers.get(f"aws/{wish.account}/{wish.region}/{wish.type}")
        swept = header.completed_at if header else None
        return swept is None or wish.after > swept

    within, local = backfill.within(since, until), threading.local()

    def work(object_: Any) -> DispatchOutcome:
        if not hasattr(local, "both"):
            local.both = hearing.hearer("log", asks)
        sender, hearer = local.both
        heard = DispatchOutcome()
        hearer.object(object_, heard, within)
        for why, what in heard.letters():
            sender.bury(object_.name, why, what)
        sender.flush()
        return heard

    total = DispatchOutcome()
    files = 0
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("log files", total=None)

        def told(_: Any, heard: DispatchOutcome) -> None:
            nonlocal files
            files += 1
            total.events += heard.events
            total.changes += heard.changes
            total.more += len(heard.bad) + heard.more
            progress.update(bar, advance=1)

        try:
            found = backfill.objects(hearing.organization.own("s3", None), bucket, prefix, since, until)  # fmt: skip
            backfill.fill(found, work, told)
        except ERRORS as error:
            raise UserError(
                error, fix="does the bucket exist, and may it be read?", place=where
            ) from None
        except Undelivered as why:
            raise NotThere(why, place=f"Kafka at {settings.kafka.bootstrap_servers}") from None
    click.echo(
        f"{number_of(files, 'log file')}, {number_of(total.events, 'event')}, {number_of(total.changes, 'change')}, {total.more} not understood",
        err=True,
    )
    if not total.events:
        click.echo(f"nothing was looked at: {where} has no event of that time", err=True)
    return 3 if total.more or not total.events else 0


@click.command()
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
@click.option("--role-arn", metavar="ARN", help="Take this role first.")
def reads(profile: str | None, role_arn: str | None) -> int:
    """Read again what has changed. At once, as the stream asks."""
    from driftline.collectors.aws.reread.loop import RereadLoop
    from driftline.collectors.aws.reread.resource import ResourceReader
    from driftline.pipeline.cli.collect import options_of
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.ops import log
    from driftline.pipeline.records.topics import CONTROL, DEADLETTER, READS, SNAPSHOTS, SWEEPS

    settings = load_settings()
    options = options_of(settings, {"profile": profile, "role_arn": role_arn})
    log.start()
    stop = _until_signal()
    _page(settings)
    with patient(), explained(settings.kafka):
        there(settings.kafka, (READS, SNAPSHOTS, SWEEPS, CONTROL, DEADLETTER))
        RereadLoop(settings, ResourceReader(options)).run(stop)
    return 0
