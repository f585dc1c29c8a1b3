"""`make bench`: everything measured in one sitting; prints a table and writes bench.json.

`python -m tests.bench micro stream` runs only some. Figures are of this machine, now: compare ratios."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

WHAT = (
    "micro",
    "rules",
    "scan",
    "stream",
    "sink",
    "latency",
    "events",
    "foreign",
    "correlate",
    "restatement",
    "scale",
    "breath",
)
OUT = Path("bench.json")
WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "ratio_raw": (lambda x: x >= 0.5, "≥ 0.5"),
    "ratio_quix": (lambda x: x >= 1.0, "≥ 1.0"),
    "unchanged_us": (lambda x: x < 30, "< 30"),
    "rules_us": (lambda x: x < 100, "< 100"),
    "event_p99_ms": (lambda x: x < 1000, "< 1000"),
    "sink_ratio": (lambda x: x >= 0.9, "≥ 0.9"),
    "foreign_us": (lambda x: x <= 2, "≤ 2"),
    "scan_s": (lambda x: x <= 20, "≤ 20"),
    "scan_mb": (lambda x: x <= 370, "≤ 370"),
}


def main(chosen: list[str]) -> int:
    if unknown := [name for name in chosen if name not in WHAT]:
        print(f"no such bench: {', '.join(unknown)} (there are: {', '.join(WHAT)})", file=sys.stderr)  # fmt: skip
        return 2
    found: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count(),
                    "load_before": os.getloadavg()[0]},
    }  # fmt: skip
    began = time.monotonic()
    for name in chosen or WHAT:
        start = time.monotonic()
        print(f"{name} …", flush=True)
        found[name] = import_module(f"tests.bench.{name}").run()
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    found |= _lines(found)
    found["seconds"] = round(time.monotonic() - began)
    OUT.write_text(json.dumps(found, indent=2) + "\n")
    _table(found)
    return 0


def _lines(found: dict[str, Any]) -> dict[str, Any]:
    """The figures that others look for, at the top."""
    out: dict[str, Any] = {}
    for part, names in {
        "micro": ("unchanged_us", "changed_us", "rules_us"),
        "foreign": ("foreign_us",),
        "scan": ("scan_s", "scan_mb"),
        "stream": ("worker_per_s", "ratio_raw", "ratio_lean", "ratio_quix"),
    }.items():
        out |= {name: found[part][name] for name in names if name in found.get(part, {})}
    if "events" in found:
        out |= {
            "event_p50_ms": found["events"]["p50_ms"],
            "event_p99_ms": found["events"]["p99_ms"],
        }
        out["events_per_s"] = found["events"]["core_events_per_s"]
    if "sink" in found:
        out["sink_ratio"] = found["sink"]["ratio"]
    return out


def _scan(scan: dict[str, Any]) -> None:
    print(f"scan of {scan['resources']} resources: {scan['calls']} calls, {scan['calls_a_resource']:.2f} a resource; the simulated"
          f" AWS answers {scan['ceiling_calls_per_s']:.0f} plain calls a second")  # fmt: skip
    for how, told in scan["troubled"].items():
        print(f"  {how}: {told['seconds']:.0f} s, {told['resources']} resources, sweeps {told['sweeps']}")  # fmt: skip
    for size, told in scan["many"].items():
        print(f"  {size:,} queues, answered in the process: {told['per_s']:.0f} a second, {told['memory_mb']:.0f} MB")  # fmt: skip


def _table(found: dict[str, Any]) -> None:
    for name, value in _lines(found).items():
        good, wanted = WANTED.get(name, (None, ""))
        mark = "" if good is None else "  reached" if good(value) else "  MISSED"
        print(f"{name:<16}{value:>12,.2f}  {wanted:<8}{mark}")
    if "rules" in found:
        told = ", ".join(f"{rule} {us:.0f}" for rule, us in found["rules"]["dearest"].items())
        print(f"{found['rules']['rules']} rules, µs alone: median {found['rules']['median_us']:.0f}; dearest: {told}")  # fmt: skip
    if "scan" in found:
        _scan(found["scan"])
    if "latency" in found:
        for way in ("idle", "busy"):
            told = found["latency"][way]
            print(f"change → finding, {way}: p50 {told['p50_ms']:.0f} ms, p99 {told['p99_ms']:.0f} ms")  # fmt: skip
    if "scale" in found:
        scale = found["scale"]
        by = ", ".join(f"{n:,}: {us:.1f} µs" for n, us in scale["unchanged_us_by_resources"].items())  # fmt: skip
        print(f"an unchanged reading by resources known: {by}")
        print(f"{scale['resources']:,} resources known again: from Kafka {scale['from_kafka_s']:.0f} s, from disk"
              f" {scale['from_disk_s']:.0f} s; {scale['memory_mb']:.0f} MB of memory, {scale['disk_mb']:.0f} MB of disk")  # fmt: skip
    print(f"{found['seconds']} s in all; written to {OUT}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
