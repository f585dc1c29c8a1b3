"""Content proves itself: its examples fire, its near-misses stay silent. Pure.

A rule's examples are small changes to one base event. A correlation's are steps: `like` takes the base event of a rule by
its name (`stands: true`: only that it is said again), `at` (minutes `5m`, days `3d`) is its time; `times` repeats it, a second apart, `each` makes a field (or each of a list) differ each time. Who an actor is
(`driftline.actor.person`) follows from the actor as in an event, unless an example says it."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.correlate import Hit
from pipeline.correlate.runs import runs
from pipeline.detections.correlations import ours
from pipeline.detections.rule import OWN, Detection
from pipeline.detections.values import View
from pipeline.detections.watch import SOURCES, Event, Watch
from pipeline.model import from_micros, to_micros
from pipeline.people import identified

BEGIN, SECOND = 1_700_000_000_000_000, 1_000_000
HOURS = 72
"""So long after the last step time ends: absences are judged."""
OURS = frozenset({
    "type", "uid", "account", "region", "action", "kind", "outcome", "resource_type", "source_ip", "known", "open",
    "severities", "worst", "exposure", "privilege", "related", "reason", "status", "evaluation", "rule", "severity",
    "network", "section", "reopened", "risk", "attribution", "name", "part", "change_set", "paths", "ops", "found_by", "baseline", "actor", "subject",
})  # fmt: skip
"""Fields below `driftline` (pipeline.detections.watch makes them)."""
SOURCES_KNOWN = (
    "management",
    "reads",
    "data",
    "findings",
    "drifts",
    "guardduty",
    "inspector",
    "securityhub",
)


def problems(watch: Watch) -> Iterator[str]:
    """What is wrong with the examples, each with its place."""
    for rule in watch.found.rules.values():
        yield from (f"{rule.path}: {why}" for why in _rule(rule, watch))
    for one in watch.found.correlations.values():
        for kind in ("fires", "silent"):
            for example in _examples(one.about).get(kind) or ():
                fired = _fires(one.id, example["steps"], watch)
                if fired != (kind == "fires"):
                    yield f"{one.path}: {example['name']}: it {'fires' if fired else 'stays silent'}"


def _rule(rule: Detection, watch: Watch) -> Iterator[str]:
    examples = _examples(rule.about)
    for kind in ("fires", "silent"):
        for example in examples.get(kind) or ():
            if rule.matches(View(changed(examples["base"], example))) != (kind == "fires"):
                yield f"{example['name']}: it {'stays silent' if kind == 'fires' else 'fires'}"
    if not any(found.id == rule.id for found in watch.found.matching(View(examples.get("base", {})), *_source(rule))):  # fmt: skip
        yield "its own base event does not find it"
    if rule.matches(View({})):
        yield "it matches an event without anything"
    own = {field.split(".")[1] for field in rule.fields if field.startswith(f"{OWN}.")}
    for name in sorted(own - OURS):
        yield f"driftline.{name}: no such field (known: {', '.join(sorted(OURS))})"


def _source(rule: Detection) -> tuple[str, str]:
    product = rule.logsource.get("product", "aws")
    return product, rule.logsource.get("service") or SOURCES[product][1]


def _examples(about: Mapping[str, Any]) -> Mapping[str, Any]:
    found = ours(about).get("examples")
    return found if isinstance(found, dict) else {}


def changed(base: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """The base event with an example's `set` and `remove`."""
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


def _fires(id: str, steps: list[dict[str, Any]], watch: Watch) -> bool:
    """Whether a correlation, perhaps one of correlations, has an alert by these steps."""
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
                waiting += [signal for _, signal in watch.above(alert)]
    return False


def as_watched(own: Mapping[str, Any], watch: Watch) -> dict[str, Any]:
    """Our fields of an example, with those that follow from others."""
    out = dict(own)
    if isinstance(actor := own.get("actor"), dict) and "id" in actor:
        given = actor.get("person") or {}
        plain = {"type": "unknown", **{k: v for k, v in actor.items() if k != "person"}}
        if given.get("id"):
            plain["person"] = {"kind": "user", **given}
        found = identified(plain, watch.people)
        out["actor"] = {**found, "person": found["person"] | given}
    if ":user/" in str(own.get("uid")):
        out.setdefault("subject", own["uid"])
    return out


def minutes(text: str) -> int:
    """Of `5m`, or `3d`."""
    return int(text[:-1]) * 1440 if text.endswith("d") else int(text.rstrip("m"))


def _events(steps: list[dict[str, Any]], watch: Watch) -> Iterator[tuple[Event, bool]]:
    named = {rule.name: rule for rule in watch.found.rules.values()}
    for number, step in enumerate(steps):
        rule = named[step["like"]]
        base = changed(_examples(rule.about)["base"], step)
        for turn in range(step.get("times", 1)):
            each = step.get("each", [])
            names = [each] if isinstance(each, str) else each
            fields = changed(base, {"set": dict.fromkeys(names, f"each-{turn}")})
            fields[OWN] = as_watched(fields[OWN], watch)
            at = BEGIN + minutes(str(step["at"])) * 60 * SECOND + turn * SECOND
            finding = f"{fields[OWN].get('rule')} {fields[OWN].get('uid')}"
            event = Event(
                f"{number}-{turn}",
                at,
                *_source(rule),
                fields,
                fields[OWN].get("uid"),
                {"finding": finding},
            )
            yield event, step.get("stands", False)
