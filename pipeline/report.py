"""What a one-shot evaluation tells: a table for people, JSON and CSV for programs. Pure but for rich's tables."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.model import SEVERITIES, Sweep

EXIT_FAILED, EXIT_UNREAD = 1, 3
COLORS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
COLUMNS = ("severity", "evaluation", "status", "account", "region", "type", "resource", "rule",
           "title", "reason", "cause", "risk", "last_seen", "account_name")  # fmt: skip


FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes a cell for a formula by; the wide forms count too."""


def standing(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that have not ended with their resource or rule."""
    return [finding for finding in findings if not finding["retired"]]


def failing(finding: dict[str, Any]) -> bool:
    """Open and not suppressed: what `--fail-on` looks at."""
    return bool(finding["status"] == "open")


def summary(findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """Counts, for the top of every report."""
    by_severity = Counter(f["rule"]["severity"] for f in findings if failing(f))
    return {
        "findings": len(findings),
        "evaluations": dict(sorted(Counter(f["evaluation"] for f in findings).items())),
        "open": sum(by_severity.values()),
        "open_by_severity": {s: by_severity[s] for s in reversed(SEVERITIES)},
        "suppressed": sum(f["status"] == "suppressed" for f in findings),
        "resources": len({f["resource"]["uid"] for f in findings}),
        "accounts": sorted({f["resource"]["account"] for f in findings}),
        "sweeps": dict(sorted(Counter(s.status for s in sweeps).items())),
    }


def exit_code(
    findings: Iterable[dict[str, Any]], sweeps: Iterable[Sweep], fail_on: str, *, unread: bool
) -> int:
    """1 something at or above `fail_on` fails; 3 nothing does, but something was not read; else 0."""
    least = SEVERITIES.index(fail_on)
    known = True
    for finding in findings:
        if failing(finding) and SEVERITIES.index(finding["rule"]["severity"]) >= least:
            return EXIT_FAILED
        known = known and finding["evaluation"] != "unknown"
    complete = all(sweep.status == "complete" for sweep in sweeps)
    return 0 if known and complete and not unread else EXIT_UNREAD


def as_json(
    findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep], more: dict[str, Any] | None = None
) -> str:
    """One object: summary, coverage (the sweeps), findings (all evaluations)."""
    coverage = [sweep.model_dump(mode="json", exclude_none=True) for sweep in sweeps]
    whole = {"summary": summary(findings, sweeps), "coverage": coverage, "findings": findings}
    return orjson.dumps(whole | (more or {}), option=orjson.OPT_INDENT_2).decode() + "\n"


def letters(dead: Iterable[Any]) -> list[dict[str, Any]]:
    """What could not be processed (Dead), for JSON and the last words; its bytes stay unsaid."""
    return [{"place": letter.place, "reason": letter.reason} for letter in dead]


def plain(text: object) -> str:
    """Text from a cloud, safe to print: control characters (colours, line feeds, bidi) shown as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )


def ascii_json(value: object) -> str:
    """JSON of plain ASCII: no text in it can steer a terminal."""
    return json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f")


def cell(value: object) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    text = plain(value)
    return f"'{text}" if text.lstrip()[:1] in FORMULA else text


def account_name(finding: dict[str, Any]) -> str:
    """The account's name; empty where it is not known."""
    return str((finding["resource"].get("cloud_account") or {}).get("name") or "")


def account(finding: dict[str, Any]) -> str:
    """The account for people: its name, where it is known, and its id."""
    name, id = account_name(finding), str(finding["resource"]["account"])
    return f"{name} ({id})" if name else id


def _row(finding: dict[str, Any]) -> list[object]:
    rule, resource = finding["rule"], finding["resource"]
    return [
        rule["severity"], finding["evaluation"], finding["status"], resource["account"],
        resource["region"], resource["type"], resource["uid"], rule["id"], rule["title"],
        finding["reason"], finding["cause"], finding["risk"]["score"], finding["last_seen"], account_name(finding),
    ]  # fmt: skip


def as_csv(findings: Iterable[dict[str, Any]]) -> str:
    """All evaluations, one line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in _row(finding)] for finding in findings)
    return out.getvalue()


def texts(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> Table:
    """A table of plain texts. Columns that stand to the right, and that never wrap, by their heads."""
    table = Table(box=None, pad_edge=False, header_style="bold")
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
    """As wide as the terminal; wide enough for a line a finding where there is none."""
    return Console(file=out) if out.isatty() else Console(file=out, width=200)


def print_table(
    console: Console, findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep]
) -> None:
    """What fails or is not known, worst first, then the sums, then what was not read."""
    bad = [
        f
        for f in findings
        if failing(f) or (f["evaluation"] == "unknown" and f["status"] != "suppressed")
    ]
    bad.sort(key=lambda f: (-f["risk"]["score"], f["resource"]["uid"], f["rule"]["id"]))
    table = Table(box=None, pad_edge=False, expand=False, header_style="bold")
    for name in ("severity", "risk", "state", "account", "region", "resource", "rule"):
        table.add_column(name, overflow="fold", justify="right" if name == "risk" else "left")
    for f in bad:
        severity, resource = f["rule"]["severity"], f["resource"]
        state = "open" if failing(f) else "unknown"
        if failing(f) and f.get("pending_for"):
            state = f"open (would wait {f['pending_for']} s)"
        cells = [severity, f["risk"]["score"], state, account(f), resource["region"],
                 resource["name"] or resource["uid"], f["rule"]["id"]]  # fmt: skip
        style = COLORS.get(severity, "") if failing(f) else "dim"
        table.add_row(
            *(Text(plain(text), style=style if i == 0 else "") for i, text in enumerate(cells))
        )
    if bad:
        console.print(table)
        console.print()
    _print_sums(console, findings, sweeps)


def _print_sums(
    console: Console, findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep]
) -> None:
    sums = summary(findings, sweeps)
    counts = ", ".join(f"{n} {name}" for name, n in sums["evaluations"].items()) or "none"
    worst = ", ".join(f"{n} {name}" for name, n in sums["open_by_severity"].items() if n) or "none"
    accepted = f"; suppressed: {sums['suppressed']}" if sums["suppressed"] else ""
    console.print(
        f"{sums['resources']} resources in {len(sums['accounts'])} account(s); evaluations: {counts}; open: {worst}{accepted}",
        highlight=False,
    )
    for sweep in sweeps:
        if sweep.status != "complete":
            console.print(
                Text(
                    f"{sweep.status}: {plain(sweep.scope.key)}: {plain(sweep.reason or '')}",
                    style="yellow",
                )
            )
