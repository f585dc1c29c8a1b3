"""Backlog of the states of one shard to evaluate again after the rulebook changed: processed in slices, restarted after a
crash. Pure."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import EvaluatedBy
from driftline.pipeline.state.rows import NEVER, RULES_KEY, Position


class ReevaluationBacklog:
    """`row` and `put` access the partition's rows; `heads` yields the heads of all states; `rulebook` is its hash."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        heads: Callable[[], Iterable[tuple[bytes, bytes]]],
        rulebook: str,
    ) -> None:
        self._put, self._heads, self._rulebook = put, heads, rulebook
        stored = row(RULES_KEY)
        known = resource_state.decode_judged(stored).rulebook if stored else ""
        position = rows.prefix(stored)[1] if stored else Position()
        self._told = Position(control=position.control + 1)
        """Each rulebook's row has a higher position than the previous one, so that the last one wins."""
        self._open = known != rulebook
        self._walk: Iterator[tuple[bytes, bytes]] | None = None

    def next(self, most: int) -> list[str]:
        """Returns up to `most` states, possibly some twice; when none are left, that is stored."""
        if not self._open:
            return []
        if self._walk is None:
            self._walk = iter(self._heads())
        taken = [key[1:].decode() for key, _ in islice(self._walk, most)]
        if not taken:
            self._open, self._walk = False, None
            self._put(
                RULES_KEY, rows.encode(EvaluatedBy(self._rulebook), NEVER, self._told), NEVER, ""
            )
        return taken
