"""Selects rules and findings by severity, service and rule. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.model import SEVERITIES
from driftline.pipeline.rulebook import Rule, Rulebook


def words(texts: str | Iterable[str] | None) -> list[str]:
    """Returns the words of comma-separated lists."""
    texts = [texts] if isinstance(texts, str) else texts or []
    return [word.strip() for text in texts for word in text.split(",") if word.strip()]


def severities(texts: Iterable[str]) -> list[str]:
    """Returns the severities of comma-separated lists. Raises UserError."""
    found = [word.lower() for word in named("--severity", texts)]
    if wrong := [word for word in found if word not in SEVERITIES]:
        raise UserError(
            "no such severity",
            fix=f"they are {', '.join(SEVERITIES)}",
            place=f"--severity {', '.join(wrong)}",
        )
    return found


def named(option: str, texts: Iterable[str]) -> list[str]:
    """Returns the words of an option's comma-separated lists. Raises UserError for an empty list, which would select
    everything."""
    texts = list(texts)
    if not all(words(text) for text in texts):
        raise UserError(
            "the list is empty", fix="write a name, or leave the option out", place=option
        )
    return words(texts)


def service(name: str) -> str:
    """Normalizes a service's name (case, blanks, hyphens): `Route 53` and `route53` are equal."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def services_of(id: str, type: str, section: str) -> set[str]:
    """Returns the names of a rule's service: its section's, its type's, and the one in its id (aws-acm-…)."""
    parts, words = type.split("::"), id.split("-")
    own = parts[1] if len(parts) > 1 else parts[0].split(".")[0]
    return {service(name) for name in (section, own, words[1] if len(words) > 1 else section)}


def narrow(
    rulebook: Rulebook, severity: Sequence[str], services: Sequence[str], excluded: Sequence[str]
) -> Rulebook:
    """Returns the rules that may give what was asked for. An override may give a rule another severity, so findings
    are checked again (`shows`). Raises UserError for unknown services and rules."""
    if not (severity or services or excluded):
        return rulebook
    known = {rule.id: rule for rule in rulebook.rules}
    named = {name: {service(name)} for name in services}
    every = {name for rule in known.values() for name in _services(rule)}
    problems = [
        Problem("no such rule", fix=hint(id, known), place=f"--exclude-rule {id}")
        for id in excluded
        if id not in known
    ]
    problems += [
        Problem("no rule is about it", fix=hint(service(name), every), place=f"--service {name}")
        for name, own in named.items()
        if not own & every
    ]
    if problems:
        raise UserError(*problems)
    wanted = {service(name) for name in services}
    kept = [
        rule.id for rule in known.values()
        if rule.id not in excluded
        and (not wanted or wanted & _services(rule))
        and (not severity or rulebook.severities(rule) & set(severity))
    ]  # fmt: skip
    if not kept:
        raise UserError(
            "no rule is left by --severity, --service and --exclude-rule",
            fix="choose fewer of them",
        )
    return rulebook.only(kept)


def shows(severity: Sequence[str], finding: Mapping[str, Any]) -> bool:
    """Returns whether a finding has one of these severities; an empty set matches all."""
    return not severity or finding["rule"]["severity"] in severity


def _services(rule: Rule) -> set[str]:
    return services_of(rule.id, rule.type, rule.file.section)
