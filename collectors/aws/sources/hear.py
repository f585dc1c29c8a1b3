"""What one message, or one log file, comes to: the same for every source."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from collectors.aws.events import reported
from collectors.aws.events.envelope import Contents, Object, records
from collectors.aws.events.names import fits, kept
from collectors.aws.events.record import Reader
from collectors.aws.events.wishes import reads
from collectors.aws.sources.send import Sender
from collectors.folder.config import MAPPINGS, snapshot_of
from collectors.folder.read import config_items
from collectors.redact import Redactor
from collectors.table import kinds
from pipeline import metrics
from pipeline.errors import Malformed
from pipeline.model import Change, Read

log = logging.getLogger("driftline.collect")
Within = Callable[[dict[str, Any]], bool]
AT_ONCE = 500
"""Events of a file between two handings over: memory stays flat."""


@dataclass
class Heard:
    """What came of it."""

    events: int = 0
    changes: int = 0
    bad: list[tuple[str, bytes]] = field(default_factory=list)
    """Why, and what."""


class Hearer:
    """Understands contents and hands them to a sender. `open_` fetches an object; `asks` says whether an event is
    recent enough that its resource must be read again."""

    def __init__(self, sender: Sender, reader: Reader, redactor: Redactor, open_: Any, asks: Any = None) -> None:  # fmt: skip
        self._sender, self._reader, self._redactor, self._open = sender, reader, redactor, open_
        self._asks = asks or (lambda _: True)

    def contents(self, found: Contents) -> Heard:
        """A message. What it holds is with the sender after this, not yet flushed. Raises what fetching raises."""
        heard = Heard()
        self.records(found.records, heard)
        self._reported(found.findings, heard)
        for item in found.items:
            self._item(item)
        for object_ in found.objects:
            self.object(object_, heard)
        for why in found.skipped:
            log.debug("passed over", extra={"why": why})
        metrics.EVENTS.labels(self._reader.source, "skipped").inc(len(found.skipped))
        return heard

    def object(self, object_: Object, heard: Heard, within: Within = lambda _: True) -> None:
        """A file in S3; of a log file the records that lie `within`."""
        with self._open(object_) as file:
            if object_.kind == "config":
                for item in config_items(file.read()):
                    self._item(item)
            else:
                self.file(file, heard, within)

    def file(self, file: BinaryIO, heard: Heard, within: Within = lambda _: True) -> None:
        """A log file of CloudTrail. Raises Malformed where it is none."""
        some: list[dict[str, Any]] = []
        for record in records(file):
            if isinstance(record, Malformed):
                heard.bad.append((str(record), b""))
                continue
            if within(record):
                some.append(record)
            if len(some) >= AT_ONCE:
                self.records(some, heard)
                some = []
        self.records(some, heard)

    def safe(self, body: str) -> bytes:
        """A body that could not be understood, as it may be kept: all of it hashed where it looks like a secret."""
        return orjson.dumps(self._redactor.config({"body": body}))

    def records(self, found: Iterable[dict[str, Any]], heard: Heard) -> None:
        """Events, to the sender."""
        changes: list[Change] = []
        wishes: dict[str, Read] = {}
        for record in found:
            heard.events += 1
            try:
                told = self._reader.changes(record)
            except Malformed as why:
                heard.bad.append((str(why), _text(record)))
                continue
            changes += told
            for wish in reads(record, told):
                if self._asks(wish):
                    old = wishes.get(wish.uid)
                    wishes[wish.uid] = wish if old is None or wish.after > old.after else old
        heard.changes += len(changes)
        self._sender.changes(changes)
        self._sender.reads(wishes.values())
        metrics.EVENTS.labels(self._reader.source, "change").inc(len(changes))

    def _reported(self, found: Iterable[dict[str, Any]], heard: Heard) -> None:
        """Findings of other services, to the sender."""
        changes: list[Change] = []
        for document in found:
            heard.events += 1
            try:
                changes += reported.changes(document, self._redactor, self._reader.source)
            except Malformed as why:
                heard.bad.append((str(why), _text(document)))
        heard.changes += len(changes)
        self._sender.changes(changes)
        metrics.EVENTS.labels(self._reader.source, "finding").inc(len(changes))

    def _item(self, item: dict[str, Any]) -> None:
        """An item of AWS Config: a reading where its mapping is proven; else only a reason to read the resource."""
        type_ = str(item.get("resourceType"))
        metrics.EVENTS.labels("config", "item").inc()
        if type_ in MAPPINGS:
            try:
                if snapshot := snapshot_of(item, self._redactor):
                    self._sender.snapshot(snapshot)
                return
            except (KeyError, TypeError, ValueError, AttributeError) as why:
                raise Malformed(f"a configuration item: {type(why).__name__}: {why}") from None
        kind, uid = kinds().get(type_), item.get("ARN") or item.get("arn")
        if kind is None or not isinstance(uid, str) or not fits(kind, uid := kept(uid)):
            return
        at = datetime.fromisoformat(str(item["configurationItemCaptureTime"]).replace("Z", "+00:00"))  # fmt: skip
        region = str(item.get("awsRegion")) if kind.scope == "regional" else "global"
        account = str(item.get("awsAccountId") or item.get("accountId"))
        self._sender.reads([Read(provider="aws", scope=False, uid=uid, type=type_, account=account, region=region, reason="change", after=at)])  # fmt: skip


def _text(record: Any) -> bytes:
    """Only what may be told of a bad record: its names, no values (secrets are redacted only in good ones)."""
    names = ", ".join(sorted(map(str, record))) if isinstance(record, dict) else type(record).__name__  # fmt: skip
    return names.encode(errors="replace")[:2000]
