"""Policy as code: rules in YAML with CEL conditions; loading, checking and selecting them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.files import read_text as read_text
from driftline.pipeline.common.yaml_source import hint, nearest
from driftline.pipeline.model.finding import Severity
from driftline.pipeline.rulebook.baseline_rules import STANDING
from driftline.pipeline.rulebook.frameworks import Frameworks, built_in_frameworks, load_frameworks
from driftline.pipeline.rulebook.rule import Rule, load_rule
from driftline.pipeline.rulebook.ruleset import BoundRule, RuleSet, Verdict
from driftline.pipeline.rulebook.shapes import Shapes, builtin_shapes

__all__ = ["BoundRule", "Override", "Rule", "RuleSet", "Rulebook", "Verdict", "load"]

LANGUAGE = 7
"""Raised when the same rule text may give another verdict: every resource is then evaluated again."""


class Override(BaseModel):
    """A change to one rule, for all resources or for some accounts or tags only. Later overrides win."""

    model_config = ConfigDict(extra="forbid")

    rule: str
    """The rule's id."""
    enabled: bool = True
    severity: Severity | None = None
    params: dict[str, int | str | bool | list[str]] = Field(default_factory=dict)
    accounts: list[str] = Field(default_factory=list)
    """Only in these accounts; empty: all."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Only on resources with all of these tags; empty: all."""

    @property
    def limited(self) -> bool:
        """Whether it applies to some accounts or tags only."""
        return bool(self.accounts or self.tags)

    def concerns(self, account: str, tags: Mapping[str, str]) -> bool:
        return (not self.accounts or account in self.accounts) and all(
            tags.get(key) == value for key, value in self.tags.items()
        )


class Rulebook:
    """All rules, by type, with the overrides of the user."""

    def __init__(
        self,
        rules: Sequence[Rule],
        overrides: Sequence[Override] = (),
        frameworks: Frameworks | None = None,
    ) -> None:
        self.frameworks = built_in_frameworks() if frameworks is None else frameworks
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self._by_type: dict[str, list[Rule]] = {}
        for rule in self.rules:
            self._by_type.setdefault(rule.type, []).append(rule)
        self._overrides: dict[str, list[tuple[int, Override]]] = {}
        types = {rule.id: rule.type for rule in self.rules}
        for number, override in enumerate(overrides):
            self._overrides.setdefault(types[override.rule], []).append((number, override))
        self._hashes = {type: self._hash(type) for type in self._by_type}
        self._comparing = {rule.type for rule in self.rules if rule.compares}
        self._sets: dict[tuple[str, tuple[int, ...]], RuleSet] = {}
        self.hash = hashlib.sha256(
            b"".join(self._hashes[t] for t in sorted(self._hashes))
        ).hexdigest()[:16]

    def _hash(self, type: str) -> bytes:
        content = [
            rule.file.model_dump(mode="json", exclude={"examples", "sentence", "values"})
            | {"frameworks": rule.frameworks}
            for rule in self._by_type[type]
        ]
        over = [o.model_dump(mode="json") for _, o in self._overrides.get(type, [])]
        text = json.dumps([LANGUAGE, content, over], sort_keys=True).encode()
        return hashlib.sha256(text).digest()[:16]

    def type_hash(self, type: str) -> bytes:
        """Returns 16 bytes that change when any rule, override or parameter for a type does."""
        return self._hashes.get(type, b"\0" * 16)

    def uses_previous(self, type: str) -> bool:
        """Returns whether a rule of the type reads `previous` or `changes`."""
        return type in self._comparing

    def select(self, type: str, account: str, tags: Mapping[str, str]) -> RuleSet:
        """Returns the rules for a resource with overrides applied; the same object for the same overrides."""
        concerned = tuple(n for n, o in self._overrides.get(type, ()) if o.concerns(account, tags))
        key = (type, concerned)
        if key not in self._sets:
            chosen = [o for n, o in self._overrides.get(type, ()) if n in concerned]
            bound = [_bind(rule, chosen) for rule in self._by_type.get(type, ())]
            made = RuleSet([rule for rule in bound if rule is not None])
            made.every = (*made.rules, *STANDING.values())
            self._sets[key] = made
        return self._sets[key]

    def of(self, resource: Mapping[str, Any]) -> RuleSet:
        """Returns the rules for a resource as findings carry it."""
        return self.select(resource["type"], resource["account"], resource["tags"])

    def disabled(self, rule: Rule) -> bool:
        """Returns whether overrides disable a rule on every resource."""
        off = False
        for _, override in self._overrides.get(rule.type, ()):
            if override.rule == rule.id and (override.enabled or not override.limited):
                off = not override.enabled
        return off

    def severities(self, rule: Rule) -> set[str]:
        """Returns all severities of its findings: its own, and those set by overrides."""
        over = [o.severity for _, o in self._overrides.get(rule.type, ()) if o.rule == rule.id]
        return {rule.file.severity, *(severity for severity in over if severity)}

    def only(
        self, ids: Sequence[str] = (), types: Sequence[str] = (), framework: str = ""
    ) -> "Rulebook":
        """Returns a smaller rulebook. Raises UserError if a name is unknown."""
        known = {rule.id for rule in self.rules}
        problems = [
            Problem("no such rule", fix=hint(i, known), place=f"--rule {i}")
            for i in ids
            if i not in known
        ]
        problems += [
            Problem("no rule is about it", fix=hint(type, self._by_type), place=f"--type {type}")
            for type in types
            if type not in self._by_type
        ]
        if framework and framework not in self.frameworks.catalogues:
            near = nearest(framework, self.frameworks.catalogues)
            problems.append(Problem(f"no such framework{near}", place=f"--framework {framework}"))
        if problems:
            raise UserError(*problems)
        kept = [
            rule
            for rule in self.rules
            if (not ids or rule.id in ids)
            and (not types or rule.type in types)
            and (not framework or framework in rule.frameworks)
        ]
        ours = {rule.id for rule in kept}
        over = sorted((p for ps in self._overrides.values() for p in ps), key=lambda p: p[0])
        return Rulebook(kept, [o for _, o in over if o.rule in ours], self.frameworks)


def _bind(rule: Rule, overrides: Sequence[Override]) -> BoundRule | None:
    severity: str = rule.file.severity
    params: dict[str, Any] = dict(rule.file.params)
    enabled = True
    for override in overrides:
        if override.rule == rule.id:
            enabled = override.enabled
            severity = override.severity or severity
            params |= override.params
    return BoundRule(rule, severity, params) if enabled else None


def builtin_folder() -> Path:
    """Returns the folder of the built-in rules."""
    return Path(str(files("driftline.rules")))


def rule_files(folder: Path) -> list[Path]:
    """Returns the rule files of a folder, or the one file."""
    if not folder.is_dir():  # reading reports what is not a file
        return [folder]
    return sorted(
        path
        for path in folder.rglob("*.yaml")
        if "frameworks" not in path.relative_to(folder).parts and not path.is_dir()
    )


_COMPILED: dict[Path, tuple[str, Rule]] = {}
"""The rules of this process by file, with their text: loading again compiles only what has changed."""


def _compiled(path: Path) -> tuple[Rule | None, list[Problem]]:
    """Like `load_rule`, for files checked against the built-in shapes and frameworks."""
    try:
        text = read_text(path)
    except (OSError, ValueError):
        return load_rule(path, builtin_shapes())
    before, rule = _COMPILED.get(path, ("", None))
    if rule is not None and before == text:
        return rule, []
    rule, wrong = load_rule(path, builtin_shapes(), text)
    if rule is not None:
        _COMPILED[path] = text, rule
    return rule, wrong


def load(
    paths: Sequence[Path] = (),
    overrides: Sequence[Override] = (),
    builtin: bool = True,
    shapes: Shapes | None = None,
) -> Rulebook:
    """Loads every rule of the built-in folder and of `paths`. Raises UserError with every mistake of every file."""
    shapes = builtin_shapes() if shapes is None else shapes
    rules: dict[str, Rule] = {}
    frameworks, problems = load_frameworks(paths)
    files: dict[Path, Path] = {}  # folders may be named twice, or contain each other
    for folder in [*([builtin_folder()] if builtin else []), *paths]:
        if not folder.exists():
            problems.append(
                Problem(
                    "no such folder",
                    fix="correct rules.paths or --rules",
                    place=folder,
                )
            )
        files |= {path.resolve(): path for path in rule_files(folder)}
    known = shapes is builtin_shapes() and frameworks is built_in_frameworks()
    for path in files.values():
        rule, wrong = _compiled(path) if known else load_rule(path, shapes, None, frameworks)
        problems += wrong
        if rule is not None and rule.id in rules:
            problems.append(
                Problem(
                    f"rule {rule.id} stands in {rules[rule.id].path} too",
                    fix="choose another id",
                    place=f"{path}:1:1",
                )
            )
        elif rule is not None:
            rules[rule.id] = rule
    problems += _check_overrides(overrides, rules)
    if problems:
        raise UserError(*problems)
    return Rulebook(list(rules.values()), overrides, frameworks)


def _check_overrides(overrides: Sequence[Override], rules: Mapping[str, Rule]) -> list[Problem]:
    out = []
    for number, override in enumerate(overrides):
        where = f"rules.overrides[{number}]"
        rule = rules.get(override.rule)
        if rule is None:
            out.append(
                Problem(f"no rule {override.rule!r}", fix=hint(override.rule, rules), place=where)
            )
            continue
        for name, value in override.params.items():
            default = rule.file.params.get(name)
            if default is None:
                out.append(
                    Problem(
                        f"{rule.id} has no parameter {name!r}",
                        fix=hint(name, rule.file.params),
                        place=where,
                    )
                )
            elif type(value) is not type(default):
                kind = type(default).__name__
                out.append(
                    Problem(
                        f"parameter {name} of {rule.id} must be a {kind}, like {default!r}",
                        place=where,
                    )
                )
    return out
