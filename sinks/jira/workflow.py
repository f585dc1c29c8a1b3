"""The way to a status through a workflow that we do not know. Pure but for the calls that it is given."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

STEPS = 5
"""Transitions at most."""
Transitions = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
"""Those that the ticket has now, as Jira's API gives them, with the fields of their screens."""
Do = Callable[[Mapping[str, Any]], Awaitable[None]]


async def move(transitions: Transitions, do: Do, *, done: bool, names: Sequence[str]) -> bool:
    """Takes the ticket to a status that is done, or is not. Where none is one step away, goes on through statuses in
    progress that it has not been in, at most STEPS. False: no way leads there. `names`: of the statuses that will do, the
    best first; none: any."""
    seen: set[str] = set()
    for _ in range(STEPS):
        found = [one for one in await transitions() if one.get("isAvailable", True)]
        if best := _best(found, done, names):
            await do(best)
            return True
        on = [
            one for one in found if _status(one) not in seen and _category(one) == "indeterminate"
        ]
        if not on:
            return False
        seen.add(_status(on[0]))
        await do(on[0])
    return False


def _best(
    found: Sequence[Mapping[str, Any]], done: bool, names: Sequence[str]
) -> Mapping[str, Any] | None:
    if names:
        by_name = {_status(one).casefold(): one for one in reversed(found)}
        return next(
            (by_name[name.casefold()] for name in names if name.casefold() in by_name), None
        )
    return next((one for one in found if (_category(one) == "done") is done), None)


def _status(transition: Mapping[str, Any]) -> str:
    return str(transition["to"]["name"])


def _category(transition: Mapping[str, Any]) -> str:
    return str(((transition["to"].get("statusCategory")) or {}).get("key", ""))


def screen(transition: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Of the fields that are wanted, those that the transition's screen has."""
    has = transition.get("fields") or {}
    return {name: value for name, value in wanted.items() if name in has}
