"""Formats findings as a table: failures, worst first, with the sentence that says why; then unknown findings grouped
by reason; then totals and incomplete sweeps."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from driftline.pipeline.common.plural import number_of
from driftline.pipeline.model import SEVERITIES, Sweep
from driftline.pipeline.report import totals
from driftline.pipeline.report.query import LEAST
from driftline.pipeline.report.table import bare_table, severity_text, some
from driftline.pipeline.report.totals import account, failing, plain, sentence

SHOWN, SHOWN_REASONS = 3, 5
"""Maximum number of rules and reasons named in a grouped line."""
REASON = 100
"""Maximum number of characters shown of a reason."""


def print_report(
    console: Console, findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep]
) -> None:
    """Prints the result of a scan. `findings` must not include ended ones."""
    print_failing(console, [finding for finding in findings if failing(finding)])
    _print_unknown(console, [finding for finding in findings if _unknown(finding)])
    _print_sums(console, findings, sweeps)
    _print_sweeps(console, [sweep for sweep in sweeps if sweep.status != "complete"])


def print_failing(
    console: Console, findings: Sequence[dict[str, Any]], *, ids: bool = False
) -> None:
    """One row per finding, by severity and risk; rows name the account only if there are several.
    `ids`: include the first characters of the id, with which it can be shown."""
    if not findings:
        return
    order = sorted(
        findings,
        key=lambda f: (
            -SEVERITIES.index(f["rule"]["severity"]),
            -f["risk"]["score"],
            f["resource"]["uid"],
            f["rule"]["id"],
        ),
    )
    several = len({account(finding) for finding in findings}) > 1
    if not several:
        console.print(Text(f"Account {plain(account(findings[0]))}\n", style="bold"))
    table = bare_table()
    table.add_column("severity", no_wrap=True)
    table.add_column("resource", overflow="fold", max_width=max(24, console.width // 3))
    table.add_column("why", overflow="fold")
    for finding in order:
        table.add_row(
            severity_text(finding["rule"]["severity"]),
            _resource(finding["resource"], account(finding) if several else ""),
            _why(finding, finding["id"][:LEAST] if ids else ""),
        )  # fmt: skip
    console.print(table)
    console.print()


def _resource(resource: dict[str, Any], owner: str) -> Text:
    """Its name, with its location on a second line."""
    where = " ".join(part for part in (owner, resource["region"]) if part)
    return Text.assemble(plain(resource["name"] or resource["uid"]), "\n", (plain(where), "dim"))


def _why(finding: dict[str, Any], id: str) -> Text:
    """The sentence, with the rule's id, for `driftline rules show`, and the finding's id on a second line."""
    text = plain(sentence(finding))
    if finding.get("pending_for"):
        text += f" (In the stream it would open after {finding['pending_for']} s.)"
    return Text.assemble(text, "\n", (plain(f"{id} {finding['rule']['id']}".strip()), "dim"))


def _unknown(finding: dict[str, Any]) -> bool:
    return bool(finding["evaluation"] == "unknown" and finding["status"] != "suppressed")


class Reason(NamedTuple):
    """What a group of unknown findings has in common."""

    type: str
    reason: str
    cause: str


def _print_unknown(console: Console, findings: Iterable[dict[str, Any]]) -> None:
    folded: dict[Reason, list[dict[str, Any]]] = defaultdict(list)
    for one in findings:
        folded[Reason(one["resource"]["type"], one["reason"], one["cause"])].append(one)
    if not folded:
        return
    table = bare_table()
    table.add_column("not known", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for reason, ones in sorted(folded.items(), key=lambda item: (-len(item[1]), item[0])):
        rules = sorted({one["rule"]["id"] for one in ones})
        resources = len({one["resource"]["uid"] for one in ones})
        told = ones[0].get("sentence") or f"{reason.type}: {reason.cause or reason.reason}"
        below = f"{reason.type}, {number_of(resources, 'resource')}; {some(rules, SHOWN)}"
        table.add_row(str(len(ones)), Text.assemble(plain(told), "\n", (plain(below), "dim")))
    console.print(table)
    console.print()


def _print_sums(
    console: Console, findings: Sequence[dict[str, Any]], sweeps: Sequence[Sweep]
) -> None:
    sums = totals.summary(findings, sweeps)
    counts = ", ".join(f"{n} {name}" for name, n in sums["evaluations"].items()) or "none"
    worst = ", ".join(f"{n} {name}" for name, n in sums["open_by_severity"].items() if n) or "none"
    of = f"{number_of(sums['resources'], 'resource')} in {number_of(len(sums['accounts']), 'account')}"
    console.print(f"{of}. Verdicts: {counts}.", highlight=False)
    accepted = f" Suppressed: {sums['suppressed']}." if sums["suppressed"] else ""
    console.print(f"Open: {worst}.{accepted}", highlight=False)


def _print_sweeps(console: Console, sweeps: Sequence[Sweep]) -> None:
    """Incomplete sweeps: the calls that were denied, and the reasons of the others."""
    if not sweeps:
        return
    lines = {status: _reasons(status, sweeps) for status in sorted({one.status for one in sweeps})}
    head = f"\nNot read completely: {number_of(len(sweeps), 'scope')} (--format json lists all)"
    console.print(Text(head, style="yellow"))
    for status, reasons in lines.items():
        console.print(Text(f"  {status}: {some(reasons, SHOWN_REASONS)}"))
    if "denied" in lines:
        console.print("  Required permissions: driftline permissions aws", highlight=False)


def _reasons(status: str, sweeps: Iterable[Sweep]) -> list[str]:
    """Why sweeps ended with a status, in a few words each. The JSON has the full error texts."""
    texts = {" ".join(plain(one.reason or "").split()) for one in sweeps if one.status == status}
    words = 1 if status == "denied" else 2  # the call; else also its error's code
    short = {": ".join(text.split(": ")[:words]).removesuffix(":") for text in texts}
    return sorted(text if len(text) <= REASON else f"{text[:REASON]}…" for text in short)
