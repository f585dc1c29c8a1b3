"""All sources of change events of one process: queues and lookups are read by threads, and the watermark of each source
is written to `control`."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.api.partitions import of_region
from driftline.collectors.aws.events.origin import TrustedOrigins
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.settings import aws_settings
from driftline.collectors.aws.sources.dispatch import EventDispatcher
from driftline.collectors.aws.sources.lookup import Lookup, poll
from driftline.collectors.aws.sources.name_index import SweepIndex
from driftline.collectors.aws.sources.queue import Queue, opener, read
from driftline.collectors.aws.sweep.collect import accounts_of, regions_of
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.aws.sweep.walk import PROVIDER
from driftline.collectors.base import known_from
from driftline.collectors.events.producer import EventProducer
from driftline.collectors.events.watermark import WatermarkReporter, drained, reader_name
from driftline.pipeline.common.errors import NotThere, Undelivered
from driftline.pipeline.kafka.client import explained, read_compacted
from driftline.pipeline.offline.content import watch
from driftline.pipeline.records.topics import SWEEPS
from driftline.pipeline.settings.blocks import Settings

GRACE = 5.0
"""Seconds that readers are given to finish what is under way."""
Until = dict[str, Callable[[], float]]
"""By source: the time (seconds since 1970) up to which everything that was sent has been processed."""


class Listener:
    """Reads the sources that the settings name until `stop` is set."""

    def __init__(self, settings: Settings, options: CollectOptions, stop: threading.Event) -> None:
        self.settings, self.options, self.stop = settings, options, stop
        self.own = aws_settings(settings).events
        self.organization = Organization(
            options.profile, options.role_arn, options.external_id, options.requests_per_second,
            options.concurrency, threading.Event(),
        )  # fmt: skip
        self._index = name_index(settings)
        self._wanted = watch(settings).wants_of("aws")
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def run(self, *, once: bool) -> None:
        """Until stopped, or (once) until everything is empty. Raises NotThere where Kafka or AWS does not answer."""
        with reader_name() as name:
            self._run(name, once=once)

    def _run(self, reader: str, *, once: bool) -> None:
        until: Until = {}
        self._start_queues(until, once=once)
        if self.own.lookup:
            self._start_lookups(until, once=once)
        watermarks = WatermarkReporter(self.settings.kafka, PROVIDER, until, reader=reader)
        while any(thread.is_alive() for thread in self._threads):
            if self._errors or self.stop.is_set():
                break
            with self._undelivered():
                watermarks.tell()
            for thread in self._threads:
                thread.join(0 if not once else 0.1)
            self.stop.wait(min(self.own.tell, 0.2 if once else 60))
        ends_at = time.monotonic() + GRACE
        self.stop.set()
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        with self._undelivered():
            if not self._errors:
                watermarks.tell()
                watermarks.end()
        if self._errors:
            raise self._errors[0]

    @contextlib.contextmanager
    def _undelivered(self) -> Iterator[None]:
        try:
            yield
        except Undelivered as why:
            self._errors.append(
                NotThere(why, place=f"Kafka at {self.settings.kafka.bootstrap_servers}")
            )

    def hearer(
        self, source: str, asks: Callable[[Any], bool] | None = None, buckets: Sequence[str] = ()
    ) -> tuple[EventProducer, EventDispatcher]:
        """A sender and a dispatcher for one thread. `buckets`: the only ones whose files it reads; empty: any."""
        sender = EventProducer(self.settings.kafka)
        reader = ChangeReader(self.options.redactor, source, self._index, self._wanted)
        open_ = opener(lambda region: self.organization.own("s3", region))
        trust = TrustedOrigins(buckets, self.own.administrators)
        return sender, EventDispatcher(sender, reader, self.options.redactor, open_, asks, trust)

    def _start_queues(self, until: Until, *, once: bool) -> None:
        own = self.own
        by_source: dict[str, list[Queue]] = {}
        for place in own.queues:
            client = self.organization.own("sqs", region_of(place.url))
            queue = Queue(client, place.url, int(own.visibility))
            by_source.setdefault(place.source, []).append(queue)
            for number in range(own.readers):
                sender, hearer = self.hearer(place.source, buckets=place.buckets)
                self._start(f"queue-{number}", read, queue, sender, hearer, self.stop, once=once)
            self._keep_invisible(queue)
        until |= {source: drained(*queues) for source, queues in by_source.items()}

    def _keep_invisible(self, queue: Queue) -> None:
        def extend() -> None:
            while not self.stop.wait(queue.visible_after / 3):
                queue.extend()

        threading.Thread(target=extend, daemon=True, name="extend").start()

    def _start_lookups(self, until: Until, *, once: bool) -> None:
        lookups = [
            Lookup(account, region)
            for account in accounts_of(self.options, self.organization)
            for region in regions_of(self.options, self.organization, account)
        ]
        for lookup in lookups:
            sender, hearer = self.hearer("lookup")
            self._start(f"lookup {lookup.name}", poll, lookup, sender, hearer, self.stop, once=once)
        until["lookup"] = drained(*lookups)

    def _start(self, name: str, work: Callable[..., None], *given: Any, **more: Any) -> None:
        def run() -> None:
            with self._undelivered():
                try:
                    work(*given, **more)
                except Undelivered:
                    raise
                except BaseException as why:  # raised again by the main thread
                    self._errors.append(why)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


def name_index(settings: Settings) -> SweepIndex:
    """The names of the resources that sweeps have listed."""

    def load() -> dict[str, set[str]]:
        with explained(settings.kafka):
            known, _, _ = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
        return {key: one.uids for key, one in known.items() if key.count("/") >= 3}

    return SweepIndex(load)


def region_of(url: str) -> str | None:
    """The region that a queue's address names; None where it names none."""
    return next((one for one in (urlsplit(url).hostname or "").split(".") if of_region(one)), None)
