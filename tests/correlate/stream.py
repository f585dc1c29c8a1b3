"""The stream in memory, driven as the worker drives it: every partition of both stages with its rows, batches of any size,
records that partitions send each other on their way for a while, restarts from what was kept."""

import random
from collections import deque
from typing import Any

import orjson

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.correlate.shard import Correlating
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import restated
from driftline.pipeline.offline.fold import longest
from driftline.pipeline.records import codec
from driftline.pipeline.records.outputs import marks
from driftline.pipeline.records.topics import (
    ALERTS,
    CHANGES,
    CONTROL,
    DRIFT,
    FINDINGS,
    PARTITIONS,
    RESTATEMENTS,
    SIGNALS,
    murmur2,
    partition,
)
from driftline.pipeline.rulebook import Rulebook

Rows = dict[bytes, bytes | None]


class Stage:
    """One partition of a stage: what waits for it, its rows, and its fold."""

    def __init__(self, make: Any) -> None:
        self._make, self.rows = make, Rows()
        self.waiting: deque[tuple[str, bytes, int]] = deque()
        self.start()

    def start(self) -> None:
        """As after a restart: only the rows are known."""
        self.fold = self._make(self.rows.get, self.heads)
        self.fold.restore(self.heads())

    def heads(self) -> list[tuple[bytes, bytes]]:
        return [(key, row) for key, row in self.rows.items() if row is not None and key[:1] in (b"h", b"s")]  # fmt: skip

    def work(self, most: int) -> Any:
        """A batch."""
        for _ in range(min(most, len(self.waiting))):
            self.fold.apply(*self.waiting.popleft())
            while self.fold.advance():
                pass
        work = self.fold.take()
        self.rows.update(work.rows)
        return work


class Stream:
    """Both stages. `chance`: decides what is processed when, and what is started again."""

    def __init__(self, rulebook: Rulebook, watch: DetectionEngine, lateness: int, chance: random.Random) -> None:  # fmt: skip
        self.findings: dict[bytes, bytes] = {}
        self.drifts: dict[str, bytes] = {}
        self.alerts: dict[bytes, bytes] = {}
        self.dead: list[Any] = []
        self._chance, self._watch, self._lateness, self._offset = chance, watch, lateness, 0

        def assess(number: int) -> Any:
            return lambda get, heads: Partition(number, get, rulebook, None, watch, heads)

        def correlate(number: int) -> Any:
            return lambda get, _: Correlating(number, get, watch, lateness)

        self._assess = [Stage(assess(number)) for number in range(PARTITIONS)]
        self._correlate = [Stage(correlate(number)) for number in range(PARTITIONS)]

    def feed(self, topic: str, value: bytes) -> None:
        """One record, as a tape has it."""
        if topic == CONTROL.name:
            for stage in self._assess:
                self._put(stage, topic, value)
            return
        for element in codec.split(value):
            home = partition(codec.decode(element)["uid"])
            self._put(self._assess[home], topic, codec.encode_batch([element]))

    def _put(self, stage: Stage, topic: str, value: bytes) -> None:
        stage.waiting.append((topic, value, self._offset))
        self._offset += 1

    def run(self) -> None:
        """Until nothing waits."""
        while busy := [stage for stage in (*self._assess, *self._correlate) if stage.waiting]:
            stage = self._chance.choice(busy)
            self._send(stage.work(self._chance.randint(1, 20)))
            if self._chance.random() < 0.01:
                stage.start()

    def _send(self, work: Any) -> None:
        self.dead += work.dead
        for output in work.outputs:
            if output.topic == SIGNALS.name:
                self._put(self._correlate[murmur2(output.key) % PARTITIONS], output.topic, output.value)  # fmt: skip
            elif output.topic == CHANGES.name:
                self._put(self._assess[murmur2(output.key) % PARTITIONS], output.topic, output.value)  # fmt: skip
            elif output.topic == FINDINGS.name:
                self.findings[output.key] = output.value
            elif output.topic == RESTATEMENTS.name:
                stands, said = orjson.loads(self.findings[output.key]), orjson.loads(output.value)
                if said["revision"] == stands["revision"]:
                    self.findings[output.key] = orjson.dumps(restated(stands, said["last_seen"]))
            elif output.topic == DRIFT.name:
                self.drifts[orjson.loads(output.value)["id"]] = output.value
            elif output.topic == ALERTS.name:
                known = orjson.loads(self.alerts.get(output.key, b'{"revision":-1}'))
                if orjson.loads(output.value)["revision"] >= known["revision"]:
                    self.alerts[output.key] = output.value

    def end(self, last: int) -> None:
        """Time passes until every alert is over."""
        self.run()
        for until in (last + self._lateness, last + self._lateness + longest(self._watch)):
            for number in range(PARTITIONS):
                for output in marks(number, 0, until):
                    self._put(self._correlate[murmur2(output.key) % PARTITIONS], output.topic, output.value)  # fmt: skip
            self.run()
