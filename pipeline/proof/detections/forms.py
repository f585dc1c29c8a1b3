"""The forms in which an audit log may report what a detection looks for. Each must be covered by an example that fires or
one that is silent. Pure; knowledge of AWS's calls is passed in."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from driftline.pipeline.detections.rule import Detection, comparisons
from driftline.pipeline.proof.detections import proof
from driftline.pipeline.proof.detections.events import KnownCalls, asked, is_audit

PARAMETERS = "requestParameters"
_ALIKE = re.compile(r"v[46]$|(names?|ids?|s)$")


class CallForm(NamedTuple):
    """A form, and whether an example covers it."""

    call: str
    """`source:name`"""
    what: str
    """`call`, `relative` (another call about the same thing), `version` or `place` (of a parameter)."""
    written: str
    """The event's name, or the path below `requestParameters`."""
    shown: bool


def forms(rule: Detection, knows: KnownCalls) -> Iterator[CallForm]:
    """For each call that a rule names: itself, its relatives, its name with a version, and the places of the parameters that
    the rule checks. Raises KeyError, TypeError or ValueError for an invalid example."""
    if not is_audit(rule):
        return
    examples = [event for kind in proof.KINDS for _, event in proof.events(rule, kind)]
    named = {call for one in asked(rule, knows) for call in one.calls if _by_name(one.comparison, call[1])}  # fmt: skip
    shown = {str(event.get("eventName")) for event in examples}
    looked = {_alike(path) for path in _parameters(rule, knows)}
    said = {knows.plain(path) for event in examples for path in _paths(event.get(PARAMETERS))}
    for source, name in sorted(named):
        call = f"{source}:{name}"
        versions = [f"{name}{version}" for version in knows.versions(source, name)]
        own = [one for one in shown if one == name or any(map(one.startswith, versions))]
        yield CallForm(call, "call", name, bool(own))
        for version in versions:
            yield CallForm(call, "version", version, any(one.startswith(version) for one in shown))
        for other in knows.relatives(source, name):
            if (source, other) not in named:
                yield CallForm(call, "relative", other, _is_shown(other, source, shown, knows))
        for plain, written in knows.places(source, name).items():
            if _alike(plain) in looked:
                yield CallForm(call, "place", written, plain in said)


def _by_name(comparison: Any, name: str) -> bool:
    """Whether a comparison names a single call, with or without its version, rather than a pattern."""
    return str(comparison.value).removesuffix("*").startswith(name)


def _is_shown(name: str, source: str, shown: set[str], knows: KnownCalls) -> bool:
    return name in shown or any(one.startswith(name + v) for v in knows.versions(source, name) for one in shown)  # fmt: skip


def _parameters(rule: Detection, knows: KnownCalls) -> Iterator[str]:
    """The parameters that a rule compares, in normalized form."""
    for one in comparisons(rule.trees):
        if one.field.startswith(f"{PARAMETERS}."):
            yield knows.plain(one.field.removeprefix(f"{PARAMETERS}."))


def _alike(path: str) -> str:
    """A parameter's name, normalized over singular and plural, and IP versions."""
    return _ALIKE.sub("", _ALIKE.sub("", path.rpartition(".")[2]))


def _paths(value: Any, above: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _paths(item, f"{above}.{key}" if above else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, above)
    else:
        yield above
