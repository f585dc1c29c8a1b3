"""The memory of sinks that can only append: what its topic holds is never appended again, whatever is killed and rebalanced."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import delivered
from driftline.sinks.base import Action, Limits, Receipt
from driftline.sinks.deliver import Deliverer
from driftline.sinks.delivered import Deliveries
from driftline.sinks.subscription import Subscription
from tests.sinks.test_deliver import DONE, Letters, Listing, Message, finding

SLOT = ("driftline.findings", 0)


class KilledError(Exception):
    """The process ends here."""


class Appending(Listing):
    """A channel. It can be killed after so many messages of it have arrived."""

    transitions_only = True

    def __init__(self, channel: list[str], killed_after: int | None = None) -> None:
        super().__init__()
        self.channel, self.left, self.limits = channel, killed_after, Limits(most_actions=2)

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        id, revision = document["id"], document["revision"]
        return [Action("append", "#a", f"{id}:{revision}", revision, document)]

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        for action in actions:
            if self.left == 0:
                raise KilledError
            self.left = None if self.left is None else self.left - 1
            self.channel.append(action.id)
        return [DONE] * len(actions)


class DeliveredInMemory(Letters):
    """Topic and producer. What a process leaves in the producer's queue reaches the topic or does not."""

    def die(self, lost: bool) -> None:
        self.delivered += [] if lost else self.keys
        self.keys, self.waiting = [], []


Step = tuple[int, int, int | None, bool]
STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 6), st.none() | st.integers(0, 6), st.booleans()), max_size=12,
)  # fmt: skip


@given(steps=STEPS)
@hypothesis_settings(deadline=None)
def test_what_the_topic_holds_is_never_appended_again(steps: list[Step]) -> None:
    """Each step is a process that delivers some messages from an offset on, and may be killed meanwhile."""
    channel, topic, killed = list[str](), DeliveredInMemory(), Counter[str]()
    for begin, count, killed_after, lost in [*steps, (0, 20, None, False)]:
        before, held = Counter(channel), set(topic.delivered)
        sink = Appending(channel, killed_after)
        it = Deliverer(Settings(), sink, Subscription("s"), dead=topic, deliveries=Deliveries("s", topic))  # fmt: skip

        async def run(it: Deliverer = it, begin: int = begin, count: int = count) -> bool:
            some = [Message(finding(f"f{n}"), n) for n in range(begin, begin + count)]
            return await it.deliver(await it.prepare(some))

        try:
            assert asyncio.run(run())
        except KilledError:
            topic.die(lost)
        new = Counter(channel) - before
        assert max(new.values(), default=0) <= 1, "never twice by one process"
        assert not {key.decode().rpartition("\n")[2] for key in held} & set(new)
        written = {key.decode().rpartition("\n")[2] for key in topic.delivered}
        killed.update(set(new) - written)
    assert {id: count - 1 for id, count in Counter(channel).items() if count > 1} == {id: killed[id] for id in killed if killed[id]}  # fmt: skip
    assert {f"f{n}:1" for n in range(20)} <= set(channel)


def test_a_partition_that_was_anothers_is_asked_of_the_topic_first() -> None:
    memory, at, margin = Deliveries("s", Letters()), 1_800_000_000_000, delivered.CLOCKS_DIFFER
    other, third = ("driftline.findings", 1), ("driftline.findings", 2)
    assert memory.lacks({SLOT: (0, at)}) == at - margin
    memory.recall(at - margin, {SLOT: 0, other: 3})
    assert memory.lacks({SLOT: (0, at + 1), other: (3, at + 7)}) is None, "both were ours when it was read"  # fmt: skip
    assert memory.lacks({other: (3, at - 1)}) == at - 1 - margin, "it is further behind"
    assert memory.lacks({SLOT: (1, at + 9)}) == at + 9 - margin, "it was taken from us meanwhile"
    assert memory.lacks({SLOT: (0, at), third: (0, at + 5)}) == at + 5 - margin
    assert memory.lacks({third: (0, -1)}) == 0, "Kafka knows no time"
    memory.recall(0, {third: 0})
    assert memory.lacks({third: (0, -1)}) is None


def test_only_its_own_and_only_what_is_appended() -> None:
    letters = Letters()
    memory = Deliveries("s", letters)
    letters.delivered = [b"s\n#a\nf1:1", b"other\n#a\nf2:1", b"s\n#b\nf3:1", b""]
    memory.recall(0, {})

    def has(op: Literal["append", "upsert"], id: str) -> bool:
        return memory.has(Action(op, "#a", id, 1, {}))

    assert has("append", "f1:1")
    assert not has("upsert", "f1:1")
    assert not (has("append", "f2:1"))
    assert not (has("append", "f3:1"))


def test_the_oldest_is_forgotten(monkeypatch: Any) -> None:
    monkeypatch.setattr(delivered, "MOST", 2)
    letters = Letters()
    letters.delivered = [f"s\n#a\nf{n}:1".encode() for n in range(3)]
    memory = Deliveries("s", letters)
    memory.recall(0, {})
    known = [memory.has(Action("append", "#a", f"f{n}:1", 1, {})) for n in range(3)]
    assert known == [False, True, True]


def test_only_sinks_that_append_have_one() -> None:
    letters = Letters()
    it = Deliverer(Settings(), Listing(), Subscription("s"), dead=letters)

    async def run() -> bool:
        return await it.deliver(await it.prepare([Message(finding("x"))]))

    assert asyncio.run(run())
    assert letters.keys == letters.delivered == []
