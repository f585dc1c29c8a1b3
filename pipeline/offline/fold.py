"""The stream processing in memory, used by `scan`, `replay` and `backtest` in place of Kafka, with the same record bytes."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.model import Snapshot, restated, to_micros
from driftline.pipeline.offline.ticket_fold import TicketFold
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Count
from driftline.pipeline.records.outputs import Dead, Output, marks
from driftline.pipeline.records.topics import (
    ALERTS,
    CHANGES,
    CONTROL,
    DRIFT,
    FINDINGS,
    MARK_KEYS,
    MEMBERS,
    RESTATEMENTS,
    SIGNALS,
    SNAPSHOTS,
)
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state.resource import Body, decode_body
from driftline.pipeline.state.rows import BODY

if TYPE_CHECKING:
    from driftline.pipeline.detections.engine import DetectionEngine


class Past(NamedTuple):
    """A recorded record."""

    at: str
    """The time that it carries, RFC 3339."""
    topic: str
    value: bytes


class Fold:
    """Processes records one after another and keeps the latest version of every finding.

    keep=False forgets a resource's state when it is folded: for a scan that reads each resource once. `watch`: what
    signals and alerts are made by; `lateness` as in driftline.pipeline.correlate.shard. `told`: called with the topic
    and value of all that sinks read of it; of a restatement with the finding as it stands then."""

    def __init__(
        self,
        rulebook: Rulebook,
        options: AssessOptions | None = None,
        *,
        keep: bool = True,
        watch: "DetectionEngine | None" = None,
        lateness: int = 0,
        told: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.findings: dict[bytes, bytes] = {}
        """Latest JSON by finding id."""
        self.drifts: dict[str, bytes] = {}
        """Latest JSON by drift id."""
        self.dead: list[Dead] = []
        self.said = 0
        self._rows: dict[bytes, bytes | None] = {}
        self._waiting: set[str] = set()
        self._keep, self._offset, self._told, self._lateness = keep, 0, told, lateness
        self._partition = Partition(0, self._rows.get, rulebook, options, watch, self._heads)
        tickets = options.tickets if options else None
        self._groups = Groups(watch, lateness, tickets, told) if watch else None
        self._cases = TicketFold(tickets) if tickets else None
        self.tickets: dict[str, dict[str, Any]] = self._cases.tickets if self._cases else {}
        """Ticket key to its last rendering."""
        self.alerts: dict[bytes, bytes] = self._groups.alerts if self._groups else {}
        """Latest JSON by alert id."""

    @property
    def counts(self) -> dict[Count, int]:
        return dict(self._partition.counts)

    def take(self, records: Iterable[Past], *, ticks: bool) -> None:
        """Processes records in the order of their times. `ticks`: whether control records among them advance time; otherwise
        time for signals advances with the records' own times, assuming that everything earlier has arrived."""
        known = 0
        for record in records:
            if self._groups and not ticks and (at := to_micros(record.at) or 0) >= known + MINUTE:
                known = at
                self._reach(at)
            self.feed(record.topic, record.value)

    def end(self, last: int = 0) -> list[str]:
        """Ends the input, so that every alert reaches its final state. `last`: the time of the last record, if the
        records fed do not show it (microseconds). Returns the ids of alerts that were still ongoing."""
        own = self._partition
        last = max(last, own.newest, own.watermark)
        active: list[str] = []
        if self._groups:
            own.reach(last + self._lateness)
            self._take()
            active = self._groups.end(last)
            self._take()
        if self._cases:
            self._cases.end(last)
            self.dead += self._cases.take_dead()
        return active

    def _reach(self, at: int) -> None:
        """Everything earlier has arrived."""
        if self._groups:
            self._partition.reach(at)
            self._take()
            self._groups.reach(at)

    def feed(self, topic: str, value: bytes, broker_time: int | None = None) -> None:
        """Processes one record of `driftline.snapshots`, `changes` or `control`; ticks advance time. `broker_time`: when the
        broker received it (microseconds), if known from a tape; records dated ahead of it are dead-lettered, as in the stream."""
        self._offset += 1
        if topic in (SNAPSHOTS.name, CHANGES.name, CONTROL.name):
            self._partition.apply(topic, value, self._offset, broker_time)
        while topic == CONTROL.name and self._partition.advance():
            pass
        self._take()
        if self._cases and topic == CONTROL.name:
            self._cases.tick(value)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Processes one snapshot, encoded as bytes."""
        self.feed(SNAPSHOTS.name, codec.encode_batch([codec.encode_snapshot(snapshot)]))
        if not self._keep:
            self.open_pending()
            self._rows.clear()

    def open_pending(self) -> None:
        """Opens findings that wait for their `for`, marked `pending_for`, because a one-shot scan cannot wait."""
        for uid in sorted(self._waiting):
            self._partition.open_pending(uid)
        self._take()
        self._waiting.clear()

    def documents(self) -> Iterator[dict[str, Any]]:
        """The latest version of every finding, by account, resource and rule."""
        for value in sorted(self.findings.values(), key=_order):
            yield orjson.loads(value)

    def bodies(self) -> Iterator[Body]:
        """What is known of every resource."""
        for key, row in self._rows.items():
            if key[:1] == BODY and row is not None:
                yield decode_body(row)

    def told_drifts(self) -> list[dict[str, Any]]:
        """The latest version of every drift, by time, resource and part."""
        found = [orjson.loads(value) for value in self.drifts.values()]
        return sorted(found, key=lambda drift: (drift["at"], drift["uid"], drift["part"]))

    def told_alerts(self) -> list[dict[str, Any]]:
        """The latest version of every alert, by time and rule."""
        found = [orjson.loads(value) for value in self.alerts.values()]
        return sorted(found, key=lambda alert: (alert["at"], alert["rule"], alert["id"]))

    def _restated(self, output: Output) -> None:
        """Applies a restatement: the document is unchanged, with a later `last_seen`."""
        self.said += 1
        finding = orjson.loads(self.findings[output.key])
        told = orjson.loads(output.value)
        if finding["revision"] != told["revision"]:
            raise RuntimeError(f"a restatement of {told['revision']}, {finding['revision']} stands")
        self.findings[output.key] = orjson.dumps(restated(finding, told["last_seen"]))

    def _heads(self) -> Iterator[tuple[bytes, bytes]]:
        for key, row in self._rows.items():
            if key[:1] == b"h" and row is not None:
                yield key, row

    def _take(self) -> None:
        work = self._partition.take()
        self._rows.update(work.rows)
        self.dead += work.dead
        for output in work.outputs:
            self._output(output)
            if self._told and output.value and output.topic in (FINDINGS.name, RESTATEMENTS.name, DRIFT.name):  # fmt: skip
                again = output.topic == RESTATEMENTS.name
                self._told(output.topic, self.findings[output.key] if again else output.value)
        if self._groups:
            self.dead += self._groups.take_dead()
        if self._cases:
            self._cases.feed(
                [*work.outputs, *(self._groups.take_members() if self._groups else ())]
            )
            self.dead += self._cases.take_dead()
        for output in work.outputs:  # messages between states
            if output.topic == CHANGES.name:
                self.feed(CHANGES.name, output.value)

    def _output(self, output: Output) -> None:
        if output.topic == RESTATEMENTS.name:
            self._restated(output)
        elif output.topic == DRIFT.name:
            self.drifts[orjson.loads(output.value)["id"]] = output.value
        elif output.topic == SIGNALS.name and self._groups and output.key not in MARK_KEYS[1:]:
            self._groups.feed(output.value)
        elif output.topic == FINDINGS.name and not output.value:
            self.findings.pop(output.key, None)  # deleted
        elif output.topic == FINDINGS.name:
            self.said += 1
            self.findings[output.key] = output.value
            if b'"pending_for":' in output.value:
                self._waiting.add(orjson.loads(output.value)["resource"]["uid"])


class Groups:
    """Correlation of the signals, in memory."""

    def __init__(
        self, watch: "DetectionEngine", lateness: int, tickets: TicketOptions | None = None,
        told: Callable[[str, bytes], None] | None = None,
    ) -> None:  # fmt: skip
        from driftline.pipeline.correlate.shard import Correlating

        self.alerts: dict[bytes, bytes] = {}
        self._rows: dict[bytes, bytes | None] = {}
        self._dead: list[Dead] = []
        self._offset = 0
        self._lateness = lateness
        self._longest, self._told = longest(watch), told
        self._fold = Correlating(0, self._rows.get, watch, lateness, sources=1, tickets=tickets)
        self._members: list[Output] = []

    def feed(self, value: bytes) -> None:
        """Processes one record of `signals`."""
        self._offset += 1
        self._fold.apply(SIGNALS.name, value, self._offset)
        while self._fold.advance():
            pass
        work = self._fold.take()
        self._rows.update(work.rows)
        self._dead += work.dead
        for output in work.outputs:
            if output.topic == ALERTS.name:
                self.alerts[output.key] = output.value
                if self._told:
                    self._told(ALERTS.name, output.value)
            elif output.topic == MEMBERS.name:
                self._members.append(output)
        for output in work.outputs:
            if output.topic == SIGNALS.name and output.key not in MARK_KEYS[1:]:
                self.feed(output.value)

    def reach(self, at: int) -> None:
        """Every signal up to that time has arrived."""
        self.feed(marks(0, 0, at)[0].value)

    def end(self, last: int) -> list[str]:
        """Advances time until nothing can change any more; returns the ids of alerts that were ongoing at `last`."""
        self.reach(last + self._lateness)
        active = [key.decode() for key, value in self.alerts.items() if orjson.loads(value)["state"] == "active"]  # fmt: skip
        self.reach(last + self._lateness + self._longest)
        return sorted(active)

    def take_members(self) -> list[Output]:
        """What the tickets of alerts are told, since the last take."""
        members, self._members = self._members, []
        return members

    def take_dead(self) -> list[Dead]:
        """Malformed elements since the last call."""
        dead, self._dead = self._dead, []
        return dead


def longest(watch: "DetectionEngine") -> int:
    """Time after the last signal within which every alert has ended, including those of correlations of correlations."""
    from driftline.pipeline.correlate.levels import levels

    specs = [one.spec() for one in watch.correlations.values()]
    each = max((one.gap + one.window + one.timespan for one in specs), default=0)
    return max(levels(watch).values(), default=1) * (each + MINUTE)


def _order(value: bytes) -> tuple[str, str, str]:
    finding = orjson.loads(value)
    resource = finding["resource"]
    return resource["account"], resource["uid"], finding["rule"]["id"]
