"""The watermark of each source, as reported by ticks. Pure; microseconds since 1970."""

from collections.abc import Callable

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.model import Tick, micros
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import SourceWatermarks
from driftline.pipeline.state.rows import NEVER, Position

SWEEP = "sweep"
"""The clock's own source: the watermark of readings."""
SILENT = 6 * HOUR
"""A source of events this far behind no longer holds back the watermark: it was switched off, or is broken."""
FORGOTTEN = 4 * SILENT
"""A reader this far behind is forgotten."""
READER = "@"
"""Separates a source from the reader that reports it: `cloud.queue@host-0`. The watermark of a source is that of
its slowest reader."""


class Watermarks:
    """The watermarks of one partition. They are stored beside the states, so that after a restart it does not look as
    if no events ever arrived. A watermark never moves back."""

    def __init__(self, get: Callable[[bytes], bytes | None]) -> None:
        row = get(rows.SOURCES_KEY)
        self._known = resource_state.decode_sources(row).watermarks if row else {}
        self._told = rows.prefix(row)[1] if row else Position()
        self._least: dict[tuple[str, int], int] = {}
        """What `least` has answered and still would."""
        self._replace(self._known)

    def _replace(self, known: dict[str, int]) -> None:
        self._known = known
        self._highest = max(known.values(), default=0)
        self._has_readers = any(READER in name for name in known)
        self._least.clear()

    def hear(self, record: Tick, latest: int = NEVER) -> None:
        """Applies a tick of `control`."""
        name = f"{record.source}{READER}{record.reader}" if record.reader else record.source
        if record.ended:
            self.end(name)
        else:
            self.tick(name, micros(record.watermark), latest)

    def tick(self, source: str, at: int, latest: int = NEVER) -> None:
        """`latest`: the latest time that a watermark can have now. Stored watermarks beyond it, from before this was
        checked, are ignored."""
        if at <= 0:
            return  # only a request for the broker's time
        if READER not in source and not self._has_readers and self._highest <= latest:
            self._advance(source, at)  # nothing to ignore, nobody to forget
            return
        right = {name: known for name, known in self._known.items() if known <= latest}
        if READER in source:
            right.pop(
                source.partition(READER)[0], None
            )  # written by a version whose readers did not identify themselves
        right[source] = max(at, right.get(source, 0))
        self._replace({
            name: known
            for name, known in right.items()
            if READER not in name or known > right[source] - FORGOTTEN
        })  # fmt: skip

    def _advance(self, source: str, at: int) -> None:
        before = self._known.get(source)
        if before is not None and at <= before:
            return
        self._known[source] = at
        self._highest = max(self._highest, at)
        for asked, least in list(self._least.items()):
            if source.startswith(asked[0]) and (before is None or before <= least):
                del self._least[asked]

    def end(self, source: str) -> None:
        """Removes a reader that has shut down, if others read its source. The last one is kept: it may only be
        restarting."""
        base = source.partition(READER)[0]
        others = (n for n in self._known if n != source and n.partition(READER)[0] == base)
        if any(self._known[name] > self.swept - SILENT for name in others):
            self._replace({name: at for name, at in self._known.items() if name != source})

    def row(self, offset: int) -> bytes:
        """Returns the row to store. `offset`: of the tick; a redelivered one changes nothing."""
        self._told = max(self._told, Position(control=offset))
        return rows.encode(SourceWatermarks(self._known), NEVER, self._told)

    def least(self, prefix: str, of: int) -> int:
        """Returns the lowest watermark of `of` sources with this prefix; 0 until all of them have reported."""
        asked = prefix, of
        if asked not in self._least:
            known = [at for source, at in self._known.items() if source.startswith(prefix)]
            self._least[asked] = min(known) if len(known) >= of else 0
        return self._least[asked]

    @property
    def swept(self) -> int:
        """The time up to which every reading has arrived."""
        return self._known.get(SWEEP, 0)

    def events(self, provider: str = "") -> int | None:
        """The time up to which every event (of a provider) has arrived; None if there are no events."""
        prefix = f"{provider}." if provider else ""
        known = [
            at
            for source, at in self._known.items()
            if source != SWEEP and source.startswith(prefix) and at > self.swept - SILENT
        ]
        return min(known) if known else None

    def all_known(self) -> int:
        """The time up to which everything has arrived, readings and events."""
        events = self.events()
        return self.swept if events is None else min(events, self.swept)
