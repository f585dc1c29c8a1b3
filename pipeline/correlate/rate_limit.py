"""How many alerts of one rule may call somebody within an hour: what is beyond is told all the same, as held back. Pure.

By event time, and kept: a restart, or records that come again, give no rule more. One group has a share of it only: what
somebody floods leaves room for the others. Which of a storm's alerts are held back depends on the order in which they
came; that they are alerts does not."""

from collections.abc import Callable
from hashlib import blake2b

import msgspec
from driftline.pipeline.detections.windows import HOUR
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

BUDGET_KEY = b"q"
KEPT_HOURS = 48
"""Hours of a rule that are remembered."""
GROUP_SHARE = 5
"""One group may have a fifth of its rule's alerts, and one at least."""


class UsedBudget(msgspec.Struct, array_like=True):
    """Alerts of each rule that were not held back, by hour."""

    rules: dict[str, dict[int, int]] = {}
    groups: dict[str, dict[int, dict[str, int]]] = {}
    """Of those, each group's (by digests)."""


_spent = msgspec.msgpack.Decoder(UsedBudget)


class AlertBudget:
    """`row` and `put` reach the partition's rows; `most`: alerts of a rule within an hour; 0: any number."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes], None],
        most: int,
    ) -> None:
        stored = row(BUDGET_KEY) if most else None
        self._spent = _spent.decode(rows.content(stored)) if stored else UsedBudget()
        self._position = rows.prefix(stored)[1] if stored else Position()
        self._put, self._most = put, most

    def spend(self, rule: str, group: str, at: int, position: Position) -> bool:
        """One more alert of a group; whether it is within the budget. `position`: of what made it."""
        if not self._most:
            return True
        hour, name = at // HOUR, blake2b(group.encode(), digest_size=8).hexdigest()
        hours = self._spent.rules.setdefault(rule, {})
        own = self._spent.groups.setdefault(rule, {}).setdefault(hour, {})
        if hours.get(hour, 0) >= self._most or own.get(name, 0) >= max(
            1, self._most // GROUP_SHARE
        ):
            return False
        hours[hour] = hours.get(hour, 0) + 1
        own[name] = own.get(name, 0) + 1
        if len(hours) > KEPT_HOURS:
            oldest = min(hours)
            del hours[oldest]
            self._spent.groups[rule].pop(oldest, None)
        self._position = max(self._position, position)
        self._put(BUDGET_KEY, rows.encode(self._spent, NEVER, self._position))
        return True
