"""How far time has come: the watermark of each source, as ticks tell them. Pure; microseconds since 1970."""

from collections.abc import Callable

from pipeline import state as rows
from pipeline.state import NEVER, Position, Sources

SWEEP = "sweep"
"""The clock's own source: how far readings have come."""
SILENT = 6 * 3_600_000_000
"""A source of events that is so far behind holds nothing back any more: it was switched off, or is broken."""


class Watermarks:
    """What one partition knows of time. Kept beside the states: after a restart it must not look as if no events came
    at all. No watermark ever runs back."""

    def __init__(self, get: Callable[[bytes], bytes | None]) -> None:
        row = get(rows.SOURCES_KEY)
        self._known = rows.decode_sources(row).watermarks if row else {}
        self._told = rows.prefix(row)[1] if row else Position()

    def tick(self, source: str, at: int) -> None:
        self._known = self._known | {source: max(at, self._known.get(source, 0))}

    def row(self, offset: int) -> bytes:
        """To be kept. `offset`: of the record that told; one that comes again takes nothing back."""
        self._told = max(self._told, Position(control=offset))
        return rows.encode(Sources(self._known), NEVER, self._told)

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
