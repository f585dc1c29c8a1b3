"""Reads, checks and compiles a rule file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from driftline.pipeline.common import durations
from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.yaml_source import Source, hint
from driftline.pipeline.model.finding import Remediation, Severity, rule_uuid
from driftline.pipeline.rulebook import rule_checks
from driftline.pipeline.rulebook.cel.expression import Expression, ExpressionError, compile_text
from driftline.pipeline.rulebook.families import unknown_family
from driftline.pipeline.rulebook.frameworks import Frameworks, built_in_frameworks
from driftline.pipeline.rulebook.shapes import Shapes
from driftline.pipeline.rulebook.wording.sentence import Sentence, compiled

Exposure = Literal["none", "account", "organization", "internet"]
Privilege = Literal["none", "read", "write", "admin"]
Expected = Literal["passed", "failed", "unknown", "not_applicable"]
EXPECTED: tuple[Expected, ...] = ("passed", "failed", "unknown", "not_applicable")
ID = r"^[a-z0-9]+(-[a-z0-9]+)+$"


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Example(_StrictModel):
    """A small change to the base resource, and the expected verdict."""

    name: str
    says: str | None = None
    """For failing examples: the rule's sentence, literally."""
    set: dict[str, Any] = Field(default_factory=dict)
    remove: list[str] = Field(default_factory=list)
    unread: list[str] = Field(default_factory=list)
    params: dict[str, Any] = Field(default_factory=dict)
    previous: dict[str, Any] | None = None
    now: str = "2026-01-01T00:00:00Z"


class Table(_StrictModel):
    """Examples that differ only in some values, one for each row. {0}, {1} … refer to the cells of a row.

    Where a parameter is a long list, the rows are another list with the same content, taken from elsewhere: they
    prove the parameter."""

    name: str
    rows: list[Any] = Field(min_length=1)
    gives: Expected
    set: dict[str, Any]
    params: dict[str, Any] = Field(default_factory=dict)
    turns: str = ""
    """The day from which the verdict applies; the second before it passes."""


class Examples(_StrictModel):
    base: dict[str, Any]
    passed: list[Example] = Field(min_length=1)
    failed: list[Example] = Field(min_length=1)
    unknown: list[Example] = Field(min_length=1)
    not_applicable: list[Example] = Field(default_factory=list)
    tables: list[Table] = Field(default_factory=list)


class Equivalent(_StrictModel):
    """A mutant that no example can distinguish from the rule, and the reason."""

    mutant: str
    reason: str


class RuleFile(_StrictModel):
    """The content of the file."""

    id: str = Field(pattern=ID)
    version: int = Field(ge=1)
    title: str = Field(min_length=8, max_length=120)
    severity: Severity
    type: str
    section: str = Field(min_length=1)
    family: str = Field("", pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$")
    """One name for one question across all clouds (families.py); required for built-in rules."""
    exposure: Exposure
    privilege: Privilege
    needs: list[str] = Field(min_length=1)
    params: dict[str, int | str | bool | list[str]] = Field(default_factory=dict)
    when: str = "true"
    must: str
    sentence: str | list[str] | None = None
    """Why it fails, with the values of {names}; of several templates the first whose names all have a value."""
    values: dict[str, str] = Field(default_factory=dict)
    """Expressions for the names in `sentence` and `fill`."""
    fill: dict[str, str] = Field(default_factory=dict)
    """Maps a placeholder of the remediation to one of `values` or `params`; those of the type need no entry
    (pipeline/assess/wording/consoles.py)."""
    for_: str = Field("0s", alias="for", pattern=durations.WHOLE)
    keep_firing_for: str = Field("0s", pattern=durations.WHOLE)
    why: str
    remediation: Remediation
    references: list[str] = Field(default_factory=list)
    frameworks: dict[str, list[str]] = Field(default_factory=dict)
    examples: Examples
    equivalent_mutants: list[Equivalent] = Field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """A rule that passed every check."""

    file: RuleFile
    path: Path
    when: Expression | None
    must: Expression
    frameworks: dict[str, list[str]]
    """The controls that the file names, and all that they cover."""
    sentence: Sentence | None = None

    @property
    def id(self) -> str:
        return self.file.id

    @property
    def type(self) -> str:
        return self.file.type

    @property
    def provider(self) -> str:
        """Whose type it is about, by the types files; empty where that is not known (of a rule made without them)."""
        return self.must.provider or ""

    def uses(self, variable: str) -> bool:
        return any(variable in e.uses for e in (self.when, self.must) if e)

    @property
    def compares(self) -> bool:
        """Whether it reads what a reading changed (`previous`, `changes`)."""
        return self.uses("previous") or self.uses("changes")

    def ref(self, severity: str) -> dict[str, Any]:
        """The rule as findings carry it (RuleRef)."""
        f = self.file
        family = {"family": f.family} if f.family else {}
        return family | {
            "id": f.id, "uuid": rule_uuid(f.id), "version": f.version, "title": f.title,
            "severity": severity, "section": f.section, "why": f.why.strip(),
            "references": f.references, "frameworks": self.frameworks,
        }  # fmt: skip


def load_rule(
    path: Path, shapes: Shapes, text: str | None = None, frameworks: Frameworks | None = None
) -> tuple[Rule | None, list[Problem]]:
    """Loads a rule. Returns it, or every mistake in its file with its place."""
    frameworks = built_in_frameworks() if frameworks is None else frameworks
    source = Source(path, text)
    if source.problems:
        return None, source.problems
    if not isinstance(source.data, dict):
        return None, [
            Problem(
                "not a rule", fix="write its fields: id, version, title, …", place=f"{path}:1:1"
            )
        ]
    try:
        file = RuleFile.model_validate(source.data)
    except ValidationError as error:
        return None, [_told(source, problem) for problem in error.errors(include_url=False)]
    problems: list[Problem] = []
    if path.stem != file.id:
        problems.append(
            Problem(
                f"the id {file.id!r} is not the file's name",
                fix="rename one of them",
                place=source.at("id"),
            )
        )
    problems += [
        Problem(why, place=source.at("frameworks", *where))
        for where, why in frameworks.unknown(file.frameworks)
    ]
    if wrong := unknown_family(file.family):
        problems.append(Problem(wrong, place=source.at("family")))
    provider = shapes.get(file.type, {}).get("provider")
    always = file.when.strip() == "true"
    when = None if always else _compiled(source, "when", file.when, problems, provider)
    must = _compiled(source, "must", file.must, problems, provider)
    sentence = compiled(
        source, file.sentence, file.values, file.params, problems, file.fill.values(), provider
    )
    problems += rule_checks.fill(source, file)
    if must is None or (when is None and not always):
        return None, problems
    known = {} if problems else frameworks.answered(file.frameworks)
    rule = Rule(file, path, when, must, known, sentence)
    problems += (
        rule_checks.needs(source, rule)
        + rule_checks.variables(source, rule)
        + rule_checks.paths(source, rule, shapes)
    )
    if rule.when is not None and not file.examples.not_applicable:
        problems.append(
            Problem(
                "a rule with `when` needs an example under not_applicable",
                place=source.at("examples"),
            )
        )
    return (None, problems) if problems else (rule, [])


def _told(source: Source, problem: Any) -> Problem:
    """Describes a pydantic error: place, problem, what to write instead."""
    where = tuple(step for step in problem["loc"])
    named = ".".join(str(step) for step in where)
    if problem["type"] == "extra_forbidden":
        parent: Any = RuleFile
        known = [f.alias or name for name, f in RuleFile.model_fields.items()]
        if len(where) > 1:
            parent = Examples if len(where) == 2 and where[0] == "examples" else Example
            parent = Remediation if where[0] == "remediation" else parent
            known = list(parent.model_fields)
        return Problem(
            f"unknown field {where[-1]!r}", fix=hint(str(where[-1]), known), place=source.at(*where)
        )
    if problem["type"] == "missing":
        return Problem(f"{named} is missing", fix="add it", place=source.at(*where[:-1]))
    given = problem.get("input")
    shown = f", not {given!r}" if isinstance(given, str | int | bool) else ""
    return Problem(f"{named}: {problem['msg'].lower()}{shown}", place=source.at(*where))


def _compiled(
    source: Source, field: str, text: str, problems: list[Problem], provider: str | None
) -> Expression | None:
    try:
        return compile_text(text, provider)
    except ExpressionError as error:
        place = source.at(field)
        file, line, column = place.rsplit(":", 2)
        first = int(column) if error.line == 1 else _indent_of(source, field)
        where = f"{file}:{int(line) + error.line - 1}:{first + error.column - 1}"
        problems.append(Problem(f"{field}: {error}", error.fix, where))
        return None


def _indent_of(source: Source, field: str) -> int:
    return source.places.get((field,), (1, 1))[1]
