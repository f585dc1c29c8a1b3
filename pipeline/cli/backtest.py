"""`driftline backtest`: what detections would have said of the past."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.backtest import Hits


@click.command(name="backtest")
@click.option(
    "--detections", "rules", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Sigma rules; may be repeated.",
)  # fmt: skip
@click.option(
    "--cloudtrail", "logs", multiple=True, metavar="PATH", type=click.Path(path_type=Path),
    help="CloudTrail's log files (gz or not), NDJSON, or folders of them; may be repeated.",
)  # fmt: skip
@click.option("--rules", "proposed", multiple=True, metavar="DIR", type=click.Path(path_type=Path), help="Rules as they might be; may be repeated.")  # fmt: skip
@click.option("--tape", "tapes", multiple=True, metavar="PATH", type=click.Path(exists=True, path_type=Path), help="Tapes, AWS Config files, or folders of them; may be repeated.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), help="Log files side by side [default: processors].")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)  # fmt: skip
def command(
    rules: tuple[Path, ...], logs: tuple[Path, ...], proposed: tuple[Path, ...], tapes: tuple[Path, ...], jobs: int | None,
    form: str,
) -> int:  # fmt: skip
    """Detections on recorded events: how often each matches, by day. Or rules on tapes: what would have opened, when, on how
    many resources, beside what the present version of a rule said.

    Exit 3: a file could not be read, or a rule not loaded."""
    if rules and logs and not (proposed or tapes):
        return _detections(rules, logs, jobs, form)
    if proposed and tapes and not (rules or logs):
        return _rules(proposed, tapes, form)
    raise UserError(
        "backtest: --detections with --cloudtrail, or --rules with --tape (write one pair or the other)"
    )


def _rules(proposed: tuple[Path, ...], tapes: tuple[Path, ...], form: str) -> int:
    from collectors.folder.past import past
    from pipeline.backtest_rules import compare, needed
    from pipeline.report import ascii_json, console, plain
    from pipeline.rulebook import load
    from pipeline.settings import load_settings
    from pipeline.shell import redactor, rulebook_and_options

    settings = load_settings()
    present, options = rulebook_and_options(settings)
    new = load(proposed, builtin=False)
    needed(new, proposed)
    problems: list[str] = []
    found = compare(past(tapes, (), (), redactor(settings), problems.append), present, new, options)
    for problem in problems:
        click.echo(f"not read: {plain(problem)}", err=True)
    if form == "json":
        click.echo(ascii_json({"rules": found, "problems": list(map(plain, problems))}))
    else:
        console(sys.stdout).print(_compared(found))
    return 3 if problems else 0


def _compared(found: dict[str, dict[str, Any]]) -> "Table":
    from pipeline.report import texts

    heads = (
        "rule",
        "opened",
        "resources",
        "first",
        "open at end",
        "unknown",
        "present",
        "more",
        "fewer",
    )
    rows = (
        [id, one["opened"], one["resources"], (one["first"] or "never")[:16], one["open_at_end"], one["unknown_at_end"],
         "none" if one["present"] is None else one["present"]["opened"], one["more"], one["fewer"]]
        for id, one in sorted(found.items(), key=lambda pair: (-pair[1]["opened"], pair[0]))
    )  # fmt: skip
    return texts(heads, rows, right=[name for name in heads if name not in ("rule", "first")])


def _detections(
    rules: tuple[Path, ...], logs: tuple[Path, ...], jobs: int | None, form: str
) -> int:
    from pipeline.backtest import alerts, merged
    from pipeline.detections import load
    from pipeline.report import plain

    found = load(rules)
    for problem in found.problems:
        click.echo(plain(problem), err=True)
    files = list(_files(logs))
    began = time.monotonic()
    total = merged(_read(files, rules, jobs or os.cpu_count() or 1))
    took = time.monotonic() - began
    for problem in total.problems:
        click.echo(plain(problem), err=True)
    counts, days, told = total.counts(), total.days(), alerts(found, total)
    click.echo(
        f"{total.events} events of {len(files)} files in {took:.1f} s ({total.events / max(took, 1e-9):,.0f} a second);"
        f" {sum(counts.values())} hits of {len(counts)} of {len(found.rules)} rules, {sum(told.values())} alerts of"
        f" {len(found.correlations)} correlations", err=True,
    )  # fmt: skip
    if form == "json":
        every = {id: counts.get(id, 0) for id in sorted(found.rules)}
        by_day = {id: dict(sorted(days[id].items())) for id in sorted(days)}
        own = {id: told[id] for id in sorted(found.correlations)}
        click.echo(json.dumps({"events": total.events, "rules": every, "days": by_day, "correlations": own}, indent=2))  # fmt: skip
    else:
        _table(found.rules, counts, days)
        for id, count in sorted(told.items(), key=lambda pair: (-pair[1], pair[0])):
            click.echo(plain(f"{count} alerts: {found.correlations[id].title}"))
    return 3 if total.problems or found.problems else 0


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    missing = [f"--cloudtrail {path}: there is no such file or folder" for path in paths if not path.exists()]  # fmt: skip
    if missing:
        raise UserError(*missing)
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))  # fmt: skip
        else:
            yield path


def _read(files: Sequence[Path], rules: Sequence[Path], jobs: int) -> "Iterator[Hits]":
    from rich.console import Console
    from rich.progress import Progress

    from pipeline.backtest import read, ready

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("log files", total=len(files))
        if min(jobs, len(files)) <= 1:
            ready(rules)
            for path in files:
                yield read(path)
                progress.advance(bar)
            return
        with ProcessPoolExecutor(jobs, initializer=ready, initargs=(rules,)) as pool:
            for hits in pool.map(read, files, chunksize=4):
                yield hits
                progress.advance(bar)


def _table(rules: Any, counts: Counter[str], days: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pipeline.report import plain

    table = Table(box=None, pad_edge=False)
    for head, side in (("hits", "right"), ("days", "right"), ("most a day", "right"), ("level", "left"), ("rule", "left")):  # fmt: skip
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    for id, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        own = days[id]
        title = Text(plain(rules[id].title))
        table.add_row(str(count), str(len(own)), str(max(own.values())), rules[id].level, title)
    Console().print(table)
