"""How far time has come: the watermark of each source, as ticks tell them. Pure; microseconds since 1970."""

from collections.abc import Callable

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.model import Tick, micros
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import SourceWatermarks
from driftline.pipeline.state.rows import NEVER, Position

SWEEP = "sweep"
"""The clock's own source: how far readings have come."""
SILENT = 6 * HOUR
"""A source of events that is so far behind holds nothing back any more: it was switched off, or is broken."""
FORGOTTEN = 4 * SILENT
"""A reader that is so far behind is not kept any more."""
READER = "@"
"""Between a source and which of its readers tells: `aws.eventbridge@host-0`. A source has come as far as its last reader."""


class Watermarks:
    """What one partition knows of time. Kept beside the states: after a restart it must not look as if no events came
    at all. No watermark ever runs back."""

    def __init__(self, get: Callable[[bytes], bytes | None]) -> None:
        row = get(rows.SOURCES_KEY)
        self._known = resource_state.decode_sources(row).watermarks if row else {}
        self._told = rows.prefix(row)[1] if row else Position()

    def hear(self, record: Tick, latest: int = NEVER) -> None:
        """A tick of `control`."""
        name = f"{record.source}{READER}{record.reader}" if record.reader else record.source
        if record.ended:
            self.end(name)
        else:
            self.tick(name, micros(record.watermark), latest)

    def tick(self, source: str, at: int, latest: int = NEVER) -> None:
        """`latest`: up to when a watermark can be right now. One beyond, of before that was checked, counts no more."""
        if at <= 0:
            return  # it only asks for the broker's time
        right = {name: known for name, known in self._known.items() if known <= latest}
        if READER in source:
            right.pop(
                source.partition(READER)[0], None
            )  # of a version whose readers did not say who they are
        right[source] = max(at, right.get(source, 0))
        self._known = {
            name: known
            for name, known in right.items()
            if READER not in name or known > right[source] - FORGOTTEN
        }

    def end(self, source: str) -> None:
        """A reader has ended properly: nothing waits for it, if others read its source. The last one may only start anew."""
        base = source.partition(READER)[0]
        others = (n for n in self._known if n != source and n.partition(READER)[0] == base)
        if any(self._known[name] > self.swept - SILENT for name in others):
            self._known = {name: known for name, known in self._known.items() if name != source}

    def row(self, offset: int) -> bytes:
        """To be kept. `offset`: of the record that told; one that comes again takes nothing back."""
        self._told = max(self._told, Position(control=offset))
        return rows.encode(SourceWatermarks(self._known), NEVER, self._told)

    def least(self, prefix: str, of: int) -> int:
        """The least of so many sources whose names begin so; 0 while one was not heard of."""
        known = [at for source, at in self._known.items() if source.startswith(prefix)]
        return min(known) if len(known) >= of else 0

    @property
    def swept(self) -> int:
        """Until when every reading has come."""
        return self._known.get(SWEEP, 0)

    def events(self, provider: str = "") -> int | None:
        """Until when every event (of a provider) has come; None where none come."""
        prefix = f"{provider}." if provider else ""
        known = [
            at
            for source, at in self._known.items()
            if source != SWEEP and source.startswith(prefix) and at > self.swept - SILENT
        ]
        return min(known) if known else None

    def all_known(self) -> int:
        """Until when everything has come, readings and events."""
        events = self.events()
        return self.swept if events is None else min(events, self.swept)
