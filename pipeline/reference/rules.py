"""docs/rules.md and docs/frameworks.md: from the rule files and the frameworks' catalogues."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

import yaml

from pipeline.model.finding import SEVERITIES
from pipeline.reference import anchor, code, codes, page, table
from pipeline.rulebook import Rule, load


@cache
def frameworks() -> dict[str, dict[str, Any]]:
    """The catalogues by id."""
    folder = files("rules") / "frameworks"
    texts = [f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".yaml")]
    return {one["id"]: one for one in sorted(map(yaml.safe_load, texts), key=lambda one: one["id"])}


def pages() -> Iterator[tuple[str, str]]:
    """Both pages, of the rules that come with Driftline."""
    rules = load().rules
    yield "docs/rules.md", rules_page(rules)
    yield "docs/frameworks.md", frameworks_page(rules, frameworks())


def rules_page(rules: Sequence[Rule]) -> str:
    """Every rule, by section; the worst first."""
    ordered = sorted(
        rules, key=lambda r: (r.file.section, -SEVERITIES.index(r.file.severity), r.id)
    )
    blocks = [_overview(ordered)]
    for section, some in groupby(ordered, key=lambda rule: rule.file.section):
        blocks.append("\n\n".join([f"## {section}", *map(_rule, some)]))
    intro = (
        f"{len(rules)} rules. `driftline rules show ID` prints one whole, with its condition, its examples and its "
        "Terraform; [types.md](types.md) lists the parts that rules need, [frameworks.md](frameworks.md) the controls."
    )
    return page("Rules", "rules/", intro, *blocks)


def _overview(rules: Sequence[Rule]) -> str:
    rows = [[f"[{rule.id}]({anchor(rule.id)})", rule.file.severity, code(rule.type), rule.file.title] for rule in rules]  # fmt: skip
    return table(["rule", "severity", "type", "title"], rows)


def _rule(rule: Rule) -> str:
    file = rule.file
    waits = [("must fail for", file.for_), ("keeps firing for", file.keep_firing_for)]
    facts = [
        f"severity **{file.severity}**", f"type {code(file.type)}", f"version {file.version}", f"needs {codes(file.needs)}",
        *(f"{name} {value}" for name, value in waits if value != "0s"),
    ]  # fmt: skip
    if file.params:
        facts.append(
            "parameters " + codes(f"{name}: {value}" for name, value in file.params.items())
        )
    maps = "; ".join(
        f"{id} {', '.join(controls)}" for id, controls in sorted(file.frameworks.items())
    )
    lines = [f"### {rule.id}", f"**{file.title}.**" if file.title[-1] not in ".!?" else f"**{file.title}**",
             " · ".join(facts), file.why.strip()]  # fmt: skip
    mend = file.remediation
    lines += [f"Mend it: {mend.console.strip()}"] if mend.console.strip() else []
    lines += [f"```\n{mend.cli.strip()}\n```"] if mend.cli.strip() else []
    return "\n\n".join([*lines, f"Controls: {maps}" if maps else ""]).rstrip()


def frameworks_page(rules: Sequence[Rule], catalogues: Mapping[str, Mapping[str, Any]]) -> str:
    """Every control of every catalogue, and the rules that name it."""
    blocks = []
    for id, one in catalogues.items():
        rows, without = [], 0
        for control, text in one["controls"].items():
            named = [rule.id for rule in rules if control in rule.file.frameworks.get(id, ())]
            without += not named
            links = ", ".join(f"[{name}](rules.md{anchor(name)})" for name in sorted(named))
            rows.append([control, text, links or "none yet"])
        count = f"{len(rows)} controls" + (f", {without} of them without a rule" if without else "")
        head = f"## {one['title']}\n\n`--framework {id}` · {count} · <{one['url']}>"
        blocks.append(f"{head}\n\n{table(['control', 'what it is about', 'rules'], rows)}")
    intro = (
        "Which rules say something about which control. A rule is a part of a control, seldom the whole: a control "
        "with passed rules alone is not proven to be met. Controls that are not listed here have no rule."
    )
    return page("Frameworks", "rules/frameworks/ and rules/", intro, *blocks)
