"""`driftline backtest`: runs detections or rules on recorded data."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.cli._providers import EVENTS, event_files
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.collectors.folder.formats import LogReader
    from driftline.collectors.folder.past import EventFiles, Keep, RecordsByTime
    from driftline.collectors.redact import Redactor
    from driftline.pipeline.detections import DetectionSet
    from driftline.pipeline.detections.engine import DetectionEngine
    from driftline.pipeline.settings.blocks import Settings

Content = tuple[tuple[Path, ...], bool]
"""Folders of detections, and whether to include the built-in ones."""
WORTH = 100_000_000
"""Bytes of log files per additional process, which takes seconds to start."""
PATH = click.Path(exists=True, path_type=Path)


@click.command(name="backtest")
@click.option(
    "--detections", "rules", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Sigma rules; may be repeated.",
)  # fmt: skip
@click.option("--builtin/--no-builtin", "builtin", default=False, show_default=True, help="Whether to include the built-in detections.")  # fmt: skip
@click.option(
    "--cloudtrail", "logs", multiple=True, metavar="PATH", type=click.Path(path_type=Path),
    help="CloudTrail log files (gzip or not), NDJSON, or folders of them; may be repeated.",
)  # fmt: skip
@EVENTS
@click.option("--rules", "proposed", multiple=True, metavar="DIR", type=click.Path(path_type=Path), help="Folder of proposed rules; may be repeated.")  # fmt: skip
@click.option("--tape", "tapes", multiple=True, metavar="PATH", type=PATH, help="Tapes, AWS Config files, or folders of them; may be repeated.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), help="Log files processed in parallel [default: number of processors].")  # fmt: skip
@formats()
def command(
    rules: tuple[Path, ...], builtin: bool, logs: tuple[Path, ...], events: "Sequence[EventFiles]", proposed: tuple[Path, ...],
    tapes: tuple[Path, ...], jobs: int | None, form: str,
) -> int:  # fmt: skip
    """Try detections or rules on recorded data.

    Detections on recorded events and tapes: how often each matches by day, and every alert, as in the stream.
    Or rules on tapes: what would have opened, when, and on how many resources, compared with the current version of
    each rule.

    Exit 3: a file could not be read, or a rule could not be loaded."""
    if (rules or builtin) and (logs or events or tapes) and not proposed:
        every = event_files(_there(logs), events)
        return _detections(rules, every, tapes, jobs, form, builtin=builtin)
    if proposed and tapes and not (rules or builtin or logs or events):
        return _rules(proposed, tapes, form)
    raise UserError(
        "--detections (or --builtin) with --events, --cloudtrail or --tape, or --rules with --tape",
        fix="use one of these combinations",
        place="backtest",
    )


def _rules(proposed: tuple[Path, ...], tapes: tuple[Path, ...], form: str) -> int:
    from driftline.collectors.folder.past import past
    from driftline.pipeline.offline.content import redactor, rulebook_and_options
    from driftline.pipeline.offline.rule_backtest import compare, needed
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json, plain
    from driftline.pipeline.rulebook import load
    from driftline.pipeline.settings.blocks import load_settings

    settings = load_settings()
    present, options = rulebook_and_options(settings)
    new = load(proposed, builtin=False)
    needed(new, proposed)
    gathered = past(tapes, (), (), redactor(settings))
    problems, found = gathered.problems, compare(gathered, present, new, options)
    for problem in problems:
        click.echo(f"not read: {plain(problem)}", err=True)
    if form == "json":
        click.echo(ascii_json({"rules": found, "problems": list(map(plain, problems))}))
    else:
        console(sys.stdout).print(_compared(found))
    return 3 if problems else 0


def _compared(found: dict[str, dict[str, Any]]) -> "Table":
    from driftline.pipeline.report.table import texts

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
    rules: tuple[Path, ...], logs: "Sequence[EventFiles]", tapes: tuple[Path, ...], jobs: int | None, form: str, *, builtin: bool
) -> int:  # fmt: skip
    import driftline.collectors.folder.past  # noqa: F401 - what takes long to import is not what is measured
    from driftline.pipeline.offline.content import at_work, detections, rulebook_and_options
    from driftline.pipeline.offline.detection_backtest import Tally
    from driftline.pipeline.offline.fold import Fold
    from driftline.pipeline.report.alerts import standing
    from driftline.pipeline.report.totals import ascii_json, letters, plain
    from driftline.pipeline.rulebook import load
    from driftline.pipeline.settings.blocks import load_settings

    settings, tally = load_settings(), Tally()
    found = detections(settings, rules, builtin=builtin)
    if not (found.rules or found.problems):
        named = ", ".join(map(str, rules))
        raise UserError(
            "contains no Sigma rules",
            fix="name another folder, or add --builtin",
            place=f"--detections {named}",
        )
    looking = at_work(settings, found)
    looking.matched = tally.hit
    judging = rulebook_and_options(settings) if tapes else (load((), builtin=False), None)
    fold = Fold(*judging, watch=looking, lateness=int(settings.correlate.lateness * 1e6))
    files = list(_files(logs))
    began = time.monotonic()
    past = _gathered(files, tapes, settings, (rules, builtin), looking, jobs)
    fold.take(past, ticks=past.ticks)
    still = fold.end(past.last)
    took = time.monotonic() - began
    problems = [*found.problems, *past.problems, *(one["reason"] for one in letters(fold.dead))]
    for problem in problems:
        click.echo(plain(problem), err=True)
    counts, days, alerts = tally.counts(), tally.days(), fold.told_alerts()
    told = Counter(one["rule"] for one in standing(alerts))
    events = len(past.events)
    click.echo(
        f"{number_of(events, 'event')} of {number_of(len(files), 'file')} in {took:.1f} s ({events / max(took, 1e-9):,.0f} a second);"
        f" {number_of(sum(counts.values()), 'hit')} of {len(counts)} of {len(found.rules)} rules; {number_of(sum(told.values()), 'alert')}", err=True,
    )  # fmt: skip
    reads = tally.reads()
    if reads:
        click.echo(
            f"{number_of(sum(reads.values()), 'hit')} of {number_of(len(reads), 'rule')} are on read-only calls or data events, which must"
            " be forwarded (deploy/aws: read_events, data_event_objects)", err=True,
        )  # fmt: skip
    if form == "json":
        click.echo(ascii_json({
            "events": events, "rules": {id: counts[id] for id in sorted(found.rules)},
            "of_reads": dict(sorted(reads.items())),
            "days": {id: dict(sorted(days[id].items())) for id in sorted(days)},
            "correlations": {id: told[id] for id in sorted(found.correlations)},
            "alerts": alerts, "open_at_end": {"alerts": still}, "problems": list(map(plain, problems)),
        }))  # fmt: skip
    else:
        _print(found, counts, days, alerts, still)
    if not (past.events or past.records):
        click.echo("nothing was evaluated: the files contain no records", err=True)
        return 3
    return 3 if problems else 0


def _there(paths: Sequence[Path]) -> Sequence[Path]:
    missing = [f"--cloudtrail {path}: no such file or folder" for path in paths if not path.exists()]  # fmt: skip
    if missing:
        raise UserError(*missing)
    return paths


def _files(named: "Sequence[EventFiles]") -> "Iterator[EventFiles]":
    """Each file, folders opened."""
    for one in named:
        if one.path.is_dir():
            inside = (p for p in one.path.rglob("*") if not p.is_dir() and not p.name.startswith("."))  # fmt: skip
            yield from (one._replace(path=path) for path in sorted(inside))
        else:
            yield one


def _gathered(
    files: "Sequence[EventFiles]", tapes: Sequence[Path], settings: "Settings", content: "Content", looking: "DetectionEngine", jobs: int | None
) -> "RecordsByTime":  # fmt: skip
    """The records of the files. If there are only log files, only the events that detections may match."""
    from rich.console import Console
    from rich.progress import Progress

    from driftline.collectors.folder.past import past
    from driftline.pipeline.offline.content import redactor

    own = redactor(settings)
    out = past(tapes, (), (), own)
    readers = _readers(own, looking, (one.provider for one in files), whole=bool(tapes))
    console = Console(stderr=True)
    jobs = jobs or min(
        os.cpu_count() or 1, 1 + sum(one.path.stat().st_size for one in files) // WORTH
    )
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("log files", total=len(files))
        if min(jobs, len(files)) <= 1:
            for one in files:
                out.log(one.path, *readers[one.provider])
                progress.advance(bar)
            return _followed(out, readers)
        providers = sorted(readers)
        given = (settings, content, own, providers, bool(tapes))
        with ProcessPoolExecutor(jobs, initializer=_ready, initargs=given) as pool:
            for found in pool.map(_read, files, chunksize=4):
                out.join(found)
                progress.advance(bar)
    return _followed(out, readers)


Readers = dict[str, "tuple[LogReader, Keep | None]"]
"""By provider: what reads its files, and which events are asked for; None: all."""
_own: Readers = {}
"""Of a pool process: closures cannot be sent to it."""


def _readers(
    own: "Redactor", looking: "DetectionEngine", providers: Iterable[str], *, whole: bool
) -> Readers:
    from driftline.collectors.folder.past import reader_of

    out: Readers = {}
    for provider in dict.fromkeys(providers):
        wants = looking.wants_of(provider)
        out[provider] = (reader_of(provider, own, wants), None if whole else wants)
    return out


def _followed(out: "RecordsByTime", readers: Readers) -> "RecordsByTime":
    for reader, _ in readers.values():
        out.follow(reader)
    return out


def _ready(
    settings: "Settings", content: "Content", own: "Redactor", providers: list[str], whole: bool
) -> None:
    from driftline.pipeline.offline.content import at_work, detections

    looking = at_work(settings, detections(settings, content[0], builtin=content[1]))
    _own.clear()
    _own.update(_readers(own, looking, providers, whole=whole))


def _read(one: "EventFiles") -> "RecordsByTime":
    from driftline.collectors.folder.past import RecordsByTime

    out = RecordsByTime()
    out.log(one.path, *_own[one.provider])
    return out


def _print(
    found: "DetectionSet", counts: Counter[str], days: Mapping[str, Counter[str]], alerts: Sequence[Mapping[str, Any]],
    still: Sequence[str],
) -> None:  # fmt: skip
    from driftline.pipeline.report.alerts import print_alerts
    from driftline.pipeline.report.table import console, texts

    out = console(sys.stdout)
    rows = (
        [count, len(days[id]), max(days[id].values()), found.rules[id].level, found.rules[id].title]
        for id, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    heads = ("hits", "days", "most a day", "level", "rule")
    out.print(texts(heads, rows, right=heads[:3]))
    click.echo()
    print_alerts(out, alerts, still)
