"""Compares what a rule looks for with the events that exist: sources, calls, fields, resource types. Pure; knowledge
of AWS's calls is passed in (driftline.collectors.aws.calls)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, get_args, get_origin

from pydantic import BaseModel
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)

from driftline.pipeline.common.yaml_source import nearest
from driftline.pipeline.detections.correlations import Correlation, driftline_block
from driftline.pipeline.detections.match import compile_test
from driftline.pipeline.detections.rule import OWN, OWN_FIELDS, Detection, comparisons, fields_of
from driftline.pipeline.detections.values import EventView
from driftline.pipeline.model.finding import Finding
from driftline.pipeline.model.stream import Actor, Drift, Person
from driftline.pipeline.providers.installed import of_product

MOST_CALLS = 40
"""Maximum number of calls that a name pattern may match for them to be checked individually."""
RECORD = frozenset({
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
    "errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData", "requestID", "eventID",
    "readOnly", "resources", "eventType", "apiVersion", "managementEvent", "recipientAccountId", "serviceEventDetails",
    "sharedEventID", "vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "addendum", "sessionCredentialFromConsole",
    "edgeDeviceDetails", "tlsDetails", "insightDetails", "eventContext",
})  # fmt: skip
"""Fields of a CloudTrail record, from its user guide."""
IDENTITY = frozenset({
    "type", "userName", "principalId", "arn", "accountId", "accessKeyId", "sessionContext", "sessionIssuer", "attributes",
    "creationDate", "mfaAuthenticated", "invokedBy", "webIdFederationData", "federatedProvider", "sourceIdentity", "userId",
    "identityProvider", "identityStoreArn", "onBehalfOf", "credentialId", "inScopeOf", "sourceArn", "sourceAccount", "issuerType",
    "credentialsIssuedTo", "ec2RoleDelivery", "assumedRoot", "inviteeAccount",
})  # fmt: skip
"""Every name below `userIdentity`."""
MADE: dict[type[BaseModel], tuple[str, ...]] = {Actor: ("principal",), Person: ("distinct",)}
"""Fields of events that are not in a model (driftline.pipeline.people.identity.identify)."""
SEEN = "if you have seen the event, list it in driftline: {undocumented: […]}"
STEPS = frozenset({"items", "member", "tag", "content"})
"""Wrappers of lists in the parameters of some requests."""


class KnownCalls(Protocol):
    """Knowledge of the calls that CloudTrail records. A source is the first label of `eventSource`."""

    def sources(self) -> Collection[str]: ...
    def names(self, source: str, /) -> Collection[str]: ...
    def versions(self, source: str, event: str, /) -> Sequence[str]: ...
    def versioned(self, source: str, event: str, /) -> Sequence[str]: ...
    def relatives(self, source: str, event: str, /) -> Sequence[str]: ...
    def places(self, source: str, event: str, /) -> Mapping[str, str]: ...
    def plain(self, path: str, /) -> str: ...
    def members(self, source: str, event: str, /) -> Collection[str]: ...
    def free(self, source: str, event: str, /) -> Collection[str]: ...
    def names_resource(self, source: str, event: str, /) -> bool: ...


class EventNameTest(NamedTuple):
    """A comparison of `eventName`, the sources that it applies to, and the known calls that it matches."""

    comparison: ConditionFieldEqualsValueExpression
    sources: tuple[str, ...]
    calls: tuple[tuple[str, str], ...]
    """Source and name."""


def is_audit(rule: Detection) -> bool:
    """Whether the rule is about an audit log whose calls and fields are known (`KnownCalls`)."""
    own = of_product(rule.logsource.get("product", ""))
    if own is None or not own.audit.catalogued:
        return False
    return rule.logsource.get("service") == own.audit.service


def asked(rule: Detection, knows: KnownCalls) -> list[EventNameTest]:
    """The comparisons of a rule, without those that only exclude."""
    return [one for tree in rule.trees for one in _asked(tree, (), knows)]


def calls(rule: Detection, knows: KnownCalls) -> list[tuple[str, str]]:
    """The calls that a rule is about, as source and name; empty if there are too many to check."""
    found = {one for each in asked(rule, knows) for one in each.calls}
    return sorted(found) if len(found) <= MOST_CALLS else []


def _asked(tree: Any, sources: tuple[str, ...], knows: KnownCalls) -> Iterator[EventNameTest]:
    if isinstance(tree, ConditionNOT):
        return
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        if tree.field == "eventName":
            yield EventNameTest(tree, sources, tuple(_meant(tree, sources, knows)))
        return
    own = _sources(tree) if isinstance(tree, ConditionAND) else ()
    for arg in getattr(tree, "args", ()):
        yield from _asked(arg, own or sources, knows)


def _sources(tree: Any) -> tuple[str, ...]:
    """The sources of which a condition requires one."""
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        return (str(tree.value).partition(".")[0],) if tree.field == "eventSource" else ()
    found = [_sources(arg) for arg in tree.args] if isinstance(tree, ConditionAND | ConditionOR) else []  # fmt: skip
    if isinstance(tree, ConditionOR) and not all(found):
        return ()
    return tuple(dict.fromkeys(one for each in found for one in each))


def _meant(
    tree: ConditionFieldEqualsValueExpression, sources: Sequence[str], knows: KnownCalls
) -> Iterator[tuple[str, str]]:
    holds, nothing = compile_test(tree.value), EventView({})
    for source in sources:
        for name in sorted(knows.names(source)):
            if any(holds(nothing, [written]) for written in (name, *knows.versioned(source, name))):
                yield source, name


def problems(rule: Detection, knows: KnownCalls, types: Collection[str]) -> Iterator[str]:
    """What a rule looks for that no event can have."""
    if is_audit(rule):
        yield from _unknown_sources(rule, knows)
        yield from _unknown_calls(rule, knows)
    for one in comparisons(rule.trees):
        for name in fields_of(one):
            if why := field_problem(rule, name, knows):
                yield why
        if (
            one.field == f"{OWN}.resource_type"
            and "*" not in (type := str(one.value))
            and type not in types
        ):
            yield f"{one.field}: no type {type!r}{nearest(type, types)}"
    for name in driftline_block(rule.about).get("group-by") or ():
        yield from _group(rule, str(name), knows)


def _unknown_sources(rule: Detection, knows: KnownCalls) -> Iterator[str]:
    seen = driftline_block(rule.about).get("undocumented") or ()
    for one in comparisons(rule.trees):
        if one.field == "eventSource" and "*" not in (text := str(one.value)):
            label, _, rest = text.partition(".")
            if rest != "amazonaws.com" and label in knows.sources():
                yield f"eventSource: {text!r} is not a CloudTrail source (write for example ec2.amazonaws.com)"
            elif label not in knows.sources() and text not in seen:
                close = nearest(label, knows.sources())
                yield f"eventSource: no service {text!r}{close if 'did you mean' in close else ''}; {SEEN}"


def _unknown_calls(rule: Detection, knows: KnownCalls) -> Iterator[str]:
    seen = driftline_block(rule.about).get("undocumented") or ()
    for one in asked(rule, knows):
        known = {name for source in one.sources for name in knows.names(source)}
        if one.calls or not all(map(knows.names, one.sources)) or not known:
            continue
        text = str(one.comparison.value)
        if text not in seen:
            yield (
                f"eventName: {', '.join(one.sources)} has no call {text!r}{nearest(text, known)}; {SEEN}"
            )


def field_problem(rule: Detection, field: str, knows: KnownCalls) -> str | None:
    """Why no event of a rule's log source can have a field."""
    first, _, rest = field.partition(".")
    product, service = rule.logsource.get("product"), rule.logsource.get("service")
    if first == OWN:
        own, _, below = rest.partition(".")
        if own not in OWN_FIELDS:
            return f"{field}: no such field{nearest(own, OWN_FIELDS)}"
        return _unknown_step(field, below, Actor) if own == "actor" else None
    if product == OWN and service in ("finding", "drift"):
        model: Any = {"finding": Finding, "drift": Drift}[service]
        if first != service:
            return f"{field}: no such field{nearest(first, (service, OWN))}"
        return _unknown_step(field, rest, model)
    if not is_audit(rule):
        return None
    if first not in RECORD:
        return f"{field}: CloudTrail has no such field{nearest(first, RECORD)}"
    if first == "userIdentity":
        unknown = next((step for step in rest.split(".") if rest and step not in IDENTITY), None)
        return (
            f"{field}: CloudTrail has no such field{nearest(unknown, IDENTITY)}"
            if unknown
            else None
        )
    return _parameter(rule, field, rest, knows) if first == "requestParameters" else None


def _unknown_step(field: str, path: str, model: type[BaseModel]) -> str | None:
    """Why a path does not exist in a model, at any depth. Anything may exist below values without fixed fields (maps)."""
    step, _, rest = path.partition(".")
    if not step:
        return None
    names = {*model.model_fields, *MADE.get(model, ())}
    if step not in names:
        return f"{field}: no such field{nearest(step, names)}"
    known = model.model_fields.get(step)
    below = _model_in(known.annotation) if known else None
    return _unknown_step(field, rest, below) if below else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a field or its elements."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is dict:
        return None
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _parameter(rule: Detection, field: str, path: str, knows: KnownCalls) -> str | None:
    """Why none of the calls that a rule names has a parameter. Checked only if the parameters of all of them are known."""
    asked_for = calls(rule, knows)
    found = [knows.members(source, name) for source, name in asked_for]
    if not found or not all(found):
        return None
    known = frozenset[str]().union(*found)
    free = frozenset[str]().union(*(knows.free(source, name) for source, name in asked_for))
    for step in path.split(".") if path else ():
        if step not in known and step not in STEPS and not step.endswith("Request"):
            return f"{field}: no call that it names has such a parameter{nearest(step, known)}"
        if step in free:
            return None
    return None


def _group(rule: Detection, field: str, knows: KnownCalls) -> Iterator[str]:
    """Problems with grouping a rule's events by a field."""
    if why := field_problem(rule, field, knows):
        yield why
    about = calls(rule, knows) if is_audit(rule) and field == f"{OWN}.uid" else []
    if about and not any(knows.names_resource(*one) for one in about):
        yield (
            f"{field}: {', '.join(name for _, name in about)} of {rule.name or rule.title!r} concerns no resource of a type that "
            "Driftline reads, so the field is the account's there (group by another field)"
        )  # fmt: skip


def correlation_problems(one: Correlation, rules: Mapping[str, Detection], knows: KnownCalls) -> Iterator[str]:  # fmt: skip
    """Problems with the fields that a correlation groups by and counts."""
    seen: set[str] = set()
    for id in one.rules:
        rule = rules.get(id)
        if rule is None:
            continue
        fields = [one.field_of(name, id, rule.name) for name in one.group_by]
        found = [why for field in fields for why in _group(rule, field, knows)]
        counted = [one.field_of(name, id, rule.name) for name in one.counted]
        found += [why for field in counted if (why := field_problem(rule, field, knows))]
        for why in found:
            if why not in seen:
                seen.add(why)
                yield why
