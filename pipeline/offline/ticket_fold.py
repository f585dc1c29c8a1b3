"""The stream's third fold in memory: the tickets of what was folded, beside findings and alerts."""

from collections.abc import Iterable
from typing import Any

import orjson

from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.cases.shard import Cases
from driftline.pipeline.model import Control, Tick, from_micros
from driftline.pipeline.records.outputs import Dead, Output
from driftline.pipeline.records.topics import CONTROL, MEMBERS
from driftline.pipeline.state.watermarks import SWEEP


class TicketFold:
    """Folds the outputs of the other cores."""

    def __init__(self, options: TicketOptions) -> None:
        self.tickets: dict[str, dict[str, Any]] = {}
        """By key: the last rendering."""
        self._rows: dict[bytes, bytes | None] = {}
        self._dead: list[Dead] = []
        self._offset = 0
        self._options = options
        self._fold = Cases(0, self._rows.get, options)

    def feed(self, outputs: Iterable[Output]) -> None:
        """Those of `members` among the outputs."""
        for output in outputs:
            if output.topic == MEMBERS.name:
                self._record(MEMBERS.name, output.value)

    def reach(self, at: int) -> None:
        """Time comes to `at` (microseconds)."""
        tick = Control(tick=Tick(source=SWEEP, watermark=from_micros(at)))
        self._record(CONTROL.name, tick.encode())

    def tick(self, value: bytes) -> None:
        """A record of `control`."""
        self._record(CONTROL.name, value)

    def end(self, last: int) -> None:
        """Nothing more comes: what is to be written is written, and what is to be closed is closed."""
        self.reach(last + self._options.settle)
        self.reach(last + self._options.settle + self._options.close_after)

    def _record(self, topic: str, value: bytes) -> None:
        self._offset += 1
        self._fold.apply(topic, value, self._offset)
        while self._fold.advance():
            pass
        work = self._fold.take()
        self._rows.update(work.rows)
        self._dead += work.dead
        for output in work.outputs:
            self.tickets[output.key.decode()] = orjson.loads(output.value)

    def take_dead(self) -> list[Dead]:
        """What was bad since the last take."""
        dead, self._dead = self._dead, []
        return dead
