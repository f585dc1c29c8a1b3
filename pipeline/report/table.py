"""Formats tables of plain text that fit the terminal."""

import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline.pipeline.report.totals import plain

COLORS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
WIDTH = 80
"""Width of output that is not a terminal, unless COLUMNS is set."""


def bare_table(*, heads: bool = True) -> Table:
    """A table without borders, with or without headings."""
    return Table(box=None, pad_edge=False, header_style="bold", show_header=heads)


def severity_text(severity: str) -> Text:
    """A severity with its colour, short enough for a narrow column."""
    short = "info" if severity == "informational" else severity
    return Text(short, style=COLORS.get(severity, ""))


def texts(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> Table:
    """A table of plain text. Right-aligned and non-wrapping columns are given by their headings."""
    table = bare_table()
    for name in heads:
        table.add_column(
            name,
            overflow="fold",
            justify="right" if name in right else "left",
            no_wrap=name in whole,
        )
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def console(out: Any) -> Console:
    """As wide as the terminal; without one, COLUMNS or 80."""
    if out.isatty():
        return Console(file=out)
    columns = os.environ.get("COLUMNS", "")
    return Console(file=out, width=int(columns) if columns.isdecimal() and int(columns) else WIDTH)


def entries(rows: Sequence[tuple[str, str, str]], width: int, lead: int) -> Iterator[str]:
    """Lines of a list: a short word (`lead` columns), a name and a text; the texts below the names where a line would be
    wider than `width`."""
    longest = max((len(name) for _, name, _ in rows), default=0)
    lines = [f"{word:<{lead}} {name:<{longest}} {text}" for word, name, text in rows]
    if all(len(line) <= width for line in lines):
        yield from lines
        return
    for word, name, text in rows:
        yield from hanging(word, name, width, lead)
        yield from hanging("", text, width, lead)


def hanging(word: str, text: str, width: int, lead: int) -> list[str]:
    """A word and a text beside it, whose further lines stand below its first."""
    return textwrap.wrap(
        text, width, initial_indent=f"{word:<{lead}} ", subsequent_indent=" " * (lead + 1),
        break_long_words=False, break_on_hyphens=False,
    ) or [word]  # fmt: skip


def some(names: Sequence[str], shown: int) -> str:
    """The first names of a list, and the number of others."""
    more = [f"and {len(names) - shown} more"] if len(names) > shown else []
    return ", ".join([*names[:shown], *more])
