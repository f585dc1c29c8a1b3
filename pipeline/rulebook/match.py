"""Which documents a sink takes: a CEL condition over what a finding, a drift or an alert says. Pure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from driftline.pipeline.rulebook.cel.expression import ExpressionError, reason_of

FACTS: dict[str, str] = {
    "topic": "findings, drift or alerts",
    "severity": "informational, low, medium, high or critical; of drift empty",
    "transition": "whether something changed: false for a finding that is only written again",
    "status": "a finding's status, an alert's state",
    "rule": "the rule's id",
    "family": "the rule's family: storage-public, mfa-missing",
    "frameworks": "framework id to control ids",
    "provider": "aws",
    "account": "the account's id; of alerts empty",
    "path": "ids and names of the account and of everything above it",
    "region": "the resource's region",
    "resource_type": "the resource's type",
    "tags": "the resource's tags",
    "owner": "who answers for the resource; empty where nobody is known",
    "document": "the whole document (pipeline/schemas)",
}
"""The variables of a condition. What a document does not have is empty, never missing."""


class MatchResult(NamedTuple):
    """Whether a document matches. None: the condition has no answer for it, and `why` says so."""

    holds: bool | None
    why: str = ""

    @property
    def takes(self) -> bool:
        """Whether a sink is given the document. Without an answer it is: better one too many than one lost."""
        return self.holds is not False


@cache
def _environment() -> Any:
    text, texts = cel.Type.STRING, cel.Type.List(cel.Type.STRING)
    kinds = {
        "transition": cel.Type.BOOL, "path": texts, "tags": cel.Type.Map(text, text),
        "frameworks": cel.Type.Map(text, texts), "document": cel.Type.DYN,
    }  # fmt: skip
    return cel.NewEnv(
        variables={name: kinds.get(name, text) for name in FACTS},
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )


def facts(topic: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The variables for a document. `topic`: without the deployment's prefix. Raises for what is none of ours."""
    resource, rule = document.get("resource") or {}, document.get("rule") or {}
    rule = rule if isinstance(rule, Mapping) else {"id": rule}  # an alert has its rule's id only
    return {
        "topic": topic,
        "severity": rule.get("severity") or document.get("severity") or "",
        "transition": is_transition(topic, document),
        "status": document.get("status") or document.get("state") or "",
        "rule": rule.get("id", ""),
        "family": rule.get("family") or "",
        "frameworks": rule.get("frameworks") or {},
        "provider": resource.get("provider", ""),
        "account": resource.get("account", ""),
        "path": account_path(resource),
        "region": resource.get("region", ""),
        "resource_type": resource.get("type", ""),
        "tags": resource.get("tags") or {},
        "owner": (document.get("owner") or {}).get("id", ""),
        "document": document,
    }


def is_transition(topic: str, document: Mapping[str, Any]) -> bool:
    """Whether a document says that something changed, and not only that it still is so."""
    return topic != "restatements" and not document.get("restated")


def account_path(resource: Mapping[str, Any]) -> list[str]:
    """Ids and names of a resource's account and of everything above it, as far as they are known."""
    account = resource.get("cloud_account") or {"id": resource.get("account", "")}
    places = [account, *account.get("ancestors", ())]
    return [place[key] for place in places for key in ("id", "name") if place.get(key)]


class Match:
    """A compiled condition. Raises ExpressionError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._program = _program(text)

    def verdict(self, topic: str, document: Mapping[str, Any]) -> MatchResult:
        """Whether a document matches."""
        return _asked(self._program, facts(topic, document))

    def takes(self, topic: str, document: Mapping[str, Any]) -> bool:
        """Whether a sink is given a document."""
        return self.verdict(topic, document).takes

    def explained(
        self, topic: str, document: Mapping[str, Any]
    ) -> Iterator[tuple[str, MatchResult]]:
        """Each part that must hold, and whether it does."""
        known = facts(topic, document)
        try:
            parts = [(part, _program(part)) for part in _conjuncts(self.text)]
        except ExpressionError:
            parts = [(self.text, self._program)]
        for part, program in parts:
            yield part, _asked(program, known)


def _program(text: str) -> Any:
    try:
        program = _environment().compile(text)
    except RuntimeError as error:
        raise reason_of(error) from None
    if (kind := program.return_type().name()) not in ("BOOL", "DYN"):
        raise ExpressionError(
            f"gives {kind.lower()}, not true or false (compare it with something)"
        )
    return program


def _asked(program: Any, known: Mapping[str, Any]) -> MatchResult:
    try:
        value = program.eval(_environment().Activation(known))
    except RuntimeError as error:
        return MatchResult(None, str(error).splitlines()[0])
    found = value.value()
    if isinstance(found, bool):
        return MatchResult(found)
    return MatchResult(None, str(found).splitlines()[0][:200])


def _conjuncts(text: str) -> list[str]:
    """The parts between `&&` that stand in no bracket and no quotes; the whole where an `||` stands beside them."""
    parts, depth, quote, begin, at = list[str](), 0, "", 0, 0
    while at < len(text):
        letter = text[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif depth == 0 and text[at : at + 2] == "||":
            return [text]
        elif depth == 0 and text[at : at + 2] == "&&":
            parts.append(text[begin:at].strip())
            begin = at = at + 2
            continue
        at += 1
    return [*parts, text[begin:].strip()]
