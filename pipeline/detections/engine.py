"""The detection engine: takes a change, a transition of a finding or a drift, and returns signals, one for each
correlation and group that uses the match. Pure.

A rule that alerts by itself is a correlation of its own: one match is enough, and further ones within an hour belong
to the same alert. A rule of level `informational` only serves correlations."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.detections.correlations import Correlation, driftline_block
from driftline.pipeline.detections.index import DetectionIndex
from driftline.pipeline.detections.load import DetectionSet
from driftline.pipeline.detections.observed import (
    ObservedEvent,
    known_owner,
    of_change,
    of_drift,
    of_finding,
    posture,
    related,
)
from driftline.pipeline.detections.rule import OWN, Detection
from driftline.pipeline.detections.values import EventView, text_of
from driftline.pipeline.model import Change, from_micros, to_micros
from driftline.pipeline.model.finding import named_uuid
from driftline.pipeline.people.identity import NOBODY_MAPPED, People
from driftline.pipeline.providers.installed import provider as facts
from driftline.pipeline.rulebook import RuleSet
from driftline.pipeline.state.resource import Body

LATENESS = 600_000_000
"""Default lateness of signals (settings correlate.lateness), in microseconds."""
BEHIND = tuple(f"{OWN}.actor.{name}" for name in ("person", "principal", "chain"))
"""Prefix of the fields that name the person behind a session."""
MOST_GROUPS = 16
"""Maximum number of groups per match: a group-by field may be a list (the related resources)."""
MOST_VALUES = 100
"""Maximum number of counted values per match, where the field is a list."""
GROUPS = {"finding": ("driftline.uid",), "drift": ("driftline.uid",)}
BY_WHOM = ("driftline.actor.person.id", "driftline.account")
"""Default grouping of a rule that alerts by itself; `driftline: {group-by: …}` overrides it."""
EVERY = f"{OWN}.resources"
"""The uids of all resources that an event names."""
ONE = (f"{OWN}.uid", f"{OWN}.target")
"""The uid of the resource that a change is about."""


class DetectionEngine:
    """Evaluates all detections. `lateness`: how late a signal may still change an alert, in microseconds."""

    def __init__(
        self, found: DetectionSet, people: People = NOBODY_MAPPED, lateness: int = LATENESS
    ) -> None:
        self.found, self.people, self.lateness = found, people, lateness
        self.patience = lateness // 2
        """How long a first_seen correlation waits for the person behind a session to become known, in microseconds."""
        self._by_person = DetectionIndex(
            rule for rule in found.rules.values() if any(name.startswith(BEHIND) for name in rule.fields)
        )  # fmt: skip
        """Rules that may match only once the person behind a session is known."""
        self.matched: Callable[[Detection, ObservedEvent], None] | None = None
        """Called with every match, including those that no correlation uses, so that the caller can count them."""
        self.parts = _parts(found)
        """Rules and correlations that do not alert by themselves, because a correlation refers to them."""
        self.correlations: dict[str, Correlation] = dict(found.correlations)
        self.correlations |= {
            rule.id: single_rule_correlation(rule)
            for rule in found.rules.values()
            if rule.id not in self.parts and rule.level != "informational"
        }
        self._standing_rules = {
            one.id: frozenset([*one.standing, *one.standing.values()])
            for one in found.correlations.values()
            if one.standing
        }
        """By correlation: the standing rules, and those that end them."""
        self._by_rule: dict[str, list[Correlation]] = {}
        for one in self.correlations.values():
            for rule in one.rules:
                self._by_rule.setdefault(rule, []).append(one)

    def __bool__(self) -> bool:
        return bool(self.correlations)

    def known_of(self, body: Body | None, rules: RuleSet | None) -> dict[str, Any]:
        """Returns what is known about an event's resource at the time of the event. `rules`: those of the resource's
        type."""
        if body is None:
            return {"known": False}
        name = (body.resource.get("cloud_account") or {}).get("name")
        known = {"known": not body.unseen} | posture(body, rules) | {"related": related(body)}
        return known | ({"account_name": name} if name else {}) | known_owner(body)

    def event(
        self, record: Change, known: Mapping[str, Any], past: Mapping[str, Any] | None = None
    ) -> ObservedEvent:
        """Builds the observed event of a change. `known`: see `known_of`; `past`: the chain of the actor's session."""
        return of_change(record, known, self.people, past)

    def event_signals(self, event: ObservedEvent) -> list[tuple[bytes, dict[str, Any]]]:
        """Returns the signals of an event, each with its record key."""
        return list(_keyed(self.signals(event)))

    def learns(self, signal: Mapping[str, Any]) -> bool:
        """Returns whether a signal is for a correlation that cannot forget it."""
        return self.correlations[signal["correlation"]].kind == "first_seen"

    def depends_on_actor(self, event: ObservedEvent) -> bool:
        """Returns whether a rule may match an audit event once more is known about its actor."""
        rules = self._by_person.of(event.product, event.service).rules
        if not rules:
            return False
        own = {key: value for key, value in event.fields[OWN].items() if key != "actor"}
        view = EventView({**event.fields, OWN: own})
        return any(rule.may_match(view) for rule in rules)

    def finding(
        self, finding: Mapping[str, Any], body: Body, *, first_reading: bool = False
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Returns the signals of a finding's transition. `first_reading`: it may have been so since the resource was
        first read."""
        event = of_finding(finding, body, self.people, first_reading=first_reading)
        return _keyed(self.signals(event))

    def state_signals(
        self, finding: Mapping[str, Any], body: Body
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Returns the signals of a finding that is only restated, for correlations to which it is standing."""
        if not self._standing_rules:
            return iter(())
        event = of_finding(finding, body, self.people)
        at = finding["last_seen"]
        again = event._replace(id=f"{finding['id']}:stands:{at}", at=to_micros(at) or 0)
        return _keyed(self.signals(again, state=True))

    def drift(
        self, drift: Mapping[str, Any], body: Body, rules: RuleSet | None
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Returns the signals of a drift."""
        return _keyed(self.signals(of_drift(drift, body, rules, self.people)))

    def wants_of(self, provider: str) -> Callable[[Mapping[str, Any]], bool]:
        """Returns the question whether a rule may match an audit event, as that provider writes it, so that it is kept
        although it is a read-only or data event. Of Driftline's own fields only those that the event itself determines
        are known."""
        log = facts(provider).audit

        def wants(record: Mapping[str, Any]) -> bool:
            own = {"type": "change"} | ({"kind": "read"} if log.only_reads(record) else {})
            return self.found.may_match(EventView({**record, OWN: own}), log.product, log.service)

        return wants

    def signals(self, event: ObservedEvent, *, state: bool = False) -> Iterator[dict[str, Any]]:
        """Returns the signals of an event as Signal documents. `state`: a restatement, not an event."""
        view = EventView(event.fields)
        for rule in self.found.matching(view, event.product, event.service):
            if self.matched and not state:
                self.matched(rule, event)
            for one in self._by_rule.get(rule.id, ()):
                stands = rule.id in self._standing_rules.get(one.id, ())
                if state and not stands:
                    continue
                value = _counted(view, one, rule) if one.counted else None
                if stands:
                    value = event.brief.get("finding")
                for group in groups(one, rule.id, rule.name, view):
                    brief = event.brief | {"rule": rule.title}
                    new = signal(one, rule.id, group, event.id, event.at, value, brief, event.uid)
                    yield new | {"state": True} if state else new

    def withdrawal(
        self, correlation: str, group: str, rule: str, event: str, at: int
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Returns the withdrawal of a signal; nothing if its correlation no longer exists."""
        if (one := self.correlations.get(correlation)) is not None:
            found = signal(one, rule, group.split("\n"), event, at, None, {}, None)
            yield from _keyed(iter([found | {"gone": True}]))

    def alert_signals(self, alert: Mapping[str, Any]) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Returns the signals of an alert, for correlations of correlations."""
        return _keyed(self._alert_signals(alert))

    def _alert_signals(self, alert: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if alert["rule"] not in self.found.correlations:
            return  # correlations use the matches of a rule that alerts by itself, not its alerts
        one, at = self.correlations[alert["rule"]], to_micros(alert["at"]) or 0
        group = alert["group"]
        for higher in self._by_rule.get(one.id, ()):
            key = tuple(str(group.get(higher.field_of(name, one.id, one.name)) or "") for name in higher.group_by)  # fmt: skip
            if not all(key):
                continue  # a field is missing: no group
            brief = {"at": alert["at"], "rule": one.title, "alert": alert["id"]} | _of_group(group)
            value = _together(
                [[text] if (text := group.get(name)) else [] for name in higher.counted]
            )
            uid = next(iter(alert["resources"]), None)
            new = signal(higher, one.id, key, alert["id"], at, value, brief, uid)
            yield new | {"gone": True} if alert["state"] in ("merged", "withdrawn") else new


def _of_group(group: Mapping[str, str]) -> dict[str, str]:
    """Returns what an alert's group says about actor and resource; it does not change as more becomes known."""
    names = {
        "who": "driftline.actor.person.id",
        "resource": "driftline.uid",
        "account": "driftline.account",
    }
    return {key: group[name] for key, name in names.items() if group.get(name)}


def _parts(found: DetectionSet) -> frozenset[str]:
    """Returns the rules that only serve correlations: all that a correlation refers to, as in Sigma, unless one sets
    `generate: true` and none sets `generate: false`."""
    said: dict[str, set[bool | None]] = {}
    for one in found.correlations.values():
        for rule in one.rules:
            said.setdefault(rule, set()).add(one.generate)
    return frozenset(id for id, words in said.items() if False in words or True not in words)


def single_rule_correlation(rule: Detection) -> Correlation:
    """Returns the correlation of a rule that alerts by itself."""
    group_by = driftline_block(rule.about).get("group-by")
    default = GROUPS.get(rule.logsource.get("service", ""), BY_WHOM) if rule.logsource.get("product") == OWN else BY_WHOM  # fmt: skip
    return Correlation(
        rule.id, rule.title, rule.level, "event_count", (rule.id,), tuple(group_by or default), HOUR, (("gte", 1),),
        called={rule.id: rule.id}, name=rule.name, tags=rule.tags, path=rule.path, about=rule.about,
    )  # fmt: skip


def signal(
    one: Correlation, rule: str, group: Sequence[str], event: str, at: int, value: Any, brief: dict[str, Any],
    uid: str | None,
) -> dict[str, Any]:  # fmt: skip
    """Builds a Signal document."""
    name = "\n".join(group)
    id = named_uuid(f"signal\n{one.id}\n{name}\n{rule}\n{event}")
    out: dict[str, Any] = {
        "id": id, "detection": rule, "correlation": one.id, "group": name, "event": event, "at": from_micros(at),
        "fields": brief,
    }  # fmt: skip
    if uid:
        out["uid"] = uid
    if value is not None:
        out["value"] = value
    return out


def _keyed(signals: Iterator[dict[str, Any]]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Adds the record keys: all records of a group go to one partition."""
    for one in signals:
        yield f"{one['correlation']}\n{one['group']}".encode(), one


def groups(
    one: Correlation, rule: str, called: str | None, view: EventView
) -> list[tuple[str, ...]]:
    """Returns the groups of a match: one for each element of a list, at most 16. None if a field is missing, null or
    empty: unknown values are never treated as equal."""
    found = []
    for name in one.group_by:
        texts = _texts(view, one.field_of(name, rule, called))
        own = {text.replace("\n", " ") for text in texts} - {
            ""
        }  # the name of a group has one value per line
        if not own:
            return []
        found.append(sorted(own))
    return list(itertools.islice(itertools.product(*found), MOST_GROUPS))


def _texts(view: EventView, name: str) -> Iterator[str]:
    """Returns the values of a field; every element of a list."""
    for value in view.values(name):
        if (text := text_of(value)) is not None:
            yield text


def _counted(view: EventView, one: Correlation, rule: Detection) -> str | list[str] | None:
    """Returns what a correlation counts or aggregates: all distinct values, or the first number."""
    fields = [one.field_of(name, rule.id, rule.name) for name in one.counted]
    if (
        len(view.values(EVERY)) > 1
    ):  # one event about several resources is one hit that counts all of them
        fields = [EVERY if field in ONE else field for field in fields]
    found = [list(dict.fromkeys(_texts(view, field))) for field in fields]
    if one.kind not in ("value_count", "first_seen"):
        return found[0][0] if found and found[0] else None
    return _together(found)


def _together(found: Sequence[Sequence[str]]) -> str | list[str] | None:
    """Returns the values of one field, or of several combined. None if one of them has no value."""
    if len(found) == 1:
        values = list(found[0][:MOST_VALUES])
    else:
        every = itertools.islice(itertools.product(*found), MOST_VALUES)
        values = [orjson.dumps(one).decode() for one in every] if found else []
    return values[0] if len(values) == 1 else values or None
