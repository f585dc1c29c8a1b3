"""A small world for the core's tests: three rules on one type, and short ways to say records."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import (
    Actor,
    Change,
    Control,
    Drift,
    Finding,
    Part,
    Snapshot,
    Tick,
    Unread,
    finding_id,
)
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CHANGES, CONTROL, FINDINGS
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.state.rows import in_order

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPE = "AWS::KMS::Key"
UID = "arn:aws:kms:eu-west-1:111111111111:key/1"

RULE = """\
id: {id}
version: 1
title: {title}
severity: {severity}
type: AWS::KMS::Key
section: KMS
exposure: none
privilege: none
needs: [{part}]
must: {must}
{more}
why: Only for tests.
remediation: {{console: "", cli: "", terraform: ""}}
references: []
frameworks: {{}}
examples:
  base: {{config: {{rotation: {{KeyRotationEnabled: true}}, key: {{Enabled: true}}}}}}
  passed: [{{name: as it is}}]
  failed: [{{name: off, set: {{{path}: false}}}}]
  unknown: [{{name: unread, unread: [{part}]}}]
"""

RULES = {
    "t-rotation": ("rotation", "resource.config.rotation.KeyRotationEnabled", ""),
    "t-patient": ("key", "resource.config.key.Enabled", "for: 10m"),
    "t-sticky": ("key", "resource.config.key.Enabled", "keep_firing_for: 30m"),
}


def write_rules(folder: Path) -> None:
    """The three rules, as files."""
    for name, (part, must, more) in RULES.items():
        text = RULE.format(
            id=name, title=name, severity="high", part=part, must=must, more=more,
            path=must.removeprefix("resource."),
        )  # fmt: skip
        (folder / f"{name}.yaml").write_text(text)


@cache
def rulebook() -> Rulebook:
    """The three rules, loaded as a user's own are."""
    with TemporaryDirectory() as folder:
        write_rules(Path(folder))
        return load([Path(folder)], builtin=False)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def key(
    at: float,
    rotation: bool | None = True,
    enabled: bool | None = True,
    uid: str = UID,
    **more: Any,
) -> Snapshot:
    """A key as read at a minute; None leaves the part out."""
    config: dict[str, Any] = {}
    if rotation is not None:
        config["rotation"] = {"KeyRotationEnabled": rotation}
    if enabled is not None:
        config["key"] = {"Enabled": enabled}
    return Snapshot(
        uid=uid, type=TYPE, provider="aws", account="111111111111", region="eu-west-1",
        name=uid[-1], captured_at=minute(at), config=config,
        parts=[Part(name=name, captured_at=minute(at)) for name in config], **more,
    )  # fmt: skip


def denied(at: float, part: str = "*", uid: str = UID) -> Snapshot:
    """What a denied sweep says of a known resource."""
    unread = [Unread(part=part, reason="denied", code="AccessDeniedException")]
    return key(at, None, None, uid, unread=unread)


def gone(at: float, uid: str = UID) -> Snapshot:
    return key(at, None, None, uid, deleted=True, deleted_reason="not_in_sweep")


def tick(at: float) -> bytes:
    return Control(tick=Tick(source="sweep", watermark=minute(at))).encode()


def heard(at: float, source: str = "aws.eventbridge") -> bytes:
    """Every change event until then has come."""
    return Control(tick=Tick(source=source, watermark=minute(at))).encode()


def change(at: float, who: str = "ann", uid: str = UID, **more: Any) -> Change:
    """Somebody changed a key at a minute."""
    given: dict[str, Any] = {
        "id": f"{who}-{at}-{uid[-1]}", "uid": uid, "type": TYPE, "provider": "aws", "account": "111111111111",
        "region": "eu-west-1", "service": "kms.amazonaws.com", "action": "PutKey", "kind": "update",
        "actor": Actor(id=who, type="user"), "occurred_at": minute(at), "outcome": "success",
    }  # fmt: skip
    return Change.model_validate(given | more)


def value(*snapshots: Snapshot) -> bytes:
    return codec.encode_batch([codec.encode_snapshot(snapshot) for snapshot in snapshots])


class World(Fold):
    """A fold with short words."""

    def __init__(self, options: AssessOptions | None = None) -> None:
        super().__init__(rulebook(), options or AssessOptions())

    def tick(self, at: float) -> None:
        self.feed(CONTROL.name, tick(at))

    def change(self, *changes: Change) -> None:
        self.feed(CHANGES.name, codec.encode_batch([change.encode() for change in changes]))

    def heard(self, at: float) -> None:
        self.feed(CONTROL.name, heard(at))

    def drift(self, part: str = "rotation", uid: str = UID) -> Drift:
        """The newest one of a part."""
        found = [Drift.model_validate_json(value) for value in self.drifts.values()]
        return max((d for d in found if (d.part, d.uid) == (part, uid)), key=lambda d: d.at)

    def finding(self, rule: str = "t-rotation", uid: str = UID) -> Finding:
        return Finding.model_validate_json(self.findings[finding_id(rule, uid).encode()])

    def brief(self, rule: str = "t-rotation", uid: str = UID) -> tuple[str, str, str]:
        """Status, evaluation, reason."""
        finding = self.finding(rule, uid)
        return finding.status, finding.evaluation, finding.reason

    def finals(self) -> dict[str, dict[str, Any]]:
        """What must not depend on the order that Kafka delivers in: all but what tells when it was said."""
        said = ("revision", "last_seen", "updated_at", "evaluated_at", "restated", "risk")
        return {
            finding["id"]: {k: v for k, v in finding.items() if k not in said}
            for finding in map(orjson.loads, self.findings.values())
        }


class Kept:
    """A partition and the rows that are durable: it may be started again, with another rulebook too."""

    def __init__(self, rules: Rulebook) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.start(rules)

    def start(self, rules: Rulebook) -> None:
        self.fold = Partition(0, self.rows.get, rules, heads=self.heads)
        self.fold.restore(self.heads())

    def heads(self) -> list[tuple[bytes, bytes]]:
        return [(key, row) for key, row in self.rows.items() if key[:1] == b"h"]

    def keep(self, cut: int | None = None) -> list[dict[str, Any]]:
        """The findings said now. `cut`: only so many of the rows become durable."""
        work = self.fold.take()
        for row, content in list(in_order(work.rows).items())[:cut]:
            if content is None:
                self.rows.pop(row, None)
            else:
                self.rows[row] = content
        return [orjson.loads(o.value) for o in work.outputs if o.topic == FINDINGS.name]


def watched() -> World:
    """A key as it was at minute 0, with events that come."""
    world = World()
    world.heard(0)
    world.tick(0)
    world.snapshot(key(0))
    return world


def cause(value: bytes) -> dict[str, Any]:
    """A drift without what tells when it was said."""
    return {k: v for k, v in orjson.loads(value).items() if k not in ("revision", "updated_at")}


def revision(value: bytes) -> int:
    return int(orjson.loads(value)["revision"])


def final(value: bytes) -> dict[str, Any]:
    """A finding without what tells when it was said: that may differ by the order of ticks and snapshots."""
    said = ("revision", "last_seen", "updated_at", "evaluated_at", "restated", "risk")
    return {k: v for k, v in orjson.loads(value).items() if k not in said}
