"""Whether patterns of actions, taken together, are all actions of a service. Exact: by what is left over."""

import re
from collections.abc import Sequence

from driftline.pipeline.rulebook.unjudged import CannotEvaluate

MOST = 100_000
"""Places in patterns that are looked at."""
SHORTEST = 3
"""Characters of the shortest name of an action."""
States = frozenset[tuple[int, int]]


def every(patterns: Sequence[str]) -> bool:
    """Whether one of them alone is every action: `*`, `*:*`, `?*`, `*:?*`."""
    return any(
        "*" in p and not p.strip("*?:") and p.count(":") <= 1 and p.count("?") <= 2
        for p in patterns
    )


def whole(service: str, allowed: Sequence[str], left_out: Sequence[Sequence[str]]) -> bool:
    """Whether actions that fit a pattern of `allowed`, or none of some list of `left_out`, are all of a service.

    All in small letters. Raises ValueError where they are too many to tell."""
    if every(allowed):
        return True
    groups = [list(allowed), *map(list, left_out)]
    start = [_step_all(group, _closed(group, frozenset((n, 0) for n in range(len(group)))), f"{service}:") for group in groups]  # fmt: skip
    return _search(groups, start)


def _search(groups: list[list[str]], start: list[States]) -> bool:
    letters = sorted(set("".join(p[at:] for g, s in zip(groups, start, strict=True) for p, at in ((g[n], i) for n, i in s))) - set("*?:"))  # fmt: skip
    letters = [c for c in letters if re.match(r"[a-z0-9-]", c)] + ["\1"]  # any other letter
    seen, waiting, looked = set(), [(tuple(start), 0)], 0
    while waiting:
        states, length = waiting.pop()
        looked += 1 + sum(map(len, states))
        if looked > MOST:
            raise CannotEvaluate("too many patterns of actions to judge")
        if _forever(groups, states):
            continue
        if length >= SHORTEST and not _covered(groups, states):
            return False
        if (states, min(length, SHORTEST)) in seen:
            continue
        seen.add((states, min(length, SHORTEST)))
        for letter in letters:
            after = tuple(_step_all(g, s, letter) for g, s in zip(groups, states, strict=True))
            waiting.append((after, length + 1))
    return True


def _covered(groups: list[list[str]], states: Sequence[States]) -> bool:
    """Whether the name that ends here is allowed."""
    ends = [any(at == len(group[n]) for n, at in some) for group, some in zip(groups, states, strict=True)]  # fmt: skip
    return ends[0] or not all(ends[1:]) if len(ends) > 1 else ends[0]


def _forever(groups: list[list[str]], states: Sequence[States]) -> bool:
    """Whether every name that begins so is allowed."""
    return any(groups[0][n][at:].strip("*") == "" and groups[0][n][at:] for n, at in states[0]) or any(not some for some in states[1:])  # fmt: skip


def _step_all(patterns: list[str], states: States, text: str) -> States:
    for letter in text:
        after = set()
        for n, at in states:
            if at < len(patterns[n]) and patterns[n][at] == "*":
                after.add((n, at))
            elif at < len(patterns[n]) and patterns[n][at] in (letter, "?"):
                after.add((n, at + 1))
        states = _closed(patterns, frozenset(after))
    return states


def _closed(patterns: list[str], states: States) -> States:
    """With what stands behind a star, which may be empty."""
    found, waiting = set(states), list(states)
    while waiting:
        n, at = waiting.pop()
        if at < len(patterns[n]) and patterns[n][at] == "*" and (n, at + 1) not in found:
            found.add((n, at + 1))
            waiting.append((n, at + 1))
    return frozenset(found)
