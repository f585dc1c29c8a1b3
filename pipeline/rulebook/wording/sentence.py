"""Says in one sentence why a resource fails a rule, with the values that decide: a template and named expressions.
Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.yaml_source import Source, hint
from driftline.pipeline.rulebook.cel.expression import (
    TAGS,
    Expression,
    ExpressionError,
    compile_value,
    environment,
)
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current
from driftline.pipeline.rulebook.cel.unread import program
from driftline.pipeline.rulebook.wording.phrases import HOLE, STANDARD, fill, standard

ROOM = 200
"""Maximum length of a template in characters; the rest is for values."""


@dataclass(frozen=True)
class Sentence:
    """A rule's own sentence: the first template whose names all have a value."""

    templates: tuple[str, ...]
    values: Mapping[str, Expression]

    @cached_property
    def reads(self) -> frozenset[str]:
        """The parts that the expressions themselves read."""
        return frozenset[str]().union(*(one.reads for one in self.values.values()))

    @property
    def provider(self) -> str | None:
        """Whose functions the expressions may call."""
        return next(iter(self.values.values())).provider

    @cached_property
    def _together(self) -> Any:
        """All expressions in one program: half of an evaluation's cost is its setup."""
        every = (f"dyn({one.text}\n)" for one in self.values.values())
        return environment(self.provider).compile(f"[{', '.join(every)}]")

    def said(
        self,
        now: "Situation",
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> tuple[str, int] | None:
        """Returns the sentence and the place of its template; None if no template has all its values. `values`,
        `names`: values_of and the resource's standard names, if already known."""
        values = self.values_of(now) if values is None else values
        values = {**now.params, **values, **(names or standard(now.resource))}
        for place, template in enumerate(self.templates):
            if (text := fill(template, values)) is not None:
                return text, place
        return None

    def values_of(self, now: "Situation") -> dict[str, Any]:
        """Returns the value of every expression; None if it raises an error."""
        if not self.values:
            return {}
        resource = now.resource
        config = {part: now.config[part] for part in self.reads if part in now.config}
        token = CURRENT.set(Current(dict(now.config), resource["account"], now.at, resource["uid"]))
        try:
            activation = environment(self.provider).Activation({
                "resource": {**resource, "config": config}, "params": dict(now.params),
                "now": datetime.fromtimestamp(now.at / 1e6, UTC), "previous": now.previous, "changes": list(now.changes),
            })  # fmt: skip
            hidden = now.hidden(self.values.values())
            found = None if hidden else _asked(self._together, activation)
            if isinstance(found, list):
                return dict(zip(self.values, found, strict=True))
            return {n: _asked(program(e, hidden), activation) for n, e in self.values.items()}
        finally:
            CURRENT.reset(token)


@dataclass(frozen=True)
class Situation:
    """The input of a sentence: a resource document, the parts of its configuration that are known, the record time in
    microseconds, the rule's parameters, and the values of `previous` and `changes`."""

    resource: Mapping[str, Any]
    config: Mapping[str, Any]
    at: int
    params: Mapping[str, Any]
    previous: Mapping[str, Any] | None = None
    changes: Sequence[Mapping[str, Any]] = ()
    tagless: bool = False
    """Whether the resource's tags are unread."""

    def hidden(self, expressions: Collection[Expression]) -> frozenset[str]:
        """The unread parts that the expressions read, including `tags`; unread parts have no value."""
        touched = frozenset[str]().union(*(one.parts for one in expressions))
        tags = self.tagless and any(one.reads_tags for one in expressions)
        return touched.difference(self.config) | ({TAGS} if tags else set())


def _asked(asked: Any, activation: Any) -> Any:
    """Returns the value of an expression; None if it raises an error: a sentence must never cost a finding."""
    try:
        value = asked.eval(activation)
        return None if value.type().name() == "ERROR" else value.plain_value()
    except Exception:
        return None


def compiled(
    source: Source, told: str | list[str] | None, values: Mapping[str, str], params: Iterable[str],
    problems: list[Problem], used: Iterable[str] = (), provider: str | None = None,
) -> Sentence | None:  # fmt: skip
    """Parses the sentence of a rule file, or returns None; mistakes are appended to `problems`. `used`: the names
    that other fields of the rule need; `provider`: of its type."""
    taken = {*STANDARD, *params}
    templates = [told] if isinstance(told, str) else told or []
    before, expressions, named = len(problems), dict[str, Expression](), set(used)
    for name, text in values.items():
        if name in taken:
            problems.append(
                Problem(
                    f"the sentence has {name!r} already",
                    fix="choose another name",
                    place=source.at("values", name),
                )
            )
        try:
            expressions[name] = compile_value(text, provider)
        except ExpressionError as error:
            problems.append(Problem(f"{name}: {error}", error.fix, source.at("values", name)))
    for number, template in enumerate(templates):
        place = source.at("sentence", number) if isinstance(told, list) else source.at("sentence")
        problems += [
            Problem(f"sentence: {why.text}", why.fix, place)
            for why in _faults(template, [*values, *sorted(taken)])
        ]
        named.update(HOLE.findall(template))
    problems += [
        Problem(f"no sentence has {{{name}}}", "remove it", source.at("values", name))
        for name in values
        if name not in named
    ]
    if not templates or len(problems) > before:
        return None
    return Sentence(tuple(templates), expressions)


def _faults(template: str, known: Sequence[str]) -> list[Problem]:
    wrong = [
        Problem(
            f"{{{name}}} is none of `values`, `params` and {', '.join(STANDARD)}", hint(name, known)
        )
        for name in dict.fromkeys(HOLE.findall(template))
        if name not in known
    ]
    rest = HOLE.sub("", template)
    if "{" in rest or "}" in rest:
        wrong.append(Problem("a brace that is no {name} (lower-case letters, digits and _)"))
    if len(template) > ROOM:
        wrong.append(
            Problem(f"longer than {ROOM} characters", "say less, or let the values say it")
        )
    if not template.strip() or template != template.strip() or not template.isprintable():
        wrong.append(Problem("must be one line of text"))
    elif template.endswith("."):
        wrong.append(Problem("ends without a full stop"))
    return wrong
