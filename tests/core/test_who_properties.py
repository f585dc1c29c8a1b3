"""Whoever is named has made it: people, requests and readings with a truth that only the test knows."""

import random
from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.pipeline.model import Actor, Drift
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from tests.core.test_who import SSO, opening, session, user
from tests.core.world import UID, change, heard, key, minute, rulebook, tick, value

SECOND = 1 / 60
PEOPLE = ("ann", "bob", "eve")
NUMBERS, TEXTS = (5, 6, 7), ("red", "green", "blue")
RULES = [{"port": port, "cidr": cidr, "protocol": protocol}
         for port in (22, 443) for cidr in ("0.0.0.0/0", "10.0.0.0/8") for protocol in ("tcp", "udp")]  # fmt: skip


def text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass
class Truth:
    """The configuration as it really is, and who set what when."""

    config: dict[str, Any] = field(
        default_factory=lambda: {
            "KeyRotationEnabled": True,
            "period": 1,
            "name": "white",
            "rules": [],
        }
    )
    made: list[tuple[float, str, str, bytes]] = field(default_factory=list)
    """When, who, which place (of a rule: `+` or `-`), which value."""

    def put(self, at: float, who: str, where: str, to: Any) -> None:
        self.config = self.config | {where: to}
        self.made.append((at, who, where, text(to)))

    def rule(self, at: float, who: str, op: str, rule: dict[str, Any]) -> None:
        others = [one for one in self.config["rules"] if one != rule]
        self.config = self.config | {"rules": [*others, rule] if op == "+" else others}
        self.made.append((at, who, op, text(rule)))

    def makers(self, drift: dict[str, Any], change: dict[str, Any]) -> set[str]:
        """Who did that between the two readings."""
        since, at = (_minutes(drift[name]) for name in ("since", "at"))
        where = change["path"].split("/")[2]
        if where == "rules":
            where = "+" if change["op"] == "add" else "-"
        wanted = text(change["before"] if where == "-" else change["after"])
        return {
            who
            for when, who, place, to in self.made
            if since <= when <= at and (place, to) == (where, wanted)
        }


def _minutes(text: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(text) - minute(0)).total_seconds() / 60


def actor_of(who: str, way: str, number: int) -> Actor:
    """How somebody comes: as a user, over the directory, or through a role that all share."""
    if way == "user":
        return user(who)
    if way == "directory":
        return session(SSO, f"{who}@example.com", f"ASIAS{number}")
    return session(
        "deploy", {"role": "ci", "named": who}[way], f"ASIAR{number}", sourceIdentity="eve"
    )


def person_of(person: dict[str, Any]) -> str | None:
    """Whom a person's id stands for; None where it is only a session's."""
    if person["kind"] == "unknown":
        return None
    return str(person["id"]).rsplit("/", 1)[-1].partition("@")[0]


step = st.tuples(
    st.sampled_from([0.2, 0.7, 3, 20, 70, 400]), st.sampled_from(PEOPLE), st.sampled_from(["user", "user", "directory", "role", "named"]),
    st.sampled_from(["switch", "period", "name", "both", "open", "close", "words"]), st.integers(0, 7), st.booleans(),
)  # fmt: skip
Step = tuple[float, str, str, str, int, bool]


def asked(truth: Truth, at: float, who: str, what: str, number: int) -> Any:
    """Does it, and returns the request."""
    if what == "switch":
        truth.put(at, who, "KeyRotationEnabled", bool(number % 2))
        return {"keyId": UID, "enabled": bool(number % 2)} if number > 3 else None
    if what in ("period", "both"):
        truth.put(at, who, "period", NUMBERS[number % 3])
    if what in ("name", "both"):
        truth.put(at, who, "name", TEXTS[number % 3])
    if what in ("period", "name", "both"):
        wanted = {"periodInDays": NUMBERS[number % 3], "displayName": TEXTS[number % 3]}
        return {
            k: v
            for k, v in wanted.items()
            if what == "both" or k.startswith(what[:3]) or (what == "name" and k == "displayName")
        }
    rule = RULES[number]
    if what == "words":
        return {"keyId": UID, "comment": TEXTS[number % 3]}  # it changes nothing
    truth.rule(at, who, "+" if what == "open" else "-", rule)
    return {
        "keyId": UID,
        "items": [
            {"ipRange": rule["cidr"], "fromPort": rule["port"], "protocol": rule["protocol"]}
        ],
    }


@dataclass
class Run:
    """A story: its records with their times, and the truth."""

    truth: Truth
    readings: list[tuple[float, bytes]]
    events: list[tuple[float, bytes]]
    end: float


def told(steps: list[Step]) -> Run:
    truth, at, readings, events = Truth(), 0.0, [], []

    def read() -> None:
        one = key(at, None, None)
        config = {"rotation": orjson.loads(orjson.dumps(truth.config))}
        parts = [{"name": "rotation", "captured_at": minute(at)}]
        readings.append(
            (
                at,
                value(
                    type(one).model_validate(one.model_dump() | {"config": config, "parts": parts})
                ),
            )
        )

    read()
    for number, (wait, who, way, what, choice, look) in enumerate(steps):
        at += wait * SECOND
        who_, actor = who, actor_of(who, way, number)
        request = asked(truth, at, who_, what, choice)
        if way in ("role", "named"):
            events.append((at, opening(actor.session or "", user(who), at)))
        floored = int(at * 60) / 60  # an audit event knows only the second
        record = change(
            floored,
            who,
            id=f"e{number}",
            parts=["rotation"],
            request=request,
            actor=actor.model_dump(),
        )
        events.append((at, record.encode()))
        at += 0.3 * SECOND
        if look:
            read()
    at += 400 * SECOND
    read()
    return Run(truth, readings, events, at)


def fold(run: Run, chance: random.Random) -> list[dict[str, Any]]:
    """Readings in their order; events anywhere among them, some of them twice."""
    world = Fold(rulebook())
    world.feed(CONTROL.name, heard(0))
    world.feed(CONTROL.name, tick(0))
    late = [*run.events, *chance.choices(run.events, k=len(run.events) // 2)] if run.events else []
    order: list[tuple[str, bytes]] = [(SNAPSHOTS.name, one) for _, one in run.readings]
    for _, one in late:
        order.insert(chance.randint(0, len(order)), (CHANGES.name, one))
    for topic, one in order:
        world.feed(topic, one)
    for more in (10, 20):
        world.feed(CONTROL.name, heard(run.end + more))
        world.feed(CONTROL.name, tick(run.end + more))
    assert not world.dead
    return [orjson.loads(one) for one in world.drifts.values()]


def words(drifts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        d["id"]: {k: v for k, v in d.items() if k not in ("revision", "updated_at")} for d in drifts
    }


@settings(max_examples=300, deadline=None)
@example([(0.2, "ann", "role", "open", 3, True), (0.2, "ann", "user", "close", 3, False)], 0)
@given(st.lists(step, min_size=1, max_size=7), st.integers(0, 2**32))
def test_whoever_is_named_has_made_it(steps: list[Step], seed: int) -> None:
    run = told(steps)
    drifts = fold(run, random.Random(seed))
    for drift in drifts:
        for one in drift["changes"]:
            makers = run.truth.makers(drift, one)
            if one["attribution"] == "attributed":
                assert person_of(one["person"]) in makers, (one, makers, drift)
            people = {c["actor"]["person"]["id"] for c in drift["candidates"]}
            if len(people) == 1:  # no vacuous safety
                assert one["attribution"] == "attributed", drift
        named = {c["person"]["id"] for c in drift["changes"] if c["attribution"] == "attributed"}
        whole = all(c["attribution"] == "attributed" for c in drift["changes"])
        assert (drift["attribution"] == "attributed") is (whole and len(named) == 1)
        assert ("actor" in drift) is (drift["attribution"] == "attributed")
        Drift.model_validate(drift)
    again = words(fold(run, random.Random(seed + 1)))
    if (
        again.keys() == words(drifts).keys()
    ):  # a reading right after a change is believed only if that is known
        assert words(drifts) == again


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 7)), min_size=2, max_size=4, unique_by=lambda one: one[1]), st.integers(0, 2**32))  # fmt: skip
def test_rules_by_several_people_in_one_reading_are_each_its_makers(
    made: list[tuple[str, int]], seed: int
) -> None:
    """Elements that differ in more than one value: none is anybody else's."""
    run = told([(3, who, "user", "open", number, False) for who, number in made])
    (drift,) = fold(run, random.Random(seed))
    by_rule = {text(one["after"]): one for one in drift["changes"]}
    for who, number in made:
        one = by_rule[text(RULES[number])]
        alone = all(_differ(RULES[number], RULES[other]) for name, other in made if name != who)
        assert one["attribution"] in (("attributed",) if alone else ("attributed", "ambiguous"))
        if one["attribution"] == "attributed":
            assert one["person"]["id"] == user(who).id


def _differ(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return len(set(one.values()) & set(two.values())) <= 2
