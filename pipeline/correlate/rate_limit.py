"""Limits how many alerts of one rule notify people per hour. Alerts above the limit are still written, marked as
held back. Pure.

Counts by event time and is stored, so that neither a restart nor a redelivered record extends the budget. One group
can use only a share of it, so that a flood in one group leaves room for others. Which alerts of a storm are held back
depends on the order of arrival; whether they are alerts does not."""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

BUDGET_KEY = b"q"
KEPT_HOURS = 48
"""Hours remembered per rule."""
GROUP_SHARE = 5
"""One group may use a fifth of its rule's budget, but at least one alert."""


class UsedBudget(msgspec.Struct, array_like=True):
    """By rule and hour: alerts that were not held back."""

    rules: dict[str, dict[int, int]] = {}
    groups: dict[str, dict[int, dict[str, int]]] = {}
    """The same by group (digest)."""


_spent = msgspec.msgpack.Decoder(UsedBudget)


class AlertBudget:
    """`row` and `put` access the shard's rows. `most`: alerts per rule and hour; 0 means unlimited."""

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
        """Counts one more alert of a group. Returns whether it is within the budget. `position`: of the record that
        caused it."""
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
