"""What the loop keeps for a sink: its limits, what it asks to wait, its references, its match."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from driftline.pipeline.model import SEVERITIES, from_micros
from driftline.pipeline.records.topics import TICKET_LINKS, Topic
from driftline.pipeline.rulebook.match import Match
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import Action, Busy, Limits, Receipt
from driftline.sinks.deliver import LONGEST_ASKED, Deliverer
from driftline.sinks.delivered import Deliveries
from driftline.sinks.retry_after import seconds_of
from driftline.sinks.subscription import Subscription
from tests.sinks.test_deliver import Letters, Listing, Message, finding

NOW = 1_800_000_000.0


class Sending(Listing):
    """One action a finding; remembers how many calls were under way at once."""

    def __init__(self, *answers: Any, limits: Limits | None = None) -> None:
        super().__init__(*answers)
        self.limits, self.busy, self.most = limits or Limits(), 0, 0

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        op = "delete" if document.get("retired") else "upsert"
        body = None if op == "delete" else document
        return [Action(op, "a", document["id"], document["revision"], body)]  # type: ignore[arg-type]

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        return await super().send(actions)


class Sent:
    """What became of some findings. Time passes only in pauses."""

    def __init__(
        self, sink: Sending, *values: bytes, match: str = "", deliveries: Deliveries | None = None
    ) -> None:
        self.sink, self.letters, self.pauses, self.time = sink, Letters(), list[float](), NOW
        subscription = Subscription("list", Match(match) if match else None)
        it = Deliverer(Settings(), sink, subscription, now=lambda: self.time, chance=lambda: 0.5, pause=self._pause, dead=self.letters, deliveries=deliveries)  # fmt: skip

        async def run() -> bool:
            return await it.deliver(await it.prepare([Message(v, n) for n, v in enumerate(values)]))

        self.done = asyncio.run(run())
        self.calls: list[list[str]] = [[one.removeprefix("a/") for one in call] for call in sink.sent]  # fmt: skip

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def many(count: int, **more: Any) -> list[bytes]:
    return [finding(f"f{n}", **more) for n in range(count)]


def test_never_more_actions_in_a_call_than_it_takes() -> None:
    sent = Sent(Sending(limits=Limits(most_actions=3)), *many(8))
    assert [len(call) for call in sent.calls] == [3, 3, 2]


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=30), most=st.integers(80, 500))
@hypothesis_settings(deadline=None)
def test_never_more_bytes_in_a_call_but_for_one_that_is_larger(sizes: list[int], most: int) -> None:
    values = [finding(f"f{n}", x="y" * size) for n, size in enumerate(sizes)]
    sent = Sent(Sending(limits=Limits(most_bytes=most)), *values)
    assert [id for call in sent.calls for id in call] == [f"f{n}" for n in range(len(sizes))]
    for call in sent.calls:
        assert len(call) == 1 or sum(len(values[int(id[1:])]) for id in call) <= most


def test_side_by_side_keeps_the_order_of_an_id() -> None:
    sink = Sending(limits=Limits(concurrency=4, most_actions=1))
    sent = Sent(sink, *many(20))
    assert sink.most == 4
    assert sorted(id for call in sent.calls for id in call) == sorted(f"f{n}" for n in range(20))


def test_no_faster_than_its_rate() -> None:
    sent = Sent(Sending(limits=Limits(rate=10, most_actions=5)), *many(20))
    assert sent.pauses == pytest.approx([0.5, 0.5, 0.5])


@pytest.mark.parametrize(("asked", "paused"), [(None, 0.2), (0.0, 0.2), (7.0, 7.0), (1e9, LONGEST_ASKED)])  # fmt: skip
def test_it_waits_as_long_as_it_is_asked_to(asked: float | None, paused: float) -> None:
    def one(actions: Sequence[Action]) -> list[Receipt]:
        return [Receipt("again", "429", asked)] * len(actions)

    def all_of_it(actions: Sequence[Action]) -> list[Receipt]:
        raise Busy("429", asked)

    for answer in (one, all_of_it):
        sent = Sent(Sending(answer), *many(2))
        assert sent.pauses == [paused]
        assert sent.calls == [["f0", "f1"], ["f0", "f1"]]


def test_after_a_call_that_was_not_taken_at_all_the_others_are_not_tried() -> None:
    def busy(_: Sequence[Action]) -> list[Receipt]:
        raise Busy("503")

    sent = Sent(Sending(busy, limits=Limits(most_actions=1)), *many(3))
    assert sent.calls == [["f0"], ["f0"], ["f1"], ["f2"]]


def test_what_the_destination_calls_it_is_kept() -> None:
    def ticket(actions: Sequence[Action]) -> list[Receipt]:
        return [Receipt("done", reference=f"SEC-{a.id}") for a in actions]

    class Kept(Letters):
        def produce(self, topic: str, value: bytes, on_delivery: Any, **more: Any) -> None:
            links.append((topic, more["key"], orjson.loads(value)))
            super().produce(topic, value, on_delivery)

    links: list[Any] = []
    sink = Sending(ticket)
    it = Deliverer(Settings(), sink, Subscription("jira"), now=lambda: NOW, dead=Kept())

    async def run() -> bool:
        return await it.deliver(await it.prepare([Message(finding("f1"))]))

    assert asyncio.run(run())
    at = from_micros(int(NOW * 1e6))
    assert links == [(TICKET_LINKS.name, b"jira\nf1", {"sink": "jira", "id": "f1", "reference": "SEC-f1", "at": at})]  # fmt: skip


def test_what_no_longer_matches_is_deleted_where_it_stood() -> None:
    values = [finding(f"f{n}", rule={"severity": one}) for n, one in enumerate(SEVERITIES)]
    sink = Sending()
    Sent(sink, *values, match='severity in ["high", "critical"]')
    assert [(action.op, action.id) for action in sink.taken] == [
        ("delete", "f0"), ("delete", "f1"), ("delete", "f2"), ("upsert", "f3"), ("upsert", "f4"),
    ]  # fmt: skip
    appending = Sending()
    appending.transitions_only = True
    Sent(appending, *values, match='severity == "low"', deliveries=Deliveries("s", Letters()))
    assert [action.id for action in appending.taken] == ["f1"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("12", 12.0), (" 3 ", 3.0), ("-1", None), ("1.5", None), ("²", None), ("soon", None),
     ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0), ("Fri, 01 Jan 2027 00:00:00 GMT", 0.0)],
)  # fmt: skip
def test_the_header_retry_after(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, NOW) == seconds


def test_other_topics_have_no_time_and_are_delivered() -> None:
    class Tickets(Sending):
        topics: tuple[Topic, ...] = (TICKET_LINKS,)

    sink = Tickets()
    it = Deliverer(Settings(), sink, Subscription("x"), now=lambda: NOW, dead=Letters())
    raw = orjson.dumps({"id": "t", "revision": 1})

    async def run() -> bool:
        return await it.deliver(await it.prepare([Message(raw, topic=TICKET_LINKS.name)]))

    assert asyncio.run(run())
    assert [action.id for action in sink.taken] == ["t"]
