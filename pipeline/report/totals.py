"""Machine-readable output of a one-shot evaluation: totals, exit code, JSON and CSV. Pure. For tables see driftline.pipeline.report.findings."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from driftline.pipeline.common.exit_codes import EXIT_FAILED, EXIT_UNREAD
from driftline.pipeline.model import SEVERITIES, Sweep

COLUMNS = ("sentence", "severity", "evaluation", "status", "account", "region", "type", "resource", "rule",
           "title", "reason", "cause", "risk", "last_seen", "account_name", "resource_name", "first_seen", "frameworks",
           "remediation_console", "remediation_cli", "remediation_terraform", "finding", "owner", "owner_found_by")  # fmt: skip


FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that make a spreadsheet treat a cell as a formula, including full-width forms."""


def standing(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings that have not ended with their resource or rule."""
    return [finding for finding in findings if not finding["retired"]]


def failing(finding: Mapping[str, Any]) -> bool:
    """Open findings that are not suppressed, which `--fail-on` considers."""
    return bool(finding["status"] == "open")


def summary(findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """Counts for the summary of reports."""
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
    """1: a finding at or above `fail_on` is open; 3: none is, but something was not read; else 0."""
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
    """Records that could not be processed (Dead), for JSON and messages, without their bytes."""
    return [{"place": letter.place, "reason": letter.reason} for letter in dead]


def plain(text: object) -> str:
    """Text from a cloud, made safe to print: control characters (colours, line feeds, bidi) are escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )


def ascii_json(value: object) -> str:
    """JSON in ASCII, so that no text in it can control a terminal."""
    return json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f")


def cell(value: object) -> str:
    """A CSV cell that no spreadsheet treats as a formula."""
    text = plain(value)
    return f"'{text}" if text.lstrip()[:1] in FORMULA else text


def account_name(finding: Mapping[str, Any]) -> str:
    """The account's name; empty if it is not known."""
    return str((finding["resource"].get("cloud_account") or {}).get("name") or "")


def account(finding: Mapping[str, Any]) -> str:
    """The account's name, if known, and its id."""
    name, id = account_name(finding), str(finding["resource"]["account"])
    return f"{name} ({id})" if name else id


def owner(finding: Mapping[str, Any]) -> str:
    """The owner for people, with how it was found; empty where there is none."""
    one = finding.get("owner") or {}
    if one.get("id"):
        return f"{one['id']} ({one['found_by']})"
    return f"not known ({one['found_by']})" if one else ""


def controls(rule: Mapping[str, Any]) -> list[str]:
    """The controls covered by a finding's rule: `fsbp:EC2.51`."""
    return sorted(f"{name}:{id}" for name, ids in rule.get("frameworks", {}).items() for id in ids)


def sentence(finding: Mapping[str, Any]) -> str:
    """The finding's sentence; for findings written before sentences existed, its evaluation and the rule's title."""
    return str(finding.get("sentence") or f"{finding['evaluation']}: {finding['rule']['title']}")


def _row(finding: dict[str, Any]) -> list[object]:
    rule, resource, remediation = finding["rule"], finding["resource"], finding["remediation"]
    return [
        sentence(finding), rule["severity"], finding["evaluation"], finding["status"], resource["account"],
        resource["region"], resource["type"], resource["uid"], rule["id"], rule["title"],
        finding["reason"], finding["cause"], finding["risk"]["score"], finding["last_seen"], account_name(finding),
        resource["name"], finding["first_seen"], " ".join(controls(rule)),
        *(remediation.get(way, "") for way in ("console", "cli", "terraform")), finding["id"],
        *((finding.get("owner") or {}).get(name, "") for name in ("id", "found_by")),
    ]  # fmt: skip


def as_csv(findings: Iterable[dict[str, Any]]) -> str:
    """All evaluations, one line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in _row(finding)] for finding in findings)
    return out.getvalue()
