"""Correlations: what matches and what just does not; the same alerts whatever the order, twice, late, after forgetting."""

from collections.abc import Sequence
from itertools import permutations
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.pipeline.common.durations import DAY
from driftline.pipeline.correlate import CompiledCorrelation, Group, Hit, Spec
from driftline.pipeline.correlate.group_rows import StoredGroup
from driftline.pipeline.correlate.runs import MAX_EVALUATED
from driftline.pipeline.detections.windows import COMPARE
from driftline.pipeline.state.rows import NEVER, Position, head_key
from tests.correlate.slow import matches, runs

MINUTE = 60_000_000
START = 1_800_000_000 * 1_000_000


def at(minute: float, rule: str = "a", id: str = "", value: Any = None) -> Hit:
    return Hit(START + int(minute * MINUTE), id or f"{rule}{minute}", rule, value, {"id": id or f"{rule}{minute}"})  # fmt: skip


def spec(kind: Any, *conditions: tuple[str, float], rules: str = "ab", **more: Any) -> Spec:
    return Spec(kind, tuple(rules), 10 * MINUTE, conditions, **more)


def ends(spec: Spec, *hits: Hit, known: float = 1e6) -> list[float]:
    """The minutes at which matches end."""
    ordered = sorted(hits, key=lambda one: one.place)
    until = START + int(known * MINUTE)
    return [(m.at - START) / MINUTE for m in matches(spec, ordered, until)]


def test_a_count_within_the_timespan_and_just_outside() -> None:
    three = spec("event_count", ("gte", 3))
    assert ends(three, at(0), at(5), at(10)) == [10]
    assert ends(three, at(0), at(5), at(10.01)) == []
    assert ends(three, at(9), at(11), at(18)) == [18]  # no boundary of a clock lies between them


def test_two_conditions_are_a_range() -> None:
    some = spec("event_count", ("gte", 2), ("lt", 3))
    assert ends(some, at(0), at(1), at(2)) == [1]


def test_different_values_count_once_each() -> None:
    regions = spec("value_count", ("gte", 2))
    assert ends(regions, at(0, value="x"), at(1, value="x"), at(2, value=None)) == []
    assert ends(regions, at(0, value="x"), at(1, value="y"), at(12, value="y")) == [1]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("value_sum", 60), ("value_avg", 20), ("value_median", 20), ("value_percentile", 20)],
)
def test_numbers(kind: str, value: float) -> None:
    hits = [at(0, value=10), at(1, value="20"), at(2, value=30), at(3, value="none"), at(4, value=True)]  # fmt: skip
    assert ends(spec(kind, ("eq", value)), *hits)[-1] == 4


def test_a_percentile_is_of_the_nearest_rank() -> None:
    hits = [at(n / 10, value=n) for n in range(1, 11)]
    assert ends(spec("value_percentile", ("eq", 9), percentile=90), *hits)[-1:] == [1]


def test_together_in_any_order() -> None:
    both = spec("temporal")
    assert ends(both, at(0, "a"), at(5, "b")) == [5]
    assert ends(both, at(0, "b"), at(5, "a")) == [5]
    assert ends(both, at(0, "a"), at(5, "a")) == []
    assert ends(both, at(0, "a"), at(10.01, "b")) == []


def test_an_expression_over_rules() -> None:
    either = spec("temporal", rules="abc", holds=lambda seen: "a" in seen and bool(seen & {"b", "c"}))  # fmt: skip
    assert ends(either, at(0, "a"), at(1, "c")) == [1]
    assert ends(either, at(0, "b"), at(1, "c")) == []


def test_in_order_only() -> None:
    steps = spec("temporal_ordered", rules="abc")
    assert ends(steps, at(0, "a"), at(1, "b"), at(2, "c")) == [2]
    assert ends(steps, at(0, "b"), at(1, "a"), at(2, "c")) == []
    assert ends(steps, at(0, "a"), at(1, "c"), at(2, "b")) == []
    assert ends(steps, at(0, "a"), at(5, "b"), at(10.01, "c")) == []
    assert ends(steps, at(0, "a"), at(1, "a"), at(5, "b"), at(10.01, "c")) == [10.01]


def test_one_event_is_not_two_steps() -> None:
    steps = spec("temporal_ordered")
    assert ends(steps, at(0, "a", "same"), at(0, "b", "same")) == []
    assert ends(steps, at(0, "b", "one"), at(0, "a", "two")) == [0]  # within one second, who knows


def test_an_event_of_two_rules_follows_another_of_the_first() -> None:
    """The better beginning is the event itself, which is not two steps: the one before it counts."""
    hits = [at(0, "a", "one"), at(5, "a", "two"), at(5, "b", "two")]
    assert ends(spec("temporal_ordered"), *hits) == [5]
    for order in permutations(hits):
        world = World(spec("temporal_ordered"), lateness=10)
        world.hit(*order)
        world.until(200)
        assert [count for *_, count in world.standing()] == [3]


def test_absence_is_judged_when_it_is_known() -> None:
    never = spec("temporal", absent=frozenset("b"))
    assert ends(never, at(0, "a")) == [0]
    assert ends(never, at(0, "a"), known=9.9) == []
    assert ends(never, at(0, "a"), at(10, "b")) == []
    assert ends(never, at(0, "a"), at(10.01, "b")) == [0]
    assert ends(never, at(0, "b"), at(1, "a")) == [1]


# Alerts


class World:
    """One group, and what was said of its alerts last. `restarts`: after every step it is read from its rows again."""

    def __init__(self, spec: Spec, lateness: float = 5, *, restarts: bool = False) -> None:
        self.correlation = CompiledCorrelation("c", spec, int(lateness * MINUTE))
        self.rows: dict[bytes, bytes | None] = {}
        self.watermark = 0
        self.kept = self._load()
        self.restarts = restarts
        self.alerts: dict[str, dict[str, Any]] = {}
        self.said = 0

    def _load(self) -> StoredGroup:
        return StoredGroup.load(
            self.rows.get, self.correlation, "c\ng", self.rows.get(head_key("c\ng")), self.watermark
        )

    @property
    def group(self) -> Group:
        return self.kept.group

    @property
    def due(self) -> int:
        return self.group.due()

    @property
    def empty(self) -> bool:
        """Nothing is kept."""
        self._save()
        return not any(self.rows.values()) and not self.group.held and not self.group.reported

    def hit(self, *hits: Hit) -> None:
        for one in hits:
            self.group.take(one, self.watermark)
            self._judge()

    def undo(self, hit: Hit) -> None:
        """It was none after all."""
        self.group.gone(hit, self.watermark)
        self._judge()

    def until(self, minute: float) -> None:
        self.watermark = START + int(minute * MINUTE)
        while self.due <= self.watermark:
            before = self.due
            self._judge()
            assert self.due > self.watermark, (before, self.due)

    def _judge(self) -> None:
        for alert in self.group.evaluate(self.watermark):
            old = self.alerts.get(alert["id"])
            assert old is None or alert["revision"] > old["revision"]
            self.alerts[alert["id"]] = alert
            self.said += 1
        if self.restarts:
            self._save()
            self.kept = self._load()

    def _save(self) -> None:
        self.kept.due, self.kept.position = self.due, Position()
        self.kept.save(self.rows.__setitem__)

    def standing(self) -> list[tuple[str, int, int, int]]:
        """Alerts that are not merged: id, begin, end, hits."""
        return [one[:4] for one in self.reported()]

    def reported(self) -> list[tuple[str, int, int, int, list[dict[str, Any]]]]:
        """The same with what is shown of their hits."""
        return sorted(
            (id, alert["run"].begins, alert["run"].last, alert["run"].count, alert["run"].briefs)
            for id, alert in self.alerts.items()
            if alert["state"] in ("active", "ended")
        )


def test_matches_that_follow_each_other_are_one_alert() -> None:
    world = World(spec("event_count", ("gte", 2)))
    world.hit(*[at(n) for n in range(0, 40, 4)])
    assert len(world.standing()) == 1
    assert world.said < 6  # not once a hit
    world.hit(at(60), at(61))
    world.until(200)
    assert sorted(count for _, _, _, count in world.standing()) == [2, 10]


def test_what_stands_counts_until_it_ends_and_never_by_itself() -> None:
    stands = spec("temporal", rules="abc", standing={"b": "c"})
    again = msgspec.structs.replace(at(30, "b", value="x"), state=True)
    assert ends(stands, at(0, "b", value="x"), at(60, "a")) == [60], "an hour, and not ten minutes"
    assert ends(stands, at(0, "b", value="x"), at(50, "c", value="x"), at(60, "a")) == []
    assert ends(stands, at(0, "b", value="x"), at(50, "c", value="y"), at(60, "a")) == [60], (
        "another's end"
    )
    assert ends(stands, at(50, "c", value="x"), at(55, "b", value="x"), at(60, "a")) == [60], (
        "it began again"
    )
    assert ends(stands, again, at(60, "a")) == [60]
    assert ends(stands, at(25, "a"), again) == [], "that it still stands is no event"
    assert ends(stands, at(25, "a"), at(30, "b", value="x")) == [30], "that it begins is one"
    assert ends(stands, at(0, "b", value="x"), at(26 * 60 + 1, "a")) == [], (
        "nobody said it for a day"
    )
    world = World(stands)
    world.hit(at(0, "b", value="x"), again, at(60, "a"))
    (alert,) = world.alerts.values()
    assert [brief["id"] for brief in alert["run"].briefs] == ["b30", "a60"], "its last word is told"


def test_an_alert_ends_when_nothing_more_can_come() -> None:
    world = World(spec("event_count", ("gte", 1)))
    world.hit(at(0))
    world.until(14)
    assert [alert["state"] for alert in world.alerts.values()] == ["active"]
    world.until(15.1)
    assert [alert["state"] for alert in world.alerts.values()] == ["ended"]
    assert (world.empty, world.due) == (True, NEVER)


def test_a_late_hit_joins_two_alerts() -> None:
    world = World(spec("event_count", ("gte", 1)), lateness=60)
    world.hit(at(0))
    world.hit(at(18))
    first, second = sorted(world.alerts.values(), key=lambda alert: alert["run"].at)
    world.hit(at(9))
    assert world.alerts[second["id"]]["merged_into"] == first["id"]
    world.until(200)
    assert [count for _, _, _, count in world.standing()] == [3]


def test_a_late_hit_that_begins_earlier_gives_the_alert_its_name() -> None:
    world = World(spec("event_count", ("gte", 1)), lateness=60)
    world.hit(at(5))
    old = next(iter(world.alerts))
    world.hit(at(0))
    assert world.alerts[old]["state"] == "merged"
    assert len(world.standing()) == 1


def test_hits_of_one_moment_give_it_one_name() -> None:
    """CloudTrail tells whole seconds: which of a second's events is heard first must not matter."""
    world = World(spec("event_count", ("gte", 1)))
    for id in "cab":
        world.hit(at(5, id=id))
    assert len(world.alerts) == 1


def test_what_comes_too_late_is_counted() -> None:
    world = World(spec("event_count", ("gte", 1)))
    world.until(100)
    world.hit(at(94.9))
    assert (world.group.late, world.alerts) == (1, {})
    world.hit(at(95))
    assert len(world.alerts) == 1


def test_twice_is_once() -> None:
    world = World(spec("event_count", ("gte", 2)))
    world.hit(at(0, id="x"), at(0, id="x"))
    assert not world.alerts


def test_what_goes_on_for_a_day_is_continued() -> None:
    world = World(spec("event_count", ("gte", 1)), lateness=0)
    for minute in range(0, 30 * 60, 5):
        world.hit(at(minute))
        world.until(minute)
    first, second = sorted(world.alerts.values(), key=lambda alert: alert["run"].at)
    assert second["run"].continues == first["id"]
    assert second["run"].at - first["run"].at > DAY


def test_what_may_go_on_for_two_hours_is_continued_after_them() -> None:
    world = World(spec("event_count", ("gte", 2), longest=120 * MINUTE), lateness=0)
    for minute in range(0, 180, 5):
        world.hit(at(minute))
        world.until(minute)
    first, second = sorted(world.alerts.values(), key=lambda alert: alert["run"].at)
    assert (second["run"].at - first["run"].at) // MINUTE == 125
    assert second["run"].continues == first["id"]


KINDS = [
    spec("event_count", ("gte", 3)), spec("event_count", ("gte", 2), ("lt", 4)), spec("event_count", ("gte", 1)),
    spec("value_count", ("gte", 2)), spec("value_count", ("lt", 3)), spec("value_avg", ("lt", 3)), spec("value_percentile", ("gte", 4), percentile=80),
    spec("temporal_ordered"), spec("value_sum", ("gt", 4)), spec("value_median", ("gte", 3)), spec("temporal"),
    spec("temporal", rules="abc"), spec("temporal_ordered", rules="abc"), spec("temporal_ordered", rules="aab"), spec("temporal", absent=frozenset("b")),
    spec("temporal", rules="abc", absent=frozenset("c")), spec("temporal", rules="abc", standing={"b": "c"}),
    spec("temporal", rules="abc", holds=lambda seen: "a" in seen and bool(seen & {"b", "c"})),
    spec("event_count", ("gte", 2), longest=15 * MINUTE), spec("temporal_ordered", longest=12 * MINUTE),
    spec("temporal", rules="abc", absent=frozenset("c"), longest=12 * MINUTE),
    spec("temporal", rules="abc", standing={"b": "c"}, longest=12 * MINUTE),
]  # fmt: skip
HITS = st.lists(
    st.tuples(st.integers(0, 90), st.sampled_from("abc"), st.integers(1, 5)), max_size=25
).map(lambda rows: [at(minute, rule, f"{n:02d}", value) for n, (minute, rule, value) in enumerate(rows)])  # fmt: skip


EVENTS = st.lists(
    st.tuples(st.integers(0, 45), st.sets(st.sampled_from("abc"), min_size=1), st.integers(1, 5)), max_size=14
).map(lambda rows: [at(minute, rule, f"{n:02d}", value) for n, (minute, rules, value) in enumerate(rows) for rule in sorted(rules)])  # fmt: skip
"""Events that match several rules at once."""


def undisturbed(
    spec: Spec, hits: Sequence[Hit], most: int = MAX_EVALUATED
) -> list[tuple[str, int, int, int, list[dict[str, Any]]]]:
    """As World.told has them."""
    ordered = sorted((one for one in hits if one.rule in spec.rules), key=lambda one: one.place)
    found = runs(spec, "c", "g", ordered, NEVER, most)
    return sorted((run.id, run.begins, run.last, run.count, run.briefs) for run in found)


LATER_KNOWN = [
    at(minute, rule, f"{n:02d}", 1)
    for n, (minute, rule) in enumerate(
        [(0, "a"), (0, "a"), (6, "a"), (0, "a"), (0, "a"), (0, "a"), (19, "a"), (16, "a"), (16, "a"), (0, "a"), (0, "a"),
         (0, "a"), (0, "a"), (15, "b"), (22, "a"), (0, "a"), (0, "b")]
    )
]  # fmt: skip
"""Time alone, without another hit, makes more of them known to belong to an alert."""
BEFORE_ONE_THAT_WAITS = [
    at(minute, rule, f"{n:02d}", 1)
    for n, (minute, rule) in enumerate([(0, "a")] * 11 + [(1, "b"), (1, "a")])
]
"""A hit comes right before one that cannot be judged yet."""


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(KINDS), HITS | EVENTS, st.integers(0, 2**32), st.booleans(), st.sampled_from([3, 6, MAX_EVALUATED])
)  # fmt: skip
@example(
    spec("temporal", absent=frozenset("c"), rules="abc"), LATER_KNOWN, 229, False, MAX_EVALUATED
)
@example(spec("temporal", absent=frozenset("c"), rules="abc"), BEFORE_ONE_THAT_WAITS, 0, False, 3)
def test_any_order_within_the_lateness_gives_the_same_alerts(
    spec: Spec, hits: list[Hit], seed: int, restarts: bool, most: int
) -> None:
    """Also where runs are judged no more, and where the group is read from its rows after every hit."""
    random = Random(seed)
    with patch("driftline.pipeline.correlate.runs.MAX_EVALUATED", most):
        _any_order(spec, hits, random, restarts, most)


def _any_order(spec: Spec, hits: list[Hit], random: Random, restarts: bool, most: int) -> None:
    if spec.standing:
        hits = [
            msgspec.structs.replace(one, state=one.rule == "b" and one.value > 3) for one in hits
        ]
    world = World(spec, lateness=random.choice([0, 5, 30]), restarts=restarts)
    delivered(world, hits, random)
    assert world.group.late == 0
    assert world.reported() == undisturbed(spec, hits, most)
    assert (world.empty, world.due) == (True, NEVER)


def new(timespan: float = 60, learning: float = 10) -> Spec:
    return Spec("first_seen", ("a",), int(timespan * MINUTE), learning=int(learning * MINUTE))


def test_a_value_is_new_once_the_group_is_known() -> None:
    world = World(new())
    world.hit(at(0, value="x"), at(9, value="y"))
    assert world.standing() == [], "it only learns"
    world.hit(at(12, value="x"), at(13, value="y"), at(14, value="z"), at(15, value="z"))
    assert [count for *_, count in world.standing()] == [1]
    world.until(50)
    assert not world.group.held
    world.hit(at(70, value="z"), at(71, value="y"))
    assert len(world.standing()) == 1, "an hour ago is not long ago"
    world.hit(at(130, value="x"))
    assert len(world.standing()) == 2, "it was away for two hours"


def test_what_a_late_hit_makes_known_is_new_no_more() -> None:
    world = World(new())
    world.hit(at(0, value="x"), at(14, value="z"))
    ((id, *_),) = world.standing()
    world.hit(at(9.5, value="z"))
    assert world.standing() == []
    assert world.alerts[id]["state"] == "withdrawn"


def test_what_was_new_and_was_none_after_all_is_new_no_more() -> None:
    world = World(new())
    world.hit(at(0, value="x"), at(14, value="z"))
    assert world.group.gone(at(14, value="z"), world.watermark) == "taken"
    world.hit(at(13, value="z"))
    assert [(begins - START) // MINUTE for _, begins, _, _ in world.standing()] == [13]


def test_a_group_that_was_away_learns_again_and_is_forgotten() -> None:
    world = World(new())
    world.hit(at(0, value="x"))
    world.until(66)
    assert (world.due, world.empty) == (NEVER, True)
    world = World(new())
    world.hit(at(0, value="x"), at(70, value="y"))
    assert world.standing() == []


def test_a_group_of_too_many_values_says_so_and_alerts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("driftline.pipeline.correlate.conditions.first_seen.MOST_VALUES", 3)
    world = World(new())
    world.hit(*[at(n * 15, value=n) for n in range(3)])
    assert [count for *_, count in world.standing()] == [2]
    world.hit(at(50, value="more"))
    assert [count for *_, count in world.standing()] == [2]
    assert world.group.capped


def new_by_hand(spec: Spec, hits: Sequence[Hit]) -> list[Hit]:
    """Every hit looks at all before it."""
    out = []
    ordered = sorted(hits, key=lambda one: one.place)
    for n, one in enumerate(ordered):
        before = [other for other in ordered[:n] if other.value == one.value]
        if before and one.at - before[-1].at <= spec.timespan:
            continue
        begins = n
        while begins and ordered[begins].at - ordered[begins - 1].at <= spec.timespan:
            begins -= 1
        if one.at - ordered[begins].at >= spec.learning:
            out.append(one)
    return out


def hourly(rows: Sequence[tuple[int, str]]) -> list[Hit]:
    return [at(60 * hour, "a", f"{n:02d}", value) for n, (hour, value) in enumerate(rows)]


GAP_IS_CLOSED = hourly(
    [(30, "v"), (0, "v"), (35, "v"), (15, "w"), (26, "w"), (29, "v"), *[(0, "v")] * 5, (0, "w"), (26, "v"), (28, "v"),
     (28, "v")]
)  # fmt: skip
"""A late hit closes a gap after which the group seemed to learn again."""


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 240), st.sampled_from("vwxyz")), max_size=25).map(hourly),
    st.integers(0, 2**32),
    st.booleans(),
)
@example(GAP_IS_CLOSED, 694, False)
def test_what_is_new_is_so_in_any_order(hits: list[Hit], seed: int, restarts: bool) -> None:
    random, spec = Random(seed), new(timespan=25 * 60, learning=10 * 60)
    world = World(spec, lateness=random.choice([0, 300, 1800]), restarts=restarts)
    delivered(world, hits, random)
    assert world.group.late == 0
    expected = new_by_hand(spec, hits)
    merged: list[list[Hit]] = []
    for one in expected:
        if merged and one.at - merged[-1][-1].at <= spec.gap:
            merged[-1].append(one)
        else:
            merged.append([one])
    assert [
        (b, last, count) for _, b, last, count in sorted(world.standing(), key=lambda s: s[1])
    ] == [(some[0].at, some[-1].at, len(some)) for some in merged]
    assert (world.empty, world.due) == (True, NEVER)


def delivered(world: World, hits: Sequence[Hit], random: Random) -> None:
    """Shuffled, some twice, while time goes on as far as the slowest hit allows; then to the end."""
    lateness = world.correlation.lateness
    waiting = [one for one in hits if one.rule in world.correlation.spec.rules]
    waiting += [one for one in waiting if random.random() < 0.3]
    random.shuffle(waiting)
    waiting.sort(key=lambda one: one.at + random.randint(0, lateness))
    while waiting:
        oldest = min(one.at for one in waiting)
        if random.random() < 0.6:
            allowed = (oldest + lateness - START) / MINUTE
            if START + allowed * MINUTE > world.watermark:
                world.until(allowed)
        world.hit(waiting.pop(0))
    world.until(50_000)


@settings(max_examples=300, deadline=None)
@given(HITS)
def test_a_count_against_counting(hits: list[Hit]) -> None:
    """The windows found are those that a slow look at every hit finds."""
    three = spec("event_count", ("gte", 3))
    ordered = sorted(hits, key=lambda one: one.place)
    slow = [
        one.at
        for n, one in enumerate(ordered)
        if COMPARE["gte"](sum(one.at - other.at <= three.timespan for other in ordered[: n + 1]), 3)
    ]
    assert [match.at for match in matches(three, ordered, NEVER)] == slow


@settings(max_examples=300, deadline=None)
@given(HITS.filter(lambda hits: len(hits) <= 12))
def test_an_order_against_every_choice(hits: list[Hit]) -> None:
    steps = spec("temporal_ordered", rules="abc")
    found = {match.at for match in matches(steps, sorted(hits, key=lambda h: h.place), NEVER)}
    slow = {
        c.at
        for a, b, c in permutations(hits, 3)
        if (a.rule, b.rule, c.rule) == ("a", "b", "c") and a.at <= b.at <= c.at
        and c.at - a.at <= steps.timespan
    }  # fmt: skip
    assert found == slow
