"""The one delivery loop with a list for a sink: order, retries item by item, dead letters, and when it stops."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest

from driftline.pipeline.records.topics import DELIVERED, FINDINGS, Topic
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import Action, Busy, Limits, Receipt
from driftline.sinks.batches import Batch
from driftline.sinks.deliver import FIRST_WAIT, LONGEST_WAIT, Deliverer, TooManyRefused
from driftline.sinks.subscription import Subscription

Answer = Callable[[Sequence[Action]], list[Receipt]]
DONE, AGAIN, NEVER = Receipt("done"), Receipt("again", "full"), Receipt("never", "400 no")


class Message:
    """As confluent-kafka gives one."""

    def __init__(
        self, value: bytes | None, offset: int = 0, partition: int = 0, topic: str = FINDINGS.name, key: bytes | None = None,
    ) -> None:  # fmt: skip
        self._value, self._offset, self._partition = value, offset, partition
        self._topic, self._key = topic, key

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return self._key

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_800_000_000_000

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset


def finding(id: str, revision: int = 1, **more: Any) -> bytes:
    return orjson.dumps({"id": id, "revision": revision, "last_seen": "2026-01-01T00:00:00.000000Z"} | more)  # fmt: skip


class Listing:
    """Takes what it is given, answers as told."""

    topics: tuple[Topic, ...] = (FINDINGS,)
    limits = Limits()
    transitions_only = False

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.sent, self.taken = list(answers), [], []  # type: ignore[var-annotated]

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        id, revision = document["id"], document["revision"]
        if id == "bad":
            raise ValueError("not to be rendered")
        return [Action("upsert", "a", id, revision, {"now": now}), Action("append", "b", f"{id}:{revision}", revision, {})]  # fmt: skip

    def forget(self, topic: str, key: str, at: int) -> list[Action]:
        return [Action("delete", "a", key, at, None)] if key else []

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        self.sent.append([f"{a.target}/{a.id}" for a in actions])
        answer = self.answers.pop(0) if self.answers else all_done
        receipts = answer(actions)
        self.taken += [a for a, r in zip(actions, receipts, strict=True) if r is DONE]
        return receipts

    async def close(self) -> None: ...


class Letters:
    """In the producer's place, and in that of the topic `delivered`. `slow` flushes leave something."""

    def __init__(self, slow: int = 0, refuse: bool = False) -> None:
        self.slow, self.refuse, self.written, self.waiting = slow, refuse, [], []  # type: ignore[var-annotated]
        self.keys, self.delivered = list[bytes](), list[bytes]()

    def produce(self, topic: str, value: bytes, on_delivery: Any, **more: Any) -> None:
        if topic == DELIVERED.name:
            self.keys.append(more["key"])
        reason = dict(more.get("headers", ())).get("reason")
        self.waiting.append((reason, value, on_delivery))

    def read(self, since: int | None) -> list[bytes]:
        return list(self.delivered)

    def flush(self, seconds: float) -> int:
        if self.slow:
            self.slow -= 1
            return len(self.waiting)
        for reason, value, told in self.waiting:
            told(_Refusal() if self.refuse else None, Message(value))
            self.written += [reason.decode()] if reason is not None else []
        self.waiting = []
        self.delivered += self.keys
        self.keys = []
        return 0


class _Refusal:
    def str(self) -> str:
        return "no"


def all_done(actions: Sequence[Action]) -> list[Receipt]:
    return [DONE] * len(actions)


def by_id(receipts: dict[str, Receipt]) -> Answer:
    return lambda actions: [receipts.get(a.id, DONE) for a in actions]


def busy(_: Sequence[Action]) -> list[Receipt]:
    raise Busy("away")


class Run:
    """A deliverer with clock, chance and pauses in our hand."""

    def __init__(self, sink: Listing, letters: Letters | None = None, share: float = 0.5) -> None:
        self.sink, self.letters, self.pauses = sink, letters or Letters(), []  # type: ignore[var-annotated]
        settings = Settings.model_validate({"sink": {"bad_share": share}})
        self.hook: Callable[[], Awaitable[None]] | None = None
        self.it = Deliverer(settings, sink, Subscription("list"), now=lambda: 1_800_000_000.0, chance=lambda: 0.5,
                            pause=self._pause, dead=self.letters)  # fmt: skip

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.hook:
            await self.hook()

    def __call__(self, *values: bytes | None) -> bool:
        async def both() -> bool:
            return await self.it.deliver(await self.prepare(*values))

        return asyncio.run(both())

    async def prepare(self, *values: bytes | None) -> Batch:
        return await self.it.prepare([Message(v, n, n % 2) for n, v in enumerate(values)])


def test_in_order_and_once() -> None:
    sink = Listing()
    assert Run(sink)(finding("x"), None, finding("y"))
    assert sink.sent == [["a/x", "b/x:1", "a/y", "b/y:1"]]


def test_what_has_no_value_is_over() -> None:
    sink = Listing()
    run = Run(sink)

    async def both() -> bool:
        return await run.it.deliver(await run.it.prepare([Message(None, key=b"x")]))

    assert asyncio.run(both())
    assert sink.taken == [Action("delete", "a", "x", 1_800_000_000_000, None)]


def test_of_several_on_one_id_only_the_newest_and_behind_what_came_before_it() -> None:
    sink = Listing()
    assert Run(sink)(finding("x", 1), finding("y", 1), finding("x", 3), finding("x", 2))
    assert sink.sent == [["b/x:1", "a/y", "b/y:1", "a/x", "b/x:3", "b/x:2"]]
    [newest] = [a for a in sink.taken if a.id == "x"]
    assert newest.version == 3


def test_only_what_was_not_taken_is_sent_again() -> None:
    sink = Listing(by_id({"x": AGAIN, "y:1": AGAIN}), by_id({"x": AGAIN}))
    run = Run(sink)
    assert run(finding("x"), finding("y"))
    assert sink.sent[1:] == [["a/x", "b/y:1"], ["a/x"]]
    assert sorted(a.id for a in sink.taken) == ["x", "x:1", "y", "y:1"]
    assert run.letters.written == []


def test_pauses_double_to_a_limit_and_begin_anew_after_progress() -> None:
    sink = Listing(*[busy] * 9, by_id({"x": AGAIN}), busy)
    run = Run(sink)
    assert run(finding("x"))
    doubled = [min(FIRST_WAIT * 2**n, LONGEST_WAIT) for n in range(10)]
    assert run.pauses == pytest.approx([*doubled, FIRST_WAIT])


def test_pauses_jitter() -> None:
    for chance, factor in ((0.0, 0.5), (1.0, 1.5)):
        run = Run(Listing(busy))
        run.it._chance = lambda c=chance: c  # type: ignore[misc]
        run(finding("x"))
        assert run.pauses == pytest.approx([FIRST_WAIT * factor])


def test_what_is_refused_is_buried_and_the_rest_arrives() -> None:
    sink = Listing(by_id({"x": NEVER, "y": AGAIN}))
    run = Run(sink)
    assert run(finding("x"), finding("y"), finding("z"))
    assert run.letters.written == ["400 no"]
    assert sink.sent[1:] == [["a/y"]]


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b"7", b"null", b"\xff", b'{"id": "x"}', finding("bad"), b"[" * 100_000,
              finding("x", last_seen=5), b'{"id":"\\ud800","revision":1,"last_seen":"x"}'],
)  # fmt: skip
def test_what_cannot_be_rendered_is_buried_with_its_reason(value: bytes) -> None:
    sink = Listing()
    run = Run(sink)
    assert run(value, finding("y"))
    [reason] = run.letters.written
    assert reason.startswith("cannot be rendered: ")
    assert sink.sent == [["a/y", "b/y:1"]]


def test_a_batch_is_not_done_before_its_letters_are_written() -> None:
    letters = Letters(slow=3)
    assert Run(Listing(by_id({"x": NEVER})), letters)(finding("x"), finding("y"))
    assert (letters.slow, len(letters.written)) == (0, 1)
    with pytest.raises(OSError, match="refused"):
        Run(Listing(by_id({"x": NEVER})), Letters(refuse=True))(finding("x"))
    with pytest.raises(OSError, match="not written"):
        Run(Listing(by_id({"x": NEVER})), Letters(slow=10**6))(finding("x"))


def test_too_many_refused_is_a_bad_deploy_and_counts_findings_not_actions() -> None:
    def never(actions: Sequence[Action]) -> list[Receipt]:
        return [NEVER if int(a.id.partition(":")[0]) % 10 < 4 else DONE for a in actions]

    values = [finding(str(n)) for n in range(300)]
    assert Run(Listing(never), share=0.4)(*values)
    with pytest.raises(TooManyRefused, match="a bad deploy is not a bad record"):
        Run(Listing(never), share=0.39)(*values)
    with pytest.raises(TooManyRefused):
        Run(Listing())(*[b"{"] * 300)


def test_it_stops_while_it_waits_and_the_batch_is_not_done() -> None:
    sink = Listing(*[busy] * 100)
    run = Run(sink)

    async def hook() -> None:
        if len(run.pauses) == 3:
            run.it.stop()
        await asyncio.sleep(0)
        if len(run.pauses) == 3:
            await asyncio.Event().wait()  # never ends by itself

    run.hook = hook
    assert run(finding("x")) is False
    assert len(sink.sent) == 3


def test_it_stops_while_letters_wait() -> None:
    run = Run(Listing(by_id({"x": NEVER})), Letters(slow=10**6))
    run.it.stop()
    assert run(finding("x")) is False


def test_what_is_no_longer_ours_is_left_to_its_new_owner() -> None:
    sink = Listing(busy)
    run = Run(sink)
    turns = {(FINDINGS.name, 0): 1, (FINDINGS.name, 1): 1}
    run.it._turn = turns.__getitem__

    async def hook() -> None:
        turns[FINDINGS.name, 0] = 2

    run.hook = hook
    assert run(finding("x"), finding("y"))  # partitions 0 and 1
    assert sink.sent == [["a/x", "b/x:1", "a/y", "b/y:1"], ["a/y", "b/y:1"]]


def test_a_batch_knows_the_last_of_each_partition() -> None:
    run = Run(Listing())
    batch = asyncio.run(run.prepare(finding("x"), None, finding("y"), b"{", None))
    assert {slot: m.offset() for slot, (_, m) in batch.last.items()} == {(FINDINGS.name, 0): 4, (FINDINGS.name, 1): 3}  # fmt: skip
    assert (batch.total, len(batch.items), len(batch.bad)) == (5, 4, 1)
    assert run.letters.waiting == [], "letters belong to the delivery: a batch may be dropped"
