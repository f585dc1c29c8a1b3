"""Writes a proposed row into a checkout of this repository: the table, the console page, and the unclaimed operations."""

import re
from importlib.resources import files
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

from driftline.collectors.aws.proposal.row import Proposal
from driftline.collectors.aws.row import kinds
from driftline.pipeline.common.errors import UserError

UNCLAIMED = "tests/collectors/events/unclaimed.yaml"
CONSOLES = "pipeline/providers/aws/consoles.yaml"
REASON = "of a kind of resource, or a setting, that no row reads"
BROAD = 100_000


def checkout() -> Path:
    """The root of the checkout that this runs from. Raises UserError if Driftline is installed without its tests."""
    root = Path(str(files("driftline.collectors.aws"))).resolve().parents[1]
    if not (root / UNCLAIMED).exists():
        raise UserError(
            "`driftline kinds` changes the repository's own files: run it from a checkout",
            fix="git clone, then make venv",
        )
    return root


def write(made: Proposal, root: Path) -> list[Path]:
    """Adds the proposal to three files; returns their paths."""
    table = root / "collectors/aws/kinds" / f"{made.service}.yaml"
    before = table.read_text() if table.exists() else ""
    table.write_text(f"{before}{row_text(made.row)}")
    console = root / CONSOLES
    console.write_text(with_console(console.read_text(), made))
    unclaimed = root / UNCLAIMED
    unclaimed.write_text(with_unclaimed(unclaimed.read_text(), made))
    return [table, console, unclaimed]


def row_text(row: dict[str, Any]) -> str:
    """Formats a row like the tables: one line per key, flow style below."""
    lines = []
    for key, value in row.items():
        if key in ("events", "details"):
            lines += [f"{key}:", *(f"  - {_flow(one)}" for one in value)]
        else:
            lines.append(f"{key}: {_flow(value)}")
    lines[1] += "   # or another of driftline.pipeline.model.CLASSES"
    return "- " + "\n  ".join(lines) + "\n"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=BROAD, allow_unicode=True)  # fmt: skip
    return text.removesuffix("...\n").strip()


def with_console(text: str, made: Proposal) -> str:
    """The file of console pages with the new page, in order."""
    entry = f'  {made.type}:\n    console: "{made.service}/home?region={{region}}"\n'
    head, _, rows = text.partition("\ntypes:\n")
    after = next((found.start() for found in re.finditer(r"^  (AWS::\S+):$", rows, re.MULTILINE) if found[1] > made.type), len(rows))  # fmt: skip
    return f"{head}\ntypes:\n{rows[:after]}{entry}{rows[after:]}"


def with_unclaimed(text: str, made: Proposal) -> str:
    """The file of unclaimed operations, without those that the row claims, and with those of a new service."""
    blocks = re.split(r"^(?=\S+:$)", text, flags=re.MULTILINE)
    known: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    reasons = {why: [one for one in names if one not in made.claimed] for why, names in known.get(made.source, {}).items()}  # fmt: skip
    if not _covered(made):
        reasons.setdefault(REASON, []).extend(made.unclaimed)
    block = _block(made.source, {why: sorted(names) for why, names in reasons.items() if names})
    others = [one for one in blocks[1:] if not one.startswith(f"{made.source}:\n")]
    return blocks[0] + "".join(sorted([*others, block] if block else others))


def _covered(made: Proposal) -> bool:
    """Whether a row already reads the service, so that all its operations are listed."""
    from driftline.collectors.aws.events.claims import SOURCES

    return any(SOURCES.get(kind.service, kind.service) == made.source for kind in kinds().values())


def _block(source: str, reasons: dict[str, list[str]]) -> str:
    lines = []
    for why, names in reasons.items():
        short = f"  {why}: [{', '.join(names)}]"
        if len(short) <= 160:
            lines.append(short)
        else:
            broken = fill(", ".join(names), 120, initial_indent="    ", subsequent_indent="    ", break_long_words=False)  # fmt: skip
            lines += [f"  {why}:", "    [", broken, "    ]"]
    return "\n".join([f"{source}:", *lines, ""]) if lines else ""
