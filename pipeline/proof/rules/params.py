"""Mutates the parameters of rules: an example must detect that an entry is dropped or added, or that a day or number
is shifted."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from driftline.pipeline.rulebook.rule import Example, Expected, Rule, Table

_PORTS = re.compile(r"\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*")
_DAY = re.compile(r"(.*=)(\d{4}-\d\d-\d\d)")
ORDINARY = (53, 123, 500, 993, 4500, 51820)
"""Ports that are added to port lists: name and time services, mail over TLS, tunnels."""


def spread(table: Table) -> Iterator[tuple[Expected, Example]]:
    """The examples of a table, one for each row; if a row names a day, another one for the second before it."""
    for row in table.rows:
        cells = row if isinstance(row, list) else [row]
        name = f"{table.name}: {', '.join(map(str, cells))}"
        filled = {path: _filled(value, cells) for path, value in table.set.items()}
        if not table.turns:
            yield table.gives, Example(name=name, set=filled, params=table.params)
            continue
        day = str(_filled(table.turns, cells))
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        yield table.gives, Example(name=name, set=filled, params=table.params, now=f"{day}T00:00:00Z")  # fmt: skip
        yield "passed", Example(name=f"{name}, the second before", set=filled, params=table.params, now=f"{before}T23:59:59Z")  # fmt: skip


def _filled(value: Any, cells: list[Any]) -> Any:
    """A value with {0}, {1} … replaced by a row's cells; a value that is only a placeholder keeps the cell's type."""
    if isinstance(value, dict):
        return {key: _filled(one, cells) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, cells) for one in value]
    if not isinstance(value, str):
        return value
    for number, cell in enumerate(cells):
        if value == f"{{{number}}}":
            return cell
        value = value.replace(f"{{{number}}}", str(cell))
    return value


def changed(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mutation of the parameters: its description, and the mutated parameters."""
    for name, value in rule.file.params.items():
        for text, other in _others(value):
            yield f"params.{name} {text}", rule.file.params | {name: other}


def _others(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, bool):
        yield f"is {str(not value).lower()}", not value
    elif isinstance(value, int):
        for other in (value - 1, value + 1):
            yield f"is {other}", other
    elif isinstance(value, str) and _PORTS.fullmatch(value):
        yield from ((text, ", ".join(spans)) for text, spans in _ports(value))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            rest = [*value[:number], *value[number + 1 :]]
            yield f"without {entry}", rest
            if day := _DAY.fullmatch(entry):
                for days in (-1, 1):
                    moved = (date.fromisoformat(day[2]) + timedelta(days=days)).isoformat()
                    yield f"with {day[1]}{moved}", [*rest, f"{day[1]}{moved}"]


def _ports(value: str) -> Iterator[tuple[str, list[str]]]:
    spans = [span.strip() for span in value.split(",")]
    for number, span in enumerate(spans):
        rest = [*spans[:number], *spans[number + 1 :]]
        yield f"without {span}", rest
        low, _, high = span.partition("-")
        if high:
            yield f"without {low}", [*rest, f"{int(low) + 1}-{high}"]
            yield f"without {high}", [*rest, f"{low}-{int(high) - 1}"]
    for port in ORDINARY:
        if str(port) not in spans:
            yield f"with {port}", [*spans, str(port)]
