"""Processes messages and log files, in the same way for every source.

An error in a record is reported as bad, with the reason, and processing continues with the next one. Only errors unrelated to
the record are raised: AWS, Kafka or the name lookup does not answer."""

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from driftline.collectors.aws.events import logfile, origin, reported
from driftline.collectors.aws.events.envelope import S3Object, contents
from driftline.collectors.aws.events.names import fits, kept
from driftline.collectors.aws.events.origin import NOBODY, ForgedEvent, TrustedOrigins
from driftline.collectors.aws.events.reads import reads
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.files.config import MAPPINGS, snapshot_of
from driftline.collectors.aws.files.snapshots import config_items
from driftline.collectors.aws.row import kinds
from driftline.collectors.events.producer import EventProducer
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change, Read, Snapshot
from driftline.pipeline.ops import metrics
from driftline.pipeline.records import codec

log = logging.getLogger("driftline.collect")
Within = Callable[[dict[str, Any]], bool]
AT_ONCE = 500
"""Events of a file per hand-over, to limit memory."""
MOST_PACKED = 128_000_000
"""Maximum size in bytes of a file in S3."""
MOST_LETTERS = 100
"""Maximum number of dead letters per message or file; the others are counted in one more."""


@dataclass
class DispatchOutcome:
    """What came of it."""

    events: int = 0
    changes: int = 0
    bad: list[tuple[str, bytes]] = field(default_factory=list)
    """Reason and content of the first MOST_LETTERS."""
    more: int = 0
    """The number of further bad records."""

    def letters(self) -> Iterator[tuple[str, bytes]]:
        """The dead letters to write: reason and content."""
        yield from self.bad
        if self.more:
            yield f"{self.more} more of the same message or file", b""


class EventDispatcher:
    """Parses contents and passes them to a sender. `open_` fetches an object; `asks` decides whether an event is
    recent enough for a re-read of its resource; `trust` decides who may report what."""

    def __init__(
        self, sender: EventProducer, reader: ChangeReader, redactor: Redactor, open_: Any, asks: Any = None, trust: TrustedOrigins = NOBODY
    ) -> None:  # fmt: skip
        self._sender, self._reader, self._redactor, self._open = sender, reader, redactor, open_
        self._asks, self._trust = asks or (lambda _: True), trust

    def message(self, body: str) -> DispatchOutcome:
        """Processes a queue message. Its content is passed to the sender, not yet flushed. Raises what fetching
        raises."""
        heard = DispatchOutcome()
        try:
            found = contents(body, self._trust)
        except Malformed as why:
            self._refuse(heard, why, self.safe(body), "queue")
            return heard
        for reason, what in found.bad:
            self._refuse(heard, reason, _text(what))
        self.records(found.records, heard)
        self._reported(found.findings, heard)
        self._items(found.items, heard)
        for object_ in found.objects:
            self.object(object_, heard)
        for said in found.skipped:
            log.debug("passed over", extra={"why": said})
        metrics.EVENTS.labels(self._reader.source, "skipped").inc(len(found.skipped))
        return heard

    def object(
        self, object_: S3Object, heard: DispatchOutcome, within: Within = lambda _: True
    ) -> None:
        """Processes a file in S3; for a log file, the records `within` a time range. Raises what fetching raises."""
        with self._open(object_) as file:
            packed = file.read(
                MOST_PACKED + 1
            )  # read completely first: an interrupted download is fetched again, not dead-lettered
        try:
            if len(packed) > MOST_PACKED:
                raise Malformed(f"more than {MOST_PACKED} bytes")
            if object_.kind == "config":
                self._delivery(io.BytesIO(packed), object_.key, heard)
            else:
                self.file(io.BytesIO(packed), object_.key, heard, within)
        except Malformed as why:
            self._refuse(heard, Malformed(f"{object_.name[:300]}: {why}"), b"")

    def file(
        self, file: BinaryIO, key: str, heard: DispatchOutcome, within: Within = lambda _: True
    ) -> None:
        """Processes a CloudTrail log file. Raises Malformed if it is not one."""
        some: list[dict[str, Any] | Malformed] = []
        for _, record in logfile.records(file, key):
            if isinstance(record, Malformed) or within(record):
                some.append(record)
            if len(some) >= AT_ONCE:
                self.records(some, heard)
                some = []
        self.records(some, heard)

    def safe(self, body: str) -> bytes:
        """A malformed body for the dead letter: hashed completely if it looks like a secret."""
        return orjson.dumps(self._redactor.config({"body": body.encode(errors="replace").decode()}))

    def records(self, found: Iterable[dict[str, Any] | Malformed], heard: DispatchOutcome) -> None:
        """Passes events to the sender; records that a source could not parse are bad."""
        changes: list[Change] = []
        wishes: dict[str, Read] = {}
        for record in found:
            heard.events += 1
            try:
                if isinstance(record, Malformed):
                    raise record
                told = self._reader.changes(record)
                asked = reads(record, told)
            except Malformed as why:
                self._refuse(heard, why, _text(record))
                continue
            changes += told
            for wish in asked:
                if self._asks(wish):
                    old = wishes.get(wish.uid)
                    wishes[wish.uid] = wish if old is None or wish.after > old.after else old
        heard.changes += len(changes)
        self._sender.changes(changes)
        self._sender.reads(wishes.values())
        metrics.EVENTS.labels(self._reader.source, "change").inc(len(changes))

    def _refuse(
        self, heard: DispatchOutcome, why: Malformed, what: bytes, source: str | None = None
    ) -> None:
        """Dead-letters a rejected record."""
        outcome = "forged" if isinstance(why, ForgedEvent) else "poison"
        metrics.EVENTS.labels(source or self._reader.source, outcome).inc()
        if len(heard.bad) < MOST_LETTERS:
            heard.bad.append((str(why), what))
        else:
            heard.more += 1

    def _reported(self, found: Iterable[dict[str, Any]], heard: DispatchOutcome) -> None:
        """Passes findings of other services to the sender."""
        changes: list[Change] = []
        for document in found:
            heard.events += 1
            try:
                changes += reported.changes(document, self._redactor, self._reader.source)
            except Malformed as why:
                self._refuse(heard, why, _text(document))
        heard.changes += len(changes)
        self._sender.changes(changes)
        metrics.EVENTS.labels(self._reader.source, "finding").inc(len(changes))

    def _delivery(self, file: BinaryIO, key: str, heard: DispatchOutcome) -> None:
        """Processes an AWS Config file. Raises Malformed if it is not one."""
        account = origin.account_of(key)
        for item in config_items(file):
            try:
                if isinstance(item, Malformed):
                    raise item
                origin.item(item, account, "a delivery")
            except Malformed as why:
                self._refuse(heard, why, _text(item))
            else:
                self._items([item], heard)

    def _items(self, items: Iterable[dict[str, Any]], heard: DispatchOutcome) -> None:
        """Passes AWS Config items to the sender."""
        for item in items:
            metrics.EVENTS.labels("config", "item").inc()
            try:
                found = self._understood(item)
            except Malformed as why:
                self._refuse(heard, why, _text(item))
                continue
            if isinstance(found, Snapshot):
                self._sender.snapshot(found)
            elif found:
                self._sender.reads([found])

    @codec.one_record("a configuration item")
    def _understood(self, item: dict[str, Any]) -> Snapshot | Read | None:
        """A reading, if the item's mapping is verified; else only a reason to read the resource. Raises Malformed."""
        if item.get("resourceType") not in MAPPINGS:
            return _wish(item)
        snapshot = snapshot_of(item, self._redactor)
        if snapshot and len(codec.encode_snapshot(snapshot)) > codec.MAX_BYTES - 2:
            raise Malformed(f"a configuration item of more than {codec.MAX_BYTES} bytes")
        return snapshot


def _wish(item: dict[str, Any]) -> Read | None:
    """A re-read request for an item's resource; None for an unknown type."""
    kind, uid = kinds().get(item["resourceType"]), item.get("ARN") or item.get("arn")
    if kind is None or not isinstance(uid, str) or not fits(kind, uid := kept(uid)):
        return None
    at = datetime.fromisoformat(str(item["configurationItemCaptureTime"]).replace("Z", "+00:00"))
    region = item.get("awsRegion") if kind.scope == "regional" else "global"
    account = item.get("awsAccountId") or item.get("accountId")
    return Read.model_validate(
        {"provider": "aws", "scope": False, "uid": uid, "type": kind.type, "account": account, "region": region, "reason": "change",
         "after": at}
    )  # fmt: skip


def _text(record: Any) -> bytes:
    """The safe part of a bad record: its names, no values (secrets are redacted only in valid records)."""
    names = ", ".join(sorted(map(str, record))) if isinstance(record, dict) else type(record).__name__  # fmt: skip
    return names.encode(errors="replace")[:2000]
