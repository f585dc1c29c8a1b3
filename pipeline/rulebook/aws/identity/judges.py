"""The questions about an identity's policies. What cannot be understood raises ValueError: the verdict is then unknown.

A policy that was not read may allow what the others don't, and may deny what they allow. So nothing is known of an
identity that has one, except what denials or its permissions boundary rule out. A boundary that was not read leaves everything
unknown that it could take away."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from driftline.pipeline.rulebook.aws.identity import ways
from driftline.pipeline.rulebook.aws.identity.allowed import Allowed
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import Subject

DECRYPTS = ("kms:decrypt", "kms:reencryptfrom")
MOST_PLACES = 50
"""Statements that are looked at one by one."""
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
EVERY_KEY = "kms:{region}:{account}:key/*"


class Answer(NamedTuple):
    """Yes, and why."""

    what: str
    """Follows "who holds the policies can"."""
    actions: tuple[str, ...]
    places: tuple[str, ...]
    """The statements that allow it."""


Layers = Sequence[Allowed]
"""An identity's policies, and what bounds them: what counts is allowed by all."""


@cache
def services() -> tuple[str, ...]:
    """Prefixes of the actions of every service of AWS, IAM first."""
    known = msgspec.json.decode((files(__package__) / "services.json").read_bytes())
    return ("iam", *(one for one in known if one != "iam"))


def is_admin(subject: Subject, holder: Holder) -> Answer | None:
    """By which statements everything is allowed on everything; None where it is not. All but some is not all, unless what is
    left out is nothing that AWS has; denials count where they take every way of IAM's to more rights."""
    return _judged(subject, holder, _admin)


def holds_iam(subject: Subject, holder: Holder) -> Answer | None:
    """is_admin, or all of IAM: who may write that has the rest too."""
    return _judged(subject, holder, lambda layers: _admin(layers) or _iam(layers))


def escalates(subject: Subject, holder: Holder) -> Answer | None:
    """By which way it leads to every right; None where by none."""
    return _judged(subject, holder, lambda layers: _way(layers, "high"))


def runs_code(subject: Subject, holder: Holder) -> Answer | None:
    """By which way it acts with the rights of what already runs; None where by none."""
    return _judged(subject, holder, lambda layers: _way(layers, "medium"))


def decrypts_everything(subject: Subject, holder: Holder) -> Answer | None:
    """By which statement it decrypts with every key of the account, in one region at least; None where by none."""

    def asked(layers: Layers) -> Answer | None:
        for action in DECRYPTS:
            by = [layer.on(action, EVERY_KEY) for layer in layers]
            if by[0] is not None and all(by):
                return Answer("decrypt with every key", (action,), (by[0].place,))
        return None

    return _judged(subject, holder, asked)


def _admin(layers: Layers) -> Answer | None:
    if not all(layer.everything(services()) for layer in layers):
        return None
    if any(one.denies for one in layers) and not _rules_itself(layers):
        return None
    return Answer("do everything on every resource", ("*",), _places(layers[0], services()))


def _iam(layers: Layers) -> Answer | None:
    if all(layer.everything(("iam",)) for layer in layers) and _rules_itself(layers):
        return Answer("do everything in IAM", ("iam:*",), _places(layers[0], ("iam",)))
    return None


def _way(layers: Layers, severity: ways.Severity) -> Answer | None:
    found = ways.first(layers, severity)
    if found is None:
        return None
    places = dict.fromkeys(one.place for one in found.by)
    return Answer(found.what, found.actions, tuple(places))


Question = Callable[[Layers], Answer | None]


def _judged(subject: Subject, holder: Holder, asked: Question) -> Answer | None:
    said = _decided(subject, holder, asked)
    if said and subject.boundary_unread:
        raise subject.boundary_unread.why
    if subject.unread and not _ruled_out(subject, holder, asked):
        raise subject.unread[0].why
    return said


def _decided(subject: Subject, holder: Holder, asked: Question) -> Answer | None:
    """The answer where it is the same whatever that means which cannot be evaluated. Raises ValueError where not."""
    least = _layers(subject, holder, most=False)
    said = asked(least)
    odd = [why for layer in least for why in layer.odd]
    if said or not odd or not asked(_layers(subject, holder, most=True)):
        return said
    raise odd[0]


def _layers(subject: Subject, holder: Holder, *, most: bool, unread: bool = False) -> Layers:
    """The policies, with one that allows everything for those that were not read; and what of the boundary is known."""
    more = {"any other policy": EVERYTHING} if unread else {}
    layers = [Allowed({**subject.documents, **more}, holder, most=most)]
    if subject.boundary is not None and not subject.boundary_unread:
        layers.append(Allowed(subject.boundary, holder, most=most))
    return layers


def _ruled_out(subject: Subject, holder: Holder, asked: Question) -> bool:
    """Whether denials and the boundary leave none of it, whatever else is allowed."""
    return not asked(_layers(subject, holder, most=True, unread=True))


def _rules_itself(layers: Layers) -> bool:
    """Whether denials leave some way of IAM's own."""
    return any(
        all(need.startswith("iam:") for need in one.way.needs) and not one.way.passes
        for one in ways.opened(layers)
    )


def _places(layer: Allowed, asked: Sequence[str]) -> tuple[str, ...]:
    """The statements that allow all of these services alone; else some of which none can be missing."""
    alone = [one.place for one in layer.allows if layer.only([one]).everything(asked)]
    if alone:
        return tuple(alone)
    needed = [one for one in layer.allows if layer.broad(one)]
    if not layer.only(needed).everything(asked):
        needed = list(layer.allows)
    for one in tuple(needed) if len(needed) <= MOST_PLACES else ():
        others = [other for other in needed if other is not one]
        if layer.only(others).everything(asked):
            needed = others
    return tuple(one.place for one in needed)
