"""Cache of the groups of a shard. Pure."""

from collections import OrderedDict

from driftline.pipeline.correlate.group_rows import StoredGroup

LIVE_GROUPS, LIVE_HITS = 2000, 200_000
"""Maximum number of groups, and of their hits, held in memory per shard between batches. Other groups are read when a
signal for them arrives."""


class GroupCache:
    """Groups, least recently used first."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, StoredGroup] = OrderedDict()
        self._hits = 0
        """Their hits in total, as last weighed."""

    def get(self, name: str) -> StoredGroup | None:
        return self._groups.get(name)

    def used(self, name: str) -> StoredGroup | None:
        """Returns a group and marks it as most recently used."""
        kept = self._groups.get(name)
        if kept is not None:
            self._groups.move_to_end(name)
        return kept

    def add(self, name: str, kept: StoredGroup) -> None:
        self._groups[name] = kept
        self.weigh(kept)

    def weigh(self, kept: StoredGroup) -> None:
        """Updates the number of hits of a group."""
        self._hits += kept.weigh()

    def leave(self, name: str) -> None:
        if (kept := self._groups.pop(name, None)) is not None:
            self._hits -= kept.weight

    def shrink(self) -> None:
        """Evicts groups until the limits hold."""
        while len(self._groups) > LIVE_GROUPS or (self._hits > LIVE_HITS and len(self._groups) > 1):
            self.leave(next(iter(self._groups)))
