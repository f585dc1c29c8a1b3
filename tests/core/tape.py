"""A long deterministic tape: keys that turn good and bad, are denied, deleted and made again; and what it must come to."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.wording.consoles import rows
from driftline.pipeline.model import (
    Actor,
    Baseline,
    Change,
    Control,
    Part,
    RiskException,
    Snapshot,
    Tick,
    Unread,
)
from driftline.pipeline.offline.content import grants
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import (
    CHANGES,
    CONTROL,
    DRIFT,
    FINDINGS,
    RESTATEMENTS,
    SNAPSHOTS,
    partition,
)
from tests.core.world import TYPE, rulebook

ROUNDS = 25
BATCH = 60


class Record(NamedTuple):
    topic: str
    partition: int | None
    """None: to every partition."""
    value: bytes
    at_ms: int
    elements: int = 0


AS_WORKER = AssessOptions(grants=grants(), consoles=rows())
"""What the worker says in findings beside what it judges: for a fold that is compared with it."""


class Witness(Fold):
    """A fold that remembers all that was said."""

    def __init__(self) -> None:
        self.all_said: list[bytes] = []
        self.all_again: list[bytes] = []
        """Restatements."""
        self.all_drifts: list[bytes] = []
        super().__init__(rulebook(), AS_WORKER)

    def _take(self) -> None:
        work = self._partition.take()
        self._rows.update(work.rows)
        for output in work.outputs:
            if output.topic == FINDINGS.name:
                self.findings[output.key] = output.value
                self.all_said.append(output.value)
            elif output.topic == RESTATEMENTS.name:
                self._restated(output)
                self.all_again.append(output.value)
            elif output.topic == DRIFT.name:
                self.drifts[orjson.loads(output.value)["id"]] = output.value
                self.all_drifts.append(output.value)


class Tape:
    """About n snapshots in hourly rounds that end now; the same for the same seed within an hour."""

    def __init__(self, n: int, seed: int, *, decided: bool = False) -> None:
        """`decided`: people have accepted risks, and said what ought to be, before it begins."""
        self.uids = [f"arn:aws:kms:eu-west-1:111111111111:key/{i:05d}" for i in range(max(n // ROUNDS, 1))]  # fmt: skip
        self.homes = [partition(uid) for uid in self.uids]
        self._seed = seed
        self._changes: list[Record] = []
        now = datetime.fromtimestamp(time.time() // 3600 * 3600, UTC)
        self._begin = now - timedelta(hours=ROUNDS)
        self._decided = decided

    @cached_property
    def _records(self) -> list[Record]:
        chance = random.Random(self._seed)
        good: list[list[bool]] = [[True, True] for _ in self.uids]
        there = [True] * len(self.uids)
        out: list[Record] = []
        for number in range(ROUNDS):
            at = self._begin + timedelta(hours=number)
            ms = int(at.timestamp() * 1000)
            waiting: dict[int, list[bytes]] = {}
            order = list(range(len(self.uids)))
            chance.shuffle(order)
            for i in order:
                snapshot = self._one(i, at, chance, good[i], there)
                elements = waiting.setdefault(self.homes[i], [])
                elements.append(codec.encode_snapshot(snapshot))
                if len(elements) == BATCH:
                    out.append(self._batch(self.homes[i], waiting.pop(self.homes[i]), ms))
                if i % 9001 == 17:
                    out.append(Record(SNAPSHOTS.name, self.homes[i], b"{not json", ms))
            out += [self._batch(home, elements, ms) for home, elements in waiting.items()]
            for (
                record
            ) in self._changes:  # before what it changed was read, hours after, or in between
                out.insert(chance.randrange(max(0, len(out) - 300), len(out) + 1), record)
            self._changes.clear()
            # A watermark lags, as the clock's does: what it passes was long with the broker.
            tick = Control(tick=Tick(source="sweep", watermark=at - timedelta(minutes=5)))
            out.append(Record(CONTROL.name, None, tick.encode(), ms))
        return out

    def decisions(self) -> Iterator[Record]:
        """What people decided before: to be heard before anything else. A risk accepted for most of the time, one for always, and for every seventh key what is approved or declared."""
        if not self._decided:
            return
        at, ms = self._begin - timedelta(hours=1), int(self._begin.timestamp() * 1000)
        for number, pattern in enumerate(("*key/00*1", "*key/*2")):
            accepted = RiskException(
                id=f"ex-{number}", rule="t-sticky", resource=pattern, reason="for the test", owner="bea", approver="ann",
                at=at, until=self._begin + timedelta(hours=17 if number else 900),
            )  # fmt: skip
            yield Record(CONTROL.name, None, Control(exception=accepted).encode(), ms)
        for i in range(0, len(self.uids), 7):
            ought = Baseline(
                uid=self.uids[i], type=TYPE, kind="declared" if i % 2 else "approved", at=at, by="carol",
                expect={"/rotation": {"KeyRotationEnabled": True}}, source="code",
            )  # fmt: skip
            yield Record(CONTROL.name, self.homes[i], Control(baseline=ought).encode(), ms)

    def _one(
        self, i: int, at: datetime, chance: random.Random, good: list[bool], there: list[bool]
    ) -> Snapshot:
        draw = chance.random()
        common: dict[str, Any] = {
            "uid": self.uids[i], "type": TYPE, "provider": "aws", "account": "111111111111",
            "region": "eu-west-1", "name": str(i), "captured_at": at,
        }  # fmt: skip
        if draw < 0.01 and there[i]:
            there[i] = False
            self._change(i, at, "delete", chance)
            return Snapshot(**common, deleted=True, deleted_reason="not_in_sweep")
        there[i] = True
        if draw < 0.03:
            return Snapshot(
                **common, unread=[Unread(part="*", reason="denied", code="AccessDenied")]
            )
        if draw < 0.08:
            which = chance.randrange(2)
            good[which] = not good[which]
            self._change(i, at, "update", chance)
        config = {
            "rotation": {"KeyRotationEnabled": good[0]},
            "key": {"Enabled": good[1], "Description": "x" * 400},
        }
        parts = [Part(name=name, captured_at=at) for name in config]
        return Snapshot(**common, config=config, parts=parts)

    def _change(self, i: int, at: datetime, kind: str, chance: random.Random) -> None:
        """Somebody did it, two seconds before it was read; one of five did it unheard."""
        if chance.random() < 0.2:
            return
        who = chance.choice(("ann", "bob"))
        change = Change(
            id=f"{i}-{at:%d%H}", uid=self.uids[i], type=TYPE, provider="aws", account="111111111111", region="eu-west-1",
            action="PutKey", kind=kind, actor=Actor(id=who, type="user"), occurred_at=at - timedelta(seconds=2), outcome="success",
        )  # fmt: skip
        record = Record(CHANGES.name, self.homes[i], change.encode(), int(at.timestamp() * 1000))
        self._changes += [record] * chance.choice((1, 1, 2))

    @staticmethod
    def _batch(home: int, elements: list[bytes], ms: int) -> Record:
        return Record(SNAPSHOTS.name, home, codec.encode_batch(elements), ms, len(elements))

    def records(self) -> list[Record]:
        """In the order of their production."""
        return self._records

    @property
    def elements(self) -> int:
        return sum(record.elements for record in self._records)

    @property
    def bad(self) -> int:
        return sum(record.value == b"{not json" for record in self._records)

    def undisturbed(self) -> Witness:
        """What a single fold, that nothing disturbs, makes of it."""
        fold = Witness()
        for record in (*self.decisions(), *self._records):
            fold.feed(record.topic, record.value)
        return fold

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)
