"""Generates docs/rules.md, docs/frameworks.md and docs/frameworks/ from the rule files and the framework catalogues."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from driftline.pipeline.model.finding import SEVERITIES
from driftline.pipeline.reference import anchor, code, codes, page, table
from driftline.pipeline.rulebook import Rule, load
from driftline.pipeline.rulebook.frameworks import FrameworkFile

CATALOGUES = "rules/frameworks/ and rules/"


def pages() -> Iterator[tuple[str, str]]:
    """The pages of the built-in rules and catalogues."""
    rulebook = load()
    yield "docs/rules.md", rules_page(rulebook.rules)
    catalogues = list(rulebook.frameworks.catalogues.values())
    yield "docs/frameworks.md", frameworks_page(rulebook.rules, catalogues)
    for one in catalogues:
        yield f"docs/frameworks/{one.id}.md", framework_page(rulebook.rules, one)


def rules_page(rules: Sequence[Rule]) -> str:
    """Every rule by section, highest severity first."""
    ordered = sorted(
        rules, key=lambda r: (r.file.section, -SEVERITIES.index(r.file.severity), r.id)
    )
    blocks = [_overview(ordered)]
    for section, some in groupby(ordered, key=lambda rule: rule.file.section):
        blocks.append("\n\n".join([f"## {section}", *map(_rule, some)]))
    intro = (
        f"{len(rules)} rules. `driftline rules show ID` prints a rule with its condition, examples and "
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
        f"severity **{file.severity}**", f"type {code(file.type)}", f"family {code(file.family)}", f"version {file.version}", f"needs {codes(file.needs)}",
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
    lines += [f"Remediation: {mend.console.strip()}"] if mend.console.strip() else []
    lines += [f"```\n{mend.cli.strip()}\n```"] if mend.cli.strip() else []
    return "\n\n".join([*lines, f"Controls: {maps}" if maps else ""]).rstrip()


def frameworks_page(rules: Sequence[Rule], catalogues: Sequence[FrameworkFile]) -> str:
    """The index: every catalogue with the number of its controls that have a rule."""
    rows = []
    for one in catalogues:
        ruled = sum(bool(found) for found in _answers(rules, one).values())
        link = f"[{one.title}](frameworks/{one.id}.md)"
        rows.append([link, code(f"--framework {one.id}"), str(len(one.controls)), str(ruled)])
    intro = (
        "Which rules cover which control. A rule usually covers only part of a control: a control "
        "whose rules all pass is not proven to be met. Many controls are about people and processes, which no "
        "configuration shows. `driftline rules list --framework ID` prints the rules, and the controls without one; "
        "`--controls` prints the controls; `driftline scan aws --framework ID` evaluates only its rules."
    )
    head = ["framework", "option", "controls", "with a rule"]
    return page("Frameworks", CATALOGUES, intro, table(head, rows))


def framework_page(rules: Sequence[Rule], catalogue: FrameworkFile) -> str:
    """Every control of a catalogue with the rules that cover it."""
    answers = _answers(rules, catalogue)
    rows = []
    for id, control in catalogue.controls.items():
        links = ", ".join(f"[{name}](../rules.md{anchor(name)})" for name in answers[id])
        by = "; ".join(f"{name} {', '.join(ids)}" for name, ids in control.from_.items())
        rows.append([id, control.text, links or "no rule yet", by])
    without = sum(not found for found in answers.values())
    intro = (
        f"`--framework {catalogue.id}` · {len(rows)} controls, {without} of them without a rule · <{catalogue.url}>"
        " · [all frameworks](../frameworks.md)\n\nThe descriptions are ours. Rules that cover a control of another framework"
        " named under *covered by* cover this one too."
    )
    head = ["control", "topic", "rules", "covered by"]
    return page(catalogue.title, CATALOGUES, intro, table(head, rows))


def _answers(rules: Sequence[Rule], catalogue: FrameworkFile) -> dict[str, list[str]]:
    """Maps a control to the ids of its rules."""
    out: dict[str, list[str]] = {id: [] for id in catalogue.controls}
    for rule in sorted(rules, key=lambda rule: rule.id):
        for id in rule.frameworks.get(catalogue.id, ()):
            out[id].append(rule.id)
    return out
