"""The output of the demo: a live view on a terminal, plain lines elsewhere; then a table."""

import json
import platform
import time
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from driftline.pipeline.demo.stage import Check, Stage
from driftline.pipeline.demo.steps import Play, Step, steps
from driftline.pipeline.demo.truth import latency
from driftline.pipeline.demo.view import TRANSITIONS, processed
from driftline.pipeline.local.packages import ELASTICSEARCH, KAFKA
from driftline.pipeline.report.table import COLORS
from driftline.pipeline.report.totals import plain

LOOK_EVERY = 1.0
DRAW_EVERY = 0.2
LAST = 5
WINDOW = 5
"""Number of samples for a rate."""
NAME = 22
SHOWN = ("critical", "high", "medium", "low")


class Rate:
    """What workers have processed, from their counters, which restart at zero with a worker."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self.total = 0.0
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW + 1)

    def add(self, now: float, counters: dict[str, float]) -> None:
        for name, count in counters.items():
            last = self._last.get(name, 0.0)
            self.total += count - last if count >= last else count
            self._last[name] = count
        self._points.append((now, self.total))

    @property
    def per_second(self) -> float:
        (began, first), (now, last) = (self._points[0], self._points[-1]) if self._points else ((0, 0), (0, 0))  # fmt: skip
        return (last - first) / (now - began) if now > began else 0.0


class Show:
    """Watches a stage; `watch` is called continuously, and updates the view at intervals."""

    def __init__(self, stage: Stage, console: Console, check: Check, began: float) -> None:
        self.stage, self.console, self.check, self.began = stage, console, check, began
        self.steps = steps()
        self.error = ""
        self.rate, self.counts = Rate(), dict[str, int]()
        self.last: list[dict[str, Any]] = []
        self._live: Live | None = None
        self._looked = self._drawn = self._step_began = 0.0

    def watch(self, what: str) -> None:
        """Raises what `check` raises, and RuntimeError if a program has died."""
        self.check(what)
        if died := self.stage.died():
            raise RuntimeError(died)
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY:
            self._looked = now
            self._look(now)
        if self._live is not None and now - self._drawn > DRAW_EVERY:
            self._drawn = now
            for step in self.steps:
                if step.seconds is not None and not step.seen:
                    step.seconds = now - self._step_began
            self._live.update(self.view(what), refresh=True)

    def _look(self, now: float) -> None:
        counters = {name: processed(port) for name, port in self.stage.ports.items()}
        self.rate.add(now, {name: count for name, count in counters.items() if count is not None})
        if not self.stage.elastic_rests:
            self.counts = self.stage.view.open_by_severity() or self.counts
            self.last = self.stage.view.history(*TRANSITIONS, newest=LAST) or self.last

    def view(self, what: str) -> Group:
        """The complete view; fits 80 columns and 24 lines."""
        head = Text.assemble(
            ("Driftline demo", "bold"), f"  {time.monotonic() - self.began:.0f} s  {self.stage.resources} resources,"
            " 3 accounts, 2 regions", no_wrap=True, overflow="ellipsis")  # fmt: skip
        now = Text("now  ", style="bold", no_wrap=True, overflow="ellipsis")
        now.append(
            f"{self.rate.per_second:.0f} records/s, {self.rate.total:.0f} in total; open: ", ""
        )
        now.append_text(severities(self.counts))
        return Group(head, "", table(self.steps, what), "", now, "", transitions(self.last))

    def play(self) -> bool:
        """Runs every step; returns whether all were seen."""
        if not self.console.is_terminal:
            return self._play()
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            return self._play()

    def _play(self) -> bool:
        play = Play(self.stage, self.watch)
        try:
            for step in play.play(self.steps):
                self._step_began = time.monotonic() - (step.seconds or 0.0)
                if self._live is None and step.detail:
                    self.console.print(line(step), highlight=False, soft_wrap=True)
        finally:
            play.sweeps.close()
        return all(step.seen for step in self.steps)

    def save(self, path: Path, ok: bool, seconds: float) -> None:
        """The results as JSON, with versions."""
        late = [late for source in self.stage.view.history("opened", "fixed", "reopened")
                if (late := latency(source)) is not None]  # fmt: skip
        about: dict[str, Any] = {
            "ok": ok,
            "error": self.error or None,
            "seconds": round(seconds, 1),
            "resources": self.stage.resources,
            "records": int(self.rate.total),
            "latency": {"transitions": len(late), "median": median(late), "most": max(late)} if late else None,
            "steps": [step.as_dict() for step in self.steps],
            "versions": {
                "kafka": KAFKA, "elasticsearch": ELASTICSEARCH, "python": platform.python_version(),
                **{name: version(name) for name in ("driftline", "faust-streaming", "confluent-kafka", "elasticsearch", "moto")},
            },
        }  # fmt: skip
        path.write_text(json.dumps(about, indent=2) + "\n")


def line(step: Step) -> str:
    """A finished step as a line of text."""
    mark = "seen" if step.seen else "NOT SEEN" if step.run else "not run"
    return f"{mark:<9}{step.seconds or 0:5.1f} s  {step.name:<22} {plain(step.detail if step.seen else first(step.detail))}"


def cell(text: str, style: str = "") -> Text:
    """Text of any length and origin, made to fit one line."""
    return Text(plain(text), style=style, no_wrap=True, overflow="ellipsis")


def grid(names: Sequence[str], right: str, gives: int) -> Table:
    """A table without borders, in which only column `gives` may be narrower than its cells."""
    out = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(names):
        out.add_column(name, justify="right" if name == right else "left", no_wrap=number != gives)
    return out


def table(steps: Sequence[Step], what: str = "") -> Table:
    """The steps; `what` is what the current one waits for. Nothing wraps."""
    out = grid(("step", "", "seconds", ""), "seconds", 3)
    for step in steps:
        began = step.run
        if step.seen:
            mark, detail = Text("seen", style="green"), cell(step.detail)
        elif not began:
            mark, detail = Text("" if what else "not run", style="dim"), Text("")
        elif what:
            mark, detail = Text("…", style="yellow"), cell(f"waiting for: {what}", "italic")
        else:
            mark, detail = Text("NOT SEEN", style="bold red"), cell(first(step.detail))
        seconds = f"{step.seconds:.1f}" if step.seconds is not None else ""
        out.add_row(Text(step.name, style="" if began else "dim"), mark, seconds, detail)
    return out


def short(name: str) -> str:
    """A name, shortened to leave room for other columns."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def first(text: str) -> str:
    """The first line of an explanation."""
    return text.split("\n")[0].split(";")[0]


def severities(counts: dict[str, int]) -> Text:
    """Open findings, worst first."""
    text = Text()
    for severity in SHOWN:
        text.append(f"{counts.get(severity, 0)} {severity} ", style=COLORS[severity])
    return text


def transitions(last: Sequence[dict[str, Any]]) -> Table:
    """The latest transitions, newest first, each with the seconds from its reading to Elasticsearch."""
    out = grid(("last transitions", "", "resource", "rule", "latency"), "latency", 3)
    for source in last:
        severity, late = source["driftline"]["severity"], latency(source)
        out.add_row(
            cell(source["driftline"]["reason"]), cell(severity, COLORS.get(severity, "")),
            cell(short(source["resource"]["name"])), cell(source["rule"]["id"].removeprefix("aws-")),
            "" if late is None else f"{late:.1f} s",
        )  # fmt: skip
    return out
