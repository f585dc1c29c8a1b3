"""A hit that was none after all leaves nothing behind: whatever was judged meanwhile, the alerts are those of the others."""

from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.correlate import CompiledCorrelation, Group, Hit, Spec
from driftline.pipeline.correlate.runs import MAX_EVALUATED
from driftline.pipeline.state.rows import NEVER
from tests.correlate.test_correlate import (
    EVENTS,
    KINDS,
    MINUTE,
    START,
    World,
    at,
    spec,
    undisturbed,
)

SPECS: dict[str, Spec] = {
    "event_count": spec("event_count", ("gte", 3)),
    "a range": spec("event_count", ("gte", 2), ("lt", 4)),
    "value_count": spec("value_count", ("gte", 2)),
    "value_sum": spec("value_sum", ("gte", 6)),
    "value_avg": spec("value_avg", ("gte", 2)),
    "temporal": spec("temporal"),
    "temporal_ordered": spec("temporal_ordered"),
}


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Hit]]:
    """Hits come, some of them again with more to show, some are taken back; now and then all is judged."""
    out: list[tuple[str, Hit]] = []
    came: list[Hit] = []
    for number in range(draw(st.integers(2, 24))):
        what = draw(st.sampled_from(("take", "take", "take", "gone", "fuller", "judge")))
        if what == "take" or not came:
            minute = draw(st.integers(0, 120)) / 2
            hit = at(minute, draw(st.sampled_from("ab")), f"e{number}", draw(st.integers(0, 4)))
            came.append(hit)
            out.append(("take", hit))
        elif what == "judge":
            out.append(("judge", came[0]))
        else:
            hit = came[draw(st.integers(0, len(came) - 1))]
            if what == "fuller":
                hit = Hit(
                    hit.at,
                    hit.id,
                    hit.rule,
                    draw(st.integers(0, 4)),
                    hit.brief | {str(n): 1 for n in range(number)},
                )
                out.append(("take", hit))
            else:
                out.append(("gone", hit))
    return out


def judged(spec: Spec, steps: list[tuple[str, Hit]]) -> list[Any]:
    group = Group(CompiledCorrelation("c", spec, 600 * MINUTE), "g")
    for what, hit in steps:
        if what == "take":
            group.take(hit, START)
        elif what == "gone":
            group.gone(hit, START)
        else:
            group.evaluate(START)
    group.evaluate(START)
    return [(run.id, run.begins, run.at, run.last, run.count, run.briefs) for run in map(group.scan.as_run, group.scan.runs)]  # fmt: skip


@pytest.mark.parametrize("kind", SPECS)
@given(steps=steps())
@settings(max_examples=60, deadline=None)
def test_what_is_gone_was_never_there(kind: str, steps: list[tuple[str, Hit]]) -> None:
    stands: dict[tuple[str, str], Hit] = {}
    for what, hit in steps:
        if what == "gone":
            stands.pop((hit.id, hit.rule), None)
        elif what == "take":
            old = stands.get((hit.id, hit.rule))
            if old is None or len(hit.brief) > len(old.brief):
                stands[hit.id, hit.rule] = hit
    alone = [("take", Hit(h.at, h.id, h.rule, h.value, dict(h.brief))) for h in stands.values()]
    given_ = [(what, Hit(h.at, h.id, h.rule, h.value, dict(h.brief))) for what, h in steps]
    assert judged(SPECS[kind], given_) == judged(SPECS[kind], alone)


def test_hits_come_where_the_end_of_an_alert_is_gone() -> None:
    last, more = at(10), [at(9), at(3)]
    first = [at(n) for n in (0, 1, 2, 4)]
    steps = [*(("take", hit) for hit in (*first, last)), ("judge", last), ("gone", last)]
    given_ = [*steps, *(("take", hit) for hit in more)]
    alone = [("take", hit) for hit in (*first, *more)]
    assert judged(SPECS["event_count"], given_) == judged(SPECS["event_count"], alone)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([one for one in KINDS if not one.standing]), EVENTS, st.integers(0, 2**32), st.booleans(),
    st.sampled_from([3, 6, MAX_EVALUATED]),
)  # fmt: skip
def test_what_is_gone_was_never_there_while_time_goes_on(
    spec: Spec, hits: list[Hit], seed: int, restarts: bool, most: int
) -> None:
    """Some of the hits are taken back, at any time at which they are not final; the group is read from its rows again."""
    random = Random(seed)
    world = World(spec, lateness=random.choice([0, 5, 30]), restarts=restarts)
    lateness, left, words = world.correlation.lateness, list[Hit](), list[tuple[int, str, Hit]]()
    for hit in (hit for hit in hits if hit.rule in spec.rules):
        came = random.randint(0, lateness)
        words.append((hit.at + came, "take", hit))
        if random.random() < 0.3:
            words.append((hit.at + random.randint(came, lateness), "undo", hit))
        else:
            left.append(hit)
    words.sort(key=lambda word: word[0])
    with patch("driftline.pipeline.correlate.runs.MAX_EVALUATED", most):
        while words:
            if random.random() < 0.6:
                oldest = min(hit.at for _, _, hit in words)
                world.until(max(world.watermark, oldest + lateness - random.choice([0, 1])) / MINUTE - START / MINUTE)  # fmt: skip
            _, what, hit = words.pop(0)
            getattr(world, "hit" if what == "take" else "undo")(msgspec.structs.replace(hit))
        world.until(50_000)
        assert world.reported() == undisturbed(spec, left, most)
    assert (world.empty, world.due) == (True, NEVER)


def test_a_hit_put_into_an_alert_is_its_end_once_the_later_ones_are_gone() -> None:
    """It was not judged when it came, and has become final since."""
    world = World(SPECS["temporal_ordered"])
    world.hit(at(7, "a"), at(14, "b"), at(13, "a"), at(20, "b"), at(16, "b"))
    world.until(25)
    world.undo(at(20, "b"))
    world.until(200)
    assert [(count, (last - START) // MINUTE) for _, _, last, count in world.standing()] == [(3, 16)]  # fmt: skip


@pytest.mark.parametrize("restarts", [False, True])
def test_an_alert_that_comes_again_has_a_higher_revision(restarts: bool) -> None:
    """The group held nothing in between: who takes only higher revisions must not keep `withdrawn`."""
    world = World(spec("event_count", ("gte", 1)), restarts=restarts)
    for _ in range(3):
        world.hit(at(10))
        world.undo(at(10))
    (alert,) = world.alerts.values()
    assert alert["state"] == "withdrawn"
    world.hit(at(10, id="another"))
    assert [alert["state"] for alert in world.alerts.values()] == ["active"]
    world.until(200)
    assert (world.empty, world.due) == (True, NEVER)
