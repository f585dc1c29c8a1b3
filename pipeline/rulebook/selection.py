"""Selects rules by a command's options. Every name must select something that the settings do not disable: a command
that would evaluate nothing says so before it reads anything."""

from collections.abc import Sequence

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.rulebook import Rulebook


def select_rules(
    rulebook: Rulebook, ids: Sequence[str] = (), types: Sequence[str] = (), framework: str = ""
) -> Rulebook:
    """Returns the smaller rulebook. Raises UserError for unknown names, and for names that exclude each other."""
    chosen = rulebook.only(ids, types, framework)
    problems = (
        _rules_left_out(rulebook, chosen, ids, types, framework)
        or _types_left_out(chosen, ids, types, framework)
        or _disabled(chosen, ids, types)
    )
    if not problems and framework and not chosen.rules:
        problems = [f"--framework {framework}: no rule covers its controls yet"]
    if problems:
        raise UserError(*problems)
    return chosen


def _rules_left_out(
    rulebook: Rulebook, chosen: Rulebook, ids: Sequence[str], types: Sequence[str], framework: str
) -> list[str]:
    kept = {rule.id for rule in chosen.rules}
    out = []
    for rule in rulebook.rules:
        if rule.id not in ids or rule.id in kept:
            continue
        if types and rule.type not in types:
            other = " ".join(f"--type {type}" for type in types)
            why = f"this rule is about {rule.type} (write --type {rule.type}, or leave one of them out)"
        else:
            other = f"--framework {framework}"
            why = "this rule is in none of its controls (leave one of them out)"
        out.append(f"--rule {rule.id} and {other} exclude each other: {why}")
    return out


def _types_left_out(
    chosen: Rulebook, ids: Sequence[str], types: Sequence[str], framework: str
) -> list[str]:
    kept = {rule.type for rule in chosen.rules}
    others = [*(f"--rule {id}" for id in ids), *([f"--framework {framework}"] if framework else [])]
    return [
        Problem(
            f"none of its rules is selected by {' '.join(others)}",
            fix="leave one of them out",
            place=f"--type {type}",
        )
        for type in types
        if type not in kept
    ]


def _disabled(chosen: Rulebook, ids: Sequence[str], types: Sequence[str]) -> list[str]:
    on = [rule for rule in chosen.rules if not chosen.disabled(rule)]
    left, about = {rule.id for rule in on}, {rule.type for rule in on}
    names = [f"--rule {id}" for id in ids if id not in left]
    names += [f"--type {type}" for type in types if type not in about]
    if not names and chosen.rules and not on:
        names = ["every rule"]
    why = "disabled by rules.overrides of the settings (enable it there, or leave it out)"
    return [f"{name}: {why}" for name in names]
