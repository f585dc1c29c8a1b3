"""What cannot be evaluated, in our own plain words, never those of a library. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar

from driftline.pipeline.model.base import micros

LONGEST_VALUE = 40


class CannotEvaluate(ValueError):
    """Why something cannot be evaluated. Its text follows "cannot be judged" and names the value that is wrong."""


One = TypeVar("One")


def holds_for_any(some: Iterable[One], judge: Callable[[One], bool]) -> bool:
    """Whether a judgement holds for one at least, in whatever order they stand: what cannot be evaluated counts only if
    no other decides. Raises ValueError, the first, if none does."""
    odd = None
    for one in some:
        try:
            if judge(one):
                return True
        except ValueError as error:
            odd = odd or error
    if odd is not None:
        raise odd
    return False


def held_by(
    some: Iterable[One], judge: Callable[[One], bool]
) -> tuple[list[One], ValueError | None]:
    """Those for which a judgement holds, and why some other cannot be evaluated, if any cannot."""
    held, odd = [], None
    for one in some:
        try:
            if judge(one):
                held.append(one)
        except ValueError as error:
            odd = odd or error
    return held, odd


def shown(value: Any) -> str:
    """Describes a value briefly."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:LONGEST_VALUE]}"
    if isinstance(value, str):
        text = value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
        return f"the text {text!r}"
    return kind(value)


def kind(value: Any) -> str:
    """Returns the type of a JSON value."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "null"


def network(value: Any) -> IPv4Network | IPv6Network:
    """Parses an address range, or one address. Raises CannotEvaluate."""
    try:
        if isinstance(value, str):
            return ip_network(value, strict=False)
    except ValueError:
        pass
    raise CannotEvaluate(f"{shown(value)} is no range of addresses")


def moment(value: Any) -> int:
    """Parses a time to microseconds since 1970. Raises CannotEvaluate."""
    try:
        if isinstance(value, str):
            return micros(datetime.fromisoformat(value))
    except (ValueError, TypeError, OverflowError):  # not a time, or a time without a zone
        pass
    raise CannotEvaluate(f"{shown(value)} is no time")
