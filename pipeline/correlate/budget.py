"""How many alerts of one rule may call somebody within an hour: what is beyond is told all the same, as held back. Pure.

By event time, and kept: a restart, or records that come again, give no rule more. Which of a storm's alerts are held
back depends on the order in which they came; that they are alerts does not."""

from collections.abc import Callable

import msgspec

from pipeline import state as rows
from pipeline.correlate.windows import HOUR
from pipeline.state import NEVER, Position

BUDGET_KEY = b"q"
KEPT = 48
"""Hours of a rule that are remembered."""


class Spent(msgspec.Struct, array_like=True):
    """Alerts of each rule, by hour."""

    rules: dict[str, dict[int, int]] = {}


_spent = msgspec.msgpack.Decoder(Spent)


class Budget:
    """`row` and `put` reach the partition's rows; `most`: alerts of a rule within an hour; 0: any number."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes], None],
        most: int,
    ) -> None:
        stored = row(BUDGET_KEY) if most else None
        self._rules = _spent.decode(rows.content(stored)).rules if stored else {}
        self._told = rows.prefix(stored)[1] if stored else Position()
        self._put, self._most = put, most

    def spend(self, rule: str, at: int, position: Position) -> bool:
        """One more alert; whether it is within the budget. `position`: of what made it."""
        if not self._most:
            return True
        hours = self._rules.setdefault(rule, {})
        hour = at // HOUR
        hours[hour] = hours.get(hour, 0) + 1
        if len(hours) > KEPT:
            del hours[min(hours)]
        self._told = max(self._told, position)
        self._put(BUDGET_KEY, rows.encode(Spent(self._rules), NEVER, self._told))
        return hours.get(hour, 0) <= self._most
