"""Which states of one partition are still to be judged by a new rulebook: in slices, and once more after a crash. Pure."""

from collections.abc import Callable, Iterable

from pipeline import state as rows
from pipeline.state import NEVER, RULES_KEY, Judged, Position


class Ruling:
    """`row` and `put` reach the partition's rows; `uids` are all that have a state; `rulebook` is its hash."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        uids: Callable[[], Iterable[str]],
        rulebook: str,
    ) -> None:
        self._put, self._uids, self._rulebook = put, uids, rulebook
        stored = row(RULES_KEY)
        known = rows.decode_judged(stored).rulebook if stored else ""
        position = rows.prefix(stored)[1] if stored else Position()
        self._told = Position(control=position.control + 1)
        """Each rulebook's row is further along than the one before: of two the last one counts."""
        self._open = known != rulebook
        self._left: list[str] | None = None

    def next(self, most: int) -> list[str]:
        """Up to `most` of them; when there are none left, that is kept."""
        if not self._open:
            return []
        if self._left is None:
            self._left = sorted(set(self._uids()), reverse=True)
        taken = [self._left.pop() for _ in range(min(most, len(self._left)))]
        if not taken:
            self._open, self._left = False, None
            self._put(RULES_KEY, rows.encode(Judged(self._rulebook), NEVER, self._told), NEVER, "")
        return taken
