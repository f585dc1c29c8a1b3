"""`driftline backtest`: runs detections or rules on recorded data."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.collectors.aws.events.record import ChangeReader
    from driftline.collectors.folder.past import Keep, RecordsByTime
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
@click.option("--rules", "proposed", multiple=True, metavar="DIR", type=click.Path(path_type=Path), help="Folder of proposed rules; may be repeated.")  # fmt: skip
@click.option("--tape", "tapes", multiple=True, metavar="PATH", type=PATH, help="Tapes, AWS Config files, or folders of them; may be repeated.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), help="Log files processed in parallel [default: number of processors].")  # fmt: skip
@formats()
def command(
    rules: tuple[Path, ...], builtin: bool, logs: tuple[Path, ...], proposed: tuple[Path, ...], tapes: tuple[Path, ...],
    jobs: int | None, form: str,
) -> int:  # fmt: skip
    """Try detections or rules on recorded data.

    Detections on recorded events and tapes: how often each matches by day, and every alert, as in the stream.
    Or rules on tapes: what would have opened, when, and on how many resources, compared with the current version of
    each rule.

    Exit 3: a file could not be read, or a rule could not be loaded."""
    if (rules or builtin) and (logs or tapes) and not proposed:
        return _detections(rules, logs, tapes, jobs, form, builtin=builtin)
    if proposed and tapes and not (rules or builtin or logs):
        return _rules(proposed, tapes, form)
    raise UserError(
        "--detections (or --builtin) with --cloudtrail or --tape, or --rules with --tape",
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
    rules: tuple[Path, ...], logs: tuple[Path, ...], tapes: tuple[Path, ...], jobs: int | None, form: str, *, builtin: bool
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


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    missing = [f"--cloudtrail {path}: no such file or folder" for path in paths if not path.exists()]  # fmt: skip
    if missing:
        raise UserError(*missing)
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if not p.is_dir() and not p.name.startswith("."))  # fmt: skip
        else:
            yield path


def _gathered(
    files: Sequence[Path], tapes: Sequence[Path], settings: "Settings", content: "Content", looking: "DetectionEngine", jobs: int | None
) -> "RecordsByTime":  # fmt: skip
    """The records of the files. If there are only log files, only the events that detections may match."""
    from rich.console import Console
    from rich.progress import Progress

    from driftline.collectors.folder.past import past, reader_of
    from driftline.pipeline.offline.content import redactor

    own = redactor(settings)
    out = past(tapes, (), (), own, looking.wants_of("aws"))
    reader, asked = (
        reader_of(own, looking.wants_of("aws")),
        None if tapes else looking.wants_of("aws"),
    )
    console = Console(stderr=True)
    jobs = jobs or min(os.cpu_count() or 1, 1 + sum(path.stat().st_size for path in files) // WORTH)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("log files", total=len(files))
        if min(jobs, len(files)) <= 1:
            for path in files:
                out.log(path, reader, asked)
                progress.advance(bar)
            out.follow(reader)
            return out
        given = (settings, content, own, bool(tapes))
        with ProcessPoolExecutor(jobs, initializer=_ready, initargs=given) as pool:
            for found in pool.map(_read, files, chunksize=4):
                out.join(found)
                progress.advance(bar)
    out.follow(reader)
    return out


_own: "list[tuple[ChangeReader, Keep | None]]" = []
"""The reader of a pool process: closures cannot be sent to it."""


def _ready(settings: "Settings", content: "Content", own: "Redactor", whole: bool) -> None:
    from driftline.collectors.folder.past import reader_of
    from driftline.pipeline.offline.content import at_work, detections

    wants = at_work(settings, detections(settings, content[0], builtin=content[1])).wants_of("aws")
    _own[:] = [(reader_of(own, wants), None if whole else wants)]


def _read(path: Path) -> "RecordsByTime":
    from driftline.collectors.folder.past import RecordsByTime

    out = RecordsByTime()
    out.log(path, *_own[0])
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
