"""Tests content by its examples: they fire, and near misses stay silent. Pure.

A rule's examples are small changes to a base event; `calls` makes one for each of these event names. They must detect
each small mutation of the condition. A correlation's examples are steps: `like` takes the base event of a rule by
its name (`stands: true`: only as a repetition), `at` (minutes `5m`, days `3d`) is its time; `times` repeats it, one second apart, `each` makes a field (or each of a list) differ each time. The person of an actor
(`driftline.actor.person`) is derived from the actor as for an event, unless an example states it."""

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from driftline.pipeline.common.durations import SECOND
from driftline.pipeline.common.yaml_source import nearest
from driftline.pipeline.correlate import Hit
from driftline.pipeline.correlate.runs import runs
from driftline.pipeline.detections.correlations import Correlation, driftline_block
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.observed import ObservedEvent
from driftline.pipeline.detections.rule import OWN, Detection, closure
from driftline.pipeline.detections.values import EventView
from driftline.pipeline.model import from_micros, to_micros
from driftline.pipeline.people.identity import identify
from driftline.pipeline.proof.detections.mutants import survivors
from driftline.pipeline.providers.installed import event_fields, of_product

BEGIN = 1_700_000_000_000_000
HOURS = 72
"""How far time advances after the last step, so that absences are evaluated."""
KINDS = ("fires", "silent")


def problems(watch: DetectionEngine, ids: Collection[str] | None = None) -> Iterator[str]:
    """The problems of examples, with their locations. `ids`: only these rules and correlations."""
    for rule in watch.found.rules.values():
        if ids is None or rule.id in ids:
            yield from (f"{place(rule)}: {why}" for why in _rule(rule, watch))
    for one in watch.found.correlations.values():
        if ids is None or one.id in ids:
            yield from (f"{place(one)}: {why}" for why in _correlation(one, watch))


def place(one: Detection | Correlation) -> str:
    """Its file and its name, because a file may contain several."""
    return f"{one.path}: {one.name or one.title}"


def proven(one: Detection | Correlation) -> bool:
    """Whether its file has examples."""
    return bool(_examples(one.about))


def events(rule: Detection, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A rule's firing or silent examples, as name and event. Raises KeyError, TypeError or
    ValueError for an invalid example."""
    examples = _examples(rule.about)
    for example in examples.get(kind) or ():
        calls = example.get("calls")
        for name in [None] if calls is None else calls:
            event = changed(examples["base"], example)
            said = str(example["name"]) if name is None else f"{example['name']} ({name})"
            yield said, event if name is None else event | {"eventName": name}


def _rule(rule: Detection, watch: DetectionEngine) -> Iterator[str]:
    if not proven(rule):
        return
    views: dict[str, list[EventView]] = {kind: [] for kind in KINDS}
    try:
        for kind in KINDS:
            for name, event in events(rule, kind):
                view = EventView(event)
                views[kind].append(view)
                if rule.matches(view) != (kind == "fires"):
                    yield f"{name}: it {'stays silent' if kind == 'fires' else 'fires'}"
        base = EventView(_examples(rule.about)["base"])
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        yield f"its examples cannot be read: {_mistake(why)} (base: an event; fires and silent: lists of name, set, remove, calls)"
        return
    if not views["fires"]:
        yield "no example fires"
    if not any(found.id == rule.id for found in watch.found.matching(base, *_source(rule))):
        yield "its base event does not match it"
    if rule.matches(EventView({})):
        yield "it matches an empty event"
    yield from survivors(rule.trees, closure, views["fires"], views["silent"])


def _correlation(one: Correlation, watch: DetectionEngine) -> Iterator[str]:
    for kind in KINDS:
        for example in _examples(one.about).get(kind) or ():
            try:
                fired = _fires(one.id, example["steps"], watch)
                name = example["name"]
            except (KeyError, TypeError, ValueError, AttributeError) as why:
                yield f"its examples cannot be read: {_mistake(why)} (fires and silent: lists of name and steps; a step: at, like, the name of a rule with examples)"
                return
            if fired != (kind == "fires"):
                why_not = "" if fired else _groupless(one, example["steps"], watch)
                yield f"{name}: it {'fires' if fired else 'stays silent'}{why_not}"


def _groupless(one: Correlation, steps: list[dict[str, Any]], watch: DetectionEngine) -> str:
    """Explains that no event of the steps belongs to a group, if that is the case."""
    views = [EventView(event.fields) for event, _ in _events(steps, watch)]
    for field in one.group_by:
        names = {one.field_of(field, id, watch.found.rules[id].name) for id in one.rules if id in watch.found.rules}  # fmt: skip
        if names and not any(view.values(name) for view in views for name in names):
            return f" (no event of its steps has {' or '.join(sorted(names))}, which it groups by)"
    return ""


def _mistake(why: Exception) -> str:
    """The error in an example, for the user."""
    if isinstance(why, KeyError):
        return f"{why.args[0]!r} is missing"
    return (
        str(why)[:200]
        if isinstance(why, ValueError)
        else "something in them has an unexpected form"
    )


def _source(rule: Detection) -> tuple[str, str]:
    product = rule.logsource.get("product", "")
    own = of_product(product)
    return product, rule.logsource.get("service") or (own.audit.service if own else "")


def _examples(about: Mapping[str, Any]) -> Mapping[str, Any]:
    found = driftline_block(about).get("examples")
    return found if isinstance(found, dict) else {}


def changed(base: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """The base event with an example's `set` and `remove` applied."""
    out = copy.deepcopy(dict(base))
    for path, value in (example.get("set") or {}).items():
        *above, last = path.split(".")
        holder = out
        for name in above:
            if not isinstance(holder.get(name), dict):
                holder[name] = {}
            holder = holder[name]
        holder[last] = value
    for path in example.get("remove") or ():
        out.pop(path, None)
    return out


def _fires(id: str, steps: list[dict[str, Any]], watch: DetectionEngine) -> bool:
    """Whether these steps raise an alert of a correlation, which may be one of correlations."""
    hits: dict[tuple[str, str], list[Hit]] = {}
    waiting = [
        signal for event, state in _events(steps, watch) for signal in watch.signals(event, state=state)
    ]  # fmt: skip
    told: set[str] = set()
    while waiting:
        for signal in waiting:
            new = Hit(to_micros(signal["at"]) or 0, signal["event"], signal["detection"], signal.get("value"), {}, signal.get("state", False))  # fmt: skip
            hits.setdefault((signal["correlation"], signal["group"]), []).append(new)
        waiting = []
        for (correlation, group), own in hits.items():
            one = watch.correlations[correlation]
            order = sorted(own, key=lambda hit: hit.place)
            end = order[-1].at + HOURS * 3600 * SECOND
            for run in runs(one.spec(), correlation, group, order, end):
                if run.id in told:
                    continue
                told.add(run.id)
                if correlation == id:
                    return True
                alert = {
                    "id": run.id, "rule": correlation, "at": from_micros(run.at), "count": run.count, "resources": [], "state": "active",
                    "group": dict(zip(one.group_by, group.split("\n"), strict=True)),
                }  # fmt: skip
                waiting += [signal for _, signal in watch.alert_signals(alert)]
    return False


def as_watched(own: Mapping[str, Any], watch: DetectionEngine) -> dict[str, Any]:
    """Driftline's fields of an example, including derived ones."""
    out = dict(own)
    if isinstance(actor := own.get("actor"), dict) and "id" in actor:
        given = actor.get("person") or {}
        plain = {"type": "unknown", **{k: v for k, v in actor.items() if k != "person"}}
        if given.get("id"):
            plain["person"] = {"kind": "user", **given}
        found = identify(plain, watch.people)
        out["actor"] = {**found, "person": found["person"] | given}
    out.setdefault("target", own.get("uid"))
    return out


def _told_by_event(rule: Detection, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Our fields that only the event of the rule's provider tells."""
    own = of_product(rule.logsource.get("product", ""))
    more = event_fields(own.name) if own else None
    return more.of_example(fields, fields[OWN].get("account")) if more else {}


def minutes(text: str) -> int:
    """Of `5m`, or `3d`."""
    return int(text[:-1]) * 1440 if text.endswith("d") else int(text.rstrip("m"))


def _events(
    steps: list[dict[str, Any]], watch: DetectionEngine
) -> Iterator[tuple[ObservedEvent, bool]]:
    named = {rule.name: rule for rule in watch.found.rules.values()}
    for number, step in enumerate(steps):
        rule = named.get(step["like"])
        if rule is None:
            raise ValueError(
                f"no rule {step['like']!r}{nearest(step['like'], filter(None, named))}"
            )
        base = changed(_examples(rule.about)["base"], step)
        for turn in range(step.get("times", 1)):
            each = step.get("each", [])
            names = [each] if isinstance(each, str) else each
            fields = changed(base, {"set": dict.fromkeys(names, f"each-{turn}")})
            fields[OWN] = as_watched(fields[OWN], watch)
            fields[OWN] = _told_by_event(rule, fields) | fields[OWN]
            at = BEGIN + minutes(str(step["at"])) * 60 * SECOND + turn * SECOND
            finding = f"{fields[OWN].get('rule')} {fields[OWN].get('uid')}"
            event = ObservedEvent(
                f"{number}-{turn}",
                at,
                *_source(rule),
                fields,
                fields[OWN].get("uid"),
                {"finding": finding},
            )
            yield event, step.get("stands", False)
