"""The groups of a partition that are in memory. Pure."""

from collections import OrderedDict

from driftline.pipeline.correlate.group_rows import StoredGroup

LIVE_GROUPS, LIVE_HITS = 2000, 200_000
"""Groups of a partition, and hits of them, that are kept in memory between batches. Others are read when a signal of
theirs comes."""


class GroupCache:
    """Groups, those longest without a signal first."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, StoredGroup] = OrderedDict()
        self._hits = 0
        """Theirs, together, as last weighed."""

    def get(self, name: str) -> StoredGroup | None:
        return self._groups.get(name)

    def used(self, name: str) -> StoredGroup | None:
        """A group that is needed now: it is the last to leave."""
        kept = self._groups.get(name)
        if kept is not None:
            self._groups.move_to_end(name)
        return kept

    def add(self, name: str, kept: StoredGroup) -> None:
        self._groups[name] = kept
        self.weigh(kept)

    def weigh(self, kept: StoredGroup) -> None:
        """Its hits have become more, or fewer."""
        self._hits += kept.weigh()

    def leave(self, name: str) -> None:
        if (kept := self._groups.pop(name, None)) is not None:
            self._hits -= kept.weight

    def shrink(self) -> None:
        """Until there are not too many."""
        while len(self._groups) > LIVE_GROUPS or (self._hits > LIVE_HITS and len(self._groups) > 1):
            self.leave(next(iter(self._groups)))
