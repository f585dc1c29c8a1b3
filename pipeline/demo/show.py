"""The demo as it is watched: a live view on a terminal, plain lines elsewhere; then a table."""

import json
import platform
import time
from collections import deque
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.demo.stage import ALIAS, HISTORY, Stage
from pipeline.demo.steps import Play, Step
from pipeline.local.packages import ELASTICSEARCH, KAFKA
from pipeline.report import COLORS, plain

LOOK_EVERY = 1.0


class Show:
    """Watches a stage; `watch` is called all the time and looks now and then."""

    def __init__(self, stage: Stage, console: Console, deadline: float) -> None:
        self.stage, self.console, self.deadline = stage, console, deadline
        self.steps: list[Step] = []
        self.live: Live | None = None
        self._looked, self._counts = 0.0, dict[str, int]()
        self._last: deque[str] = deque(maxlen=6)
        self._rate, self._before = 0.0, (time.monotonic(), 0)

    def watch(self, what: str) -> None:
        """Raises TimeoutError when time is up, RuntimeError when a program has died."""
        if died := self.stage.died():
            raise RuntimeError(died)
        now = time.monotonic()
        if now > self.deadline:
            raise TimeoutError(f"not seen in time: {what}")
        if now - self._looked > LOOK_EVERY:
            self._looked = now
            self._look()
            if self.live is not None:
                self.live.update(self._view(what))

    def _look(self) -> None:
        found = self.stage.get(f"{ALIAS}/_search", {
            "size": 0, "query": {"term": {"driftline.status": "open"}},
            "aggs": {"s": {"terms": {"field": "driftline.severity"}}}})  # fmt: skip
        for bucket in found.get("aggregations", {}).get("s", {}).get("buckets", []):
            self._counts[bucket["key"]] = bucket["doc_count"]
        told = self.stage.get(f"{HISTORY}/_search", {
            "size": 6, "sort": [{"event.ingested": "desc"}], "track_total_hits": True,
            "query": {"terms": {"driftline.reason": ["opened", "fixed", "reopened", "resource_deleted", "unread"]}}})  # fmt: skip
        total = told.get("hits", {}).get("total", {}).get("value", 0)
        now = time.monotonic()
        self._rate = max(0.0, (total - self._before[1]) / max(0.1, now - self._before[0]))
        self._before = (now, total)
        self._last.clear()
        for hit in told.get("hits", {}).get("hits", []):
            source = hit["_source"]
            line = f"{source['driftline']['reason']:<17}{source['driftline']['severity']:<9}{source['resource']['name']}  {source['rule']['id']}"
            self._last.append(plain(line))

    def _view(self, what: str) -> Group:
        sums = Text("open: ")
        for severity in ("critical", "high", "medium", "low"):
            sums.append(f"{self._counts.get(severity, 0)} {severity}  ", style=COLORS[severity])
        sums.append(f"  transitions a second: {self._rate:.1f}")
        lines = [Text(line, style="dim") for line in self._last]
        return Group(self.table(), Text(f"waiting for: {what}", style="italic"), sums, *lines)

    def table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("step", "", "seconds", ""):
            table.add_column(name, justify="right" if name == "seconds" else "left")
        for step in self.steps:
            mark = Text("seen", style="green") if step.seen else Text("NOT SEEN", style="bold red")
            table.add_row(step.name, mark, f"{step.seconds:.1f}", step.detail)
        return table

    def play(self, expected: int) -> bool:
        """Runs every step; whether all were seen."""
        with (
            Live(console=self.console, refresh_per_second=4, transient=True)
            if self.console.is_terminal
            else _NoLive() as live
        ):
            self.live = live if isinstance(live, Live) else None
            for step in Play(self.stage, self.watch).steps():
                self.steps.append(step)
                if self.live is None:
                    mark = "seen" if step.seen else "NOT SEEN"
                    self.console.print(
                        f"{mark:<9}{step.seconds:6.1f} s  {step.name}: {step.detail}",
                        highlight=False,
                    )
        return len(self.steps) == expected and all(step.seen for step in self.steps)

    def save(self, path: Path, ok: bool, seconds: float) -> None:
        about: dict[str, Any] = {
            "ok": ok,
            "seconds": round(seconds, 1),
            "resources": self.stage.resources,
            "steps": [step.as_dict() for step in self.steps],
            "versions": {
                "kafka": KAFKA, "elasticsearch": ELASTICSEARCH, "python": platform.python_version(),
                **{name: version(name) for name in ("driftline", "faust-streaming", "confluent-kafka", "elasticsearch", "moto")},
            },
        }  # fmt: skip
        path.write_text(json.dumps(about, indent=2) + "\n")


class _NoLive:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
