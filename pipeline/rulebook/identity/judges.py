"""The questions about an identity's policies. What cannot be understood raises ValueError: the verdict is then unknown.

A policy whose document was not read can only add rights here: what is open without it stays open, and what is not is
unknown. A permissions boundary that was not read leaves everything unknown that it could take away."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from pipeline.rulebook.identity import ways
from pipeline.rulebook.identity.allowed import Allowed, Grant
from pipeline.rulebook.identity.keys import Holder, Request
from pipeline.rulebook.identity.subject import Subject
from pipeline.rulebook.identity.universe import whole

DECRYPTS = ("kms:decrypt", "kms:reencryptfrom")
EVERY_KEY = "kms:{region}:{account}:key/*"
IAM_ONLY = ("iam:*",)


@cache
def services() -> tuple[str, ...]:
    """Prefixes of the actions of every service of AWS, IAM first."""
    known = msgspec.json.decode((files(__package__) / "services.json").read_bytes())
    return ("iam", *(one for one in known if one != "iam"))


def is_admin(subject: Subject, holder: Holder) -> str:
    """By which statements everything is allowed on everything; "" where it is not. All but some is not all, unless what is
    left out is nothing that AWS has; denials count where they take every way of IAM's to more rights."""

    def asked(layers: Sequence[Allowed]) -> str:
        if not all(layer.everything(services()) for layer in layers):
            return ""
        if any(one.denies for one in layers) and not _rules_itself(layers):
            return ""
        return f"every action on every resource ({_places(layers[0])})"

    return _judged(subject, holder, asked)


def holds_iam(subject: Subject, holder: Holder) -> str:
    """is_admin, or all of IAM: who may write that has the rest too."""

    def asked(layers: Sequence[Allowed]) -> str:
        if all(layer.everything(("iam",)) for layer in layers) and _rules_itself(layers):
            return f"every action of IAM on every resource ({_places(layers[0])})"
        return ""

    return is_admin(subject, holder) or _judged(subject, holder, asked)


def escalates(subject: Subject, holder: Holder) -> str:
    """By which way it leads to every right; "" where by none."""
    return _judged(subject, holder, lambda layers: _way(layers, "high"))


def runs_code(subject: Subject, holder: Holder) -> str:
    """By which way it acts with the rights of what already runs; "" where by none."""
    return _judged(subject, holder, lambda layers: _way(layers, "medium"))


def decrypts_everything(subject: Subject, holder: Holder) -> str:
    """By which statement it decrypts with every key of the account, in one region at least; "" where by none."""

    def asked(layers: Sequence[Allowed]) -> str:
        for action in DECRYPTS:
            by = [layer.on(action, EVERY_KEY) for layer in layers]
            if by[0] is not None and all(by):
                return f"decrypts with every key ({action} by {by[0].place})"
        return ""

    return _judged(subject, holder, asked)


def _way(layers: Sequence[Allowed], severity: ways.Severity) -> str:
    found = ways.first(layers, severity)
    return found.text if found else ""


def _judged(subject: Subject, holder: Holder, asked: Callable[[Sequence[Allowed]], str]) -> str:
    layers = [Allowed(subject.documents, holder)]
    said = asked(layers)
    if said and subject.boundary is not None:
        if subject.boundary_unread:
            raise ValueError(f"the boundary {subject.boundary_unread} was not read")
        said = asked([*layers, Allowed(subject.boundary, holder)])
    elif not said and subject.unread and not _bounded(subject, holder, asked):
        raise ValueError(f"the policy {subject.unread[0]} was not read")
    return said


def _bounded(subject: Subject, holder: Holder, asked: Callable[[Sequence[Allowed]], str]) -> bool:
    """Whether the boundary allows none of it, whatever the policies say."""
    if subject.boundary is None or subject.boundary_unread:
        return False
    return not asked([Allowed(subject.boundary, holder)])


def _rules_itself(layers: Sequence[Allowed]) -> bool:
    """Whether denials leave some way of IAM's own."""
    return any(
        all(need.startswith("iam:") for need in one.way.needs) and not one.way.passes
        for one in ways.opened(layers)
    )


def _places(layer: Allowed) -> str:
    asked = Request("*")
    broad = [one.place for one in layer.allows if _broad(one) and layer.can_hold(one, asked)]
    return ", ".join(broad[:3]) or "by several statements"


def _broad(one: Grant) -> bool:
    """Whether a statement is about all of some service's actions."""
    left_out = [] if one.not_actions is None else [one.not_actions]
    return whole("iam", one.actions, left_out)
