"""Simulated years of churn: every day some resources are deleted and others made; all are swept once a day, one in ten
deletions is never told by any sweep, changes are heard of things that are never read."""

from random import Random
from typing import NamedTuple

from driftline.pipeline.model import Control, Scope, Swept
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from tests.core.world import TYPE, World, change, gone, heard, key, minute, tick, value

DAY = 24 * 60
MONTH = 30


class Size(NamedTuple):
    """What is kept."""

    made: int
    """Resources that there ever were."""
    rows: int
    state_bytes: int
    findings: int
    """Keys in the compacted topic."""
    finding_bytes: int


class Years:
    """Keys that come and go."""

    def __init__(self, resources: int = 50, replaced: int = 5, seed: int = 1) -> None:
        self.world, self.random = World(), Random(seed)
        self.made, self.day, self.replaced = 0, 0, replaced
        self.alive = [self._uid() for _ in range(resources)]

    def _uid(self) -> str:
        self.made += 1
        return f"arn:aws:kms:eu-west-1:111111111111:key/{self.made:08}"

    def month(self) -> Size:
        for _ in range(MONTH):
            self._pass_day()
        rows = [row for row in self.world._rows.values() if row is not None]
        findings = self.world.findings.values()
        return Size(
            self.made, len(rows), sum(map(len, rows)), len(findings), sum(map(len, findings))
        )

    def _pass_day(self) -> None:
        at, feed = float(self.day * DAY), self.world.feed
        for uid in self.random.sample(self.alive, self.replaced):
            self.alive.remove(uid)
            self.alive.append(self._uid())
            if self.random.random() > 0.1:
                feed(
                    CHANGES.name,
                    codec.encode_batch(
                        [change(at, uid=uid, kind="delete", action="DeleteKey").encode()]
                    ),
                )
                feed(SNAPSHOTS.name, value(gone(at + 10, uid)))
        only_heard = f"arn:aws:kms:eu-west-1:111111111111:key/heard-{self.day}"
        feed(CHANGES.name, codec.encode_batch([change(at, uid=only_heard).encode()]))
        read = [key(at + 10, self.random.random() < 0.7, uid=uid) for uid in self.alive]
        feed(SNAPSHOTS.name, value(*read))
        scope = Scope(provider="aws", account="111111111111", region="eu-west-1", type=TYPE)
        word = Swept(
            scope=scope, started_at=minute(at + 10), ended_at=minute(at + 11), complete=True
        )
        feed(CONTROL.name, Control(swept=word).encode())
        for hour in range(0, 24, 6):
            feed(CONTROL.name, heard(at + 20 + hour * 60))
            feed(CONTROL.name, tick(at + 20 + hour * 60))
        self.day += 1
