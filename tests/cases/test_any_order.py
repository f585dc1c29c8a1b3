"""Whatever order member changes come in, and however often: the same tickets in the same states."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.world import World, change, members

STATES = st.sampled_from(["failing", "passing", "gone", "suppressed", "unknown", "left"])
GROUPS = ["g1", "g2"]
Histories = dict[str, list[tuple[str, str]]]


@st.composite
def histories(draw: st.DrawFn) -> Histories:
    """Of each member: where it was, and in which state, one after the other."""
    step = st.tuples(st.sampled_from(GROUPS), STATES)
    return {
        name: draw(st.lists(step, min_size=1, max_size=6))
        for name in "abcd"[: draw(st.integers(1, 4))]
    }


def records(of: Histories) -> list[list[dict[str, Any]]]:
    """The records of each member, as a core writes them: `left` for the old group before `joined` for the new."""
    out = []
    for name, history in of.items():
        here, own = "", list[dict[str, Any]]()
        for number, (group, state) in enumerate(history):
            at: dict[str, Any] = {"minute": number, "revision": number + 1}
            if here and (state == "left" or group != here):
                own.append(change(name, "failing", op="left", group=here, **at))
                here = ""
            if state != "left":
                own.append(
                    change(name, state, op="changed" if here else "joined", group=group, **at)
                )
                here = group
        out.append(own)
    return out


def truth(of: Histories) -> dict[str, dict[str, str]]:
    """By group: the members that are in it at the end, and their last known states."""
    out: dict[str, dict[str, str]] = {group: {} for group in GROUPS}
    for name, history in of.items():
        here, state = "", ""
        for group, said in history:
            if said == "left":
                here, state = "", ""
                continue
            if group != here:
                state = ""
            here, state = group, state if said == "unknown" and state else said
        if here:
            out[here][name] = state
    return out


def mixed(own: list[list[dict[str, Any]]], chance: random.Random) -> list[dict[str, Any]]:
    """Each member's records in their order, with tails that come twice; those of different members in any order."""
    queues = []
    for one in own:
        again = one[chance.randrange(len(one) + 1) :] if one else []
        queues.append(one + again)
    out = []
    while any(queues):
        out.append(chance.choice([queue for queue in queues if queue]).pop(0))
    return out


@settings(max_examples=150, deadline=None)
@given(of=histories(), seed=st.integers(0, 2**32), restart=st.booleans(), ticks=st.booleans())
def test_the_end_is_the_same(of: Histories, seed: int, restart: bool, ticks: bool) -> None:
    world, chance = World(restart=restart), random.Random(seed)
    minute = 0.0
    for record in mixed(records(of), chance):
        world.feed(record)
        if ticks and chance.random() < 0.3:
            minute += chance.choice([0.2, 1, 5])
            world.tick(minute)
    world.tick(9)
    world.tick(2000)
    assert world.dead == []
    for group, wanted in truth(of).items():
        busy = [name for name, state in wanted.items() if state in ("failing", "unknown")]
        own = [one for key, one in world.tickets.items() if key.startswith(f"{group}.")]
        open_ = [one for one in own if one["state"] == "open"]
        if "failing" in wanted.values():
            assert len(open_) == 1
            assert {name for name, state in members(open_[0]).items() if state == "failing"} == {
                name for name, state in wanted.items() if state == "failing"
            }
        elif not busy:
            assert open_ == []
        assert len(own) <= 1  # nothing here is long enough for a second


def test_a_thousand_tickets_open_and_close() -> None:
    world = World()
    for number in range(1000):
        world.feed(change("a", "failing", 0, op="joined", group=f"g{number}"))
    world.tick(1)
    assert len(world.open) == 1000
    for number in range(1000):
        world.feed(change("a", "passing", 2, group=f"g{number}"))
    world.tick(40)
    assert world.open == []
    assert len(world.tickets) == 1000
