"""What cannot be judged, in plain words of ours: never those of a library. Pure."""

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from driftline.pipeline.model.base import micros

LONGEST_VALUE = 40


class CannotEvaluate(ValueError):
    """Why something cannot be judged. Its text follows "cannot be judged" and names the value where one is wrong."""


def shown(value: Any) -> str:
    """What stands somewhere, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:LONGEST_VALUE]}"
    if isinstance(value, str):
        text = value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
        return f"the text {text!r}"
    return kind(value)


def kind(value: Any) -> str:
    """The kind of a value of JSON."""
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
    """A range of addresses, or one address. Raises NotJudged."""
    try:
        if isinstance(value, str):
            return ip_network(value, strict=False)
    except ValueError:
        pass
    raise CannotEvaluate(f"{shown(value)} is no range of addresses")


def moment(value: Any) -> int:
    """A time's text in microseconds since 1970. Raises NotJudged."""
    try:
        if isinstance(value, str):
            return micros(datetime.fromisoformat(value))
    except (ValueError, TypeError, OverflowError):  # no text of a time, or one without a zone
        pass
    raise CannotEvaluate(f"{shown(value)} is no time")
