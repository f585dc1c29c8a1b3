"""Evaluates one resource by the rules of its type, one by one, so that an error in one rule does not affect others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from driftline.pipeline.common import durations
from driftline.pipeline.rulebook.cel import unexpected_values
from driftline.pipeline.rulebook.cel.expression import TAGS, environment
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current
from driftline.pipeline.rulebook.cel.unread import program
from driftline.pipeline.rulebook.evidence import LONGEST, evidence, evidence_paths
from driftline.pipeline.rulebook.rule import Rule

EVERYTHING = "*"
NOTHING: frozenset[str] = frozenset()
NO_PATHS: frozenset[tuple[str, ...]] = frozenset()
Path = tuple[str, ...]
Evaluation = Literal["passed", "failed", "unknown", "not_applicable"]


class UnreadReason(Protocol):
    """Why a part is not known."""

    @property
    def reason(self) -> str: ...
    @property
    def code(self) -> str: ...


class BoundRule:
    """A compiled rule with its overrides applied."""

    def __init__(self, rule: Rule, severity: str, params: Mapping[str, Any]) -> None:
        self.rule, self.id, self.severity, self.params = rule, rule.id, severity, dict(params)
        self.ref = rule.ref(severity)
        self.remediation = rule.file.remediation.model_dump()
        self.exposure, self.privilege = rule.file.exposure, rule.file.privilege
        self.for_seconds, self.keep_firing_for = (
            durations.whole_seconds(rule.file.for_) or 0,
            durations.whole_seconds(rule.file.keep_firing_for) or 0,
        )
        self.needs = frozenset(rule.file.needs)
        self.reads_tags = any(e.reads_tags for e in (rule.when, rule.must) if e)
        self.uses_now = rule.uses("now")
        self.compares = rule.compares
        self.paths = rule.must.paths | (rule.when.paths if rule.when else frozenset())
        self.when, self.must = rule.when, rule.must
        self.reads = rule.must.reads | (rule.when.reads if rule.when else frozenset())
        self.evidence = evidence_paths(rule.must.paths)
        self.sentence, self.fill = rule.sentence, rule.file.fill


@dataclass(slots=True)
class Verdict:
    rule: BoundRule
    evaluation: Evaluation
    reason: str = ""
    """For unknown: unread, stale, not_read or error."""
    detail: str = ""
    evidence: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    """The rule language's own message, for rule authors; findings never carry it."""


class RuleSet:
    """The rules of one type for one account and set of tags."""

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.every: tuple[BoundRule, ...] = self.rules
        """The same, including the baseline rules."""
        self._reads = frozenset[str]().union(*(rule.reads for rule in self.rules))
        self._shared = [rule for rule in self.rules if not rule.params]
        self._needs = frozenset[str]().union(*(rule.needs for rule in self._shared))
        self._tagged = any(rule.reads_tags for rule in self._shared)
        self._environment = _environment(self.rules)
        self._together = _together(self._shared)

    def evaluate(
        self,
        resource: dict[str, Any],
        unread: Mapping[str, UnreadReason],
        now: int,
        previous: dict[str, Any] | None = None,
        changes: Sequence[dict[str, Any]] = (),
    ) -> list[Verdict]:
        """Returns the verdict of every rule on a resource document. `now` is the record time in microseconds."""
        config = resource["config"]
        known = frozenset(config.keys() - unread.keys())
        # a function may read a part that its rule does not need: never the old value of an unread one
        seen = {part: config[part] for part in known}
        current = Current(seen, resource["account"], now, resource["uid"])
        token = CURRENT.set(current)
        env = self._environment
        # The runtime turns the whole document into its own values, 10 µs a kB: it gets what is read.
        data = _data(_with(resource, self._reads), {}, now, previous, changes)
        shared, shown = env.Activation(data), dict[Path, dict[str, Any]]()
        try:
            whole = self._needs <= known and not (self._tagged and _tagless(unread))
            answers = self._answers(shared) if whole else {}
            return [
                _told(rule, answers[rule.id], resource, shown)
                if rule.id in answers
                else _ask(
                    rule,
                    resource,
                    env.Activation(
                        data | {"resource": _with(resource, rule.reads), "params": rule.params}
                    )
                    if rule.params
                    else shared,
                    shown,
                    current,
                    unread,
                )
                for rule in self.rules
            ]
        finally:
            CURRENT.reset(token)

    def _answers(self, activation: Any) -> dict[str, str]:
        """Returns a letter for each rule, by id, from one combined evaluation; nothing if an error in a single rule
        prevents it."""
        if self._together is None:
            return {}
        try:
            letters = str(self._together.eval(activation).value())
        except RuntimeError:
            return {}
        if len(letters) != len(self._shared) or not LETTERS.issuperset(letters):
            return {}  # an error is a value too
        return dict(zip((rule.id for rule in self._shared), letters, strict=True))


def _tagless(unread: Mapping[str, UnreadReason]) -> bool:
    return TAGS in unread or EVERYTHING in unread


def answer(
    rule: BoundRule, resource: dict[str, Any], now: int, previous: dict[str, Any] | None = None,
    changes: Sequence[dict[str, Any]] = (),
) -> Evaluation:  # fmt: skip
    """Evaluates one rule on a resource without unread parts; as `RuleSet.evaluate` does, but without evidence."""
    config = resource["config"]
    token = CURRENT.set(Current(config, resource["account"], now, resource["uid"]))
    try:
        data = _data(_with(resource, rule.reads), rule.params, now, previous, changes)
        return _asked(
            rule, environment(rule.must.provider).Activation(data), rule.needs.difference(config)
        )[0]
    finally:
        CURRENT.reset(token)


def _data(
    resource: dict[str, Any], params: Mapping[str, Any], now: int, previous: dict[str, Any] | None,
    changes: Sequence[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """Returns the variables of an expression."""
    return {
        "resource": resource,
        "params": params,
        "now": datetime.fromtimestamp(now / 1e6, UTC),
        "previous": previous,
        "changes": list(changes),
    }


def _with(resource: dict[str, Any], parts: Iterable[str]) -> dict[str, Any]:
    """Returns a resource with only these parts of its configuration."""
    config = resource["config"]
    return resource | {"config": {part: config[part] for part in parts if part in config}}


def _environment(rules: Sequence[BoundRule]) -> Any:
    """The environment of rules of one type, which is one provider's."""
    return environment(rules[0].must.provider if rules else None)


PASSED, FAILED, ELSEWHERE = "1", "0", "-"
LETTERS = {PASSED, FAILED, ELSEWHERE}
_LETTER = {"passed": PASSED, "failed": FAILED, "not_applicable": ELSEWHERE}


def _together(rules: Sequence[BoundRule]) -> Any:
    """Returns one program that evaluates all rules; half of an evaluation's cost is its setup. None if there is
    nothing to gain."""
    if len(rules) < 3:
        return None
    letters = []
    for rule in rules:
        file = rule.rule.file
        letter = f"(({file.must}\n) ? '{PASSED}' : '{FAILED}')"
        if rule.when is not None:
            letter = f"(({file.when}\n) ? {letter} : '{ELSEWHERE}')"
        letters.append(letter)
    return _environment(rules).compile(f"[{', '.join(letters)}].join('')")


def _told(
    rule: BoundRule, letter: str, resource: dict[str, Any], seen: dict[Path, dict[str, Any]],
    hidden: frozenset[str] = NOTHING,
) -> Verdict:  # fmt: skip
    if letter == ELSEWHERE:
        return Verdict(rule, "not_applicable")
    paths = rule.evidence
    if hidden:  # the last known value of an unread part is not evidence
        paths = tuple(path for path in paths if (path[1] if path[0] == "config" else path[0]) not in hidden)  # fmt: skip
    shown = evidence(paths, resource, seen)
    return Verdict(rule, "passed" if letter == PASSED else "failed", "", "", shown)


def _hangs_on(rule: BoundRule, part: str, unread: Mapping[str, UnreadReason]) -> Verdict:
    """Unknown, because the result depends on a part that is not known."""
    why = unread.get(part) or unread.get(EVERYTHING)
    if why is None:
        return Verdict(rule, "unknown", "not_read", f"{part}: never read")
    reason = "stale" if why.reason == "stale" else "unread"
    return Verdict(rule, "unknown", reason, f"{part}: {why.reason} {why.code}".strip())


def _ask(
    rule: BoundRule, resource: dict[str, Any], activation: Any, seen: dict[Path, dict[str, Any]],
    current: Current, unread: Mapping[str, UnreadReason],
) -> Verdict:  # fmt: skip
    hidden = rule.needs.difference(current.config)
    if rule.reads_tags and _tagless(unread):
        hidden |= {TAGS}
    current.missed.clear()
    current.odd.clear()
    evaluation, error = _asked(rule, activation, hidden)
    if evaluation != "unknown":
        return _told(rule, _LETTER[evaluation], resource, seen, hidden)
    if current.missed:  # once that is read the result may differ, or the error remain
        return _hangs_on(rule, current.missed[0], unread)
    paths = rule.must.paths | (rule.when.paths if rule.when else NO_PATHS)
    words = unexpected_values.describe_unexpected(
        resource["type"], paths, resource["config"], error, current
    )
    return Verdict(rule, "unknown", "error", words[:LONGEST], error=error)


def _asked(
    rule: BoundRule, activation: Any, hidden: frozenset[str] = NOTHING
) -> tuple[Evaluation, str]:
    """Evaluates with some parts unread; for `unknown` it returns the error too."""
    if rule.when is not None:
        applies = _eval(program(rule.when, hidden), activation)
        if isinstance(applies, str):
            return "unknown", applies
        if not applies:
            return "not_applicable", ""
    holds = _eval(program(rule.must, hidden), activation)
    if isinstance(holds, str):
        return "unknown", holds
    return ("passed" if holds else "failed"), ""


def _eval(program: Any, activation: Any) -> bool | str:
    """Evaluates the condition; returns a text if the result is not a boolean."""
    try:
        value = program.eval(activation).value()
    except RuntimeError as error:
        return str(error)[:LONGEST]
    return value if isinstance(value, bool) else f"gave no truth value: {str(value)[:200]}"
