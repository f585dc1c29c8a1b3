"""What every sink must do, whatever happens at its destination: one table of cases, run on each sink.

A sink's test module writes a `Subject` (its destination, as a test can spoil it) and calls `check(subject, case)` for every
case of `CASES`. A case that cannot happen at a destination is named in `Subject.impossible`, with the reason; nothing else is
left out. Nothing here knows a destination."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.rulebook.match import is_transition
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import Sink
from driftline.sinks.deliver import LONGEST_WAIT, Deliverer
from driftline.sinks.delivered import Deliveries
from driftline.sinks.subscription import Subscription
from tests.sinks.findings import HOSTILE, SPECIAL, findings
from tests.sinks.test_deliver import Letters, Message

ASKED = 77.0
"""Seconds of Retry-After."""
LONG = 40
"""Attempts that fail while a destination is away."""


class Subject(Protocol):
    """A sink with its destination."""

    impossible: dict[str, str]
    """Case to why it cannot happen there."""

    def sink(self) -> Sink:
        """A new one, as a new process has it."""

    def refuse(self, ids: set[str]) -> None:
        """From now on: documents of these findings are refused for what they are."""

    def fail(self, kind: str, times: int) -> None:
        """The next calls fail: `throttled`, `asked` (to wait ASKED seconds), `silent` (it has taken all, and does not say so),
        `away`, `credentials`; `tls`: a new sink does not trust the destination, until `times` is 0."""

    def rotate(self) -> None:
        """New credentials, where the settings say that they are."""

    def transitions(self) -> Counter[str] | None:
        """What arrived of what happened: `id:revision`, and how often; None: the destination keeps only what stands."""

    def standing(self) -> dict[str, int] | None:
        """What stands now, id to revision; None: the destination only appends."""


@dataclass(frozen=True)
class Case:
    """One thing that happens."""

    name: str
    act: Callable[["Trial"], None]


class Trial:
    """Some findings on their way. Time passes only in pauses; `tick` is called in each."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.letters, self.pauses, self.refused = subject, Letters(), list[float](), set[str]()  # fmt: skip
        self.said = _some()
        self.tick: Callable[[], None] = lambda: None
        self.stop: Callable[[], None] = lambda: None
        self.deliveries = 0

    def deliver(self, sink: Sink | None = None) -> None:
        """All of it, until every receipt is there."""
        assert asyncio.run(self._run(sink or self.subject.sink())), "it does not end"
        self.deliveries += 1

    def deliver_in_vain(self, pauses: int) -> None:
        """Until it has waited so often; then it is told to stop."""
        self.tick = lambda: self.stop() if len(self.pauses) == pauses else None
        assert not asyncio.run(self._run(self.subject.sink()))
        self.tick = lambda: None

    async def _run(self, sink: Sink) -> bool:
        settings = Settings.model_validate({"sink": {"bad_share": 1}})
        memory = Deliveries("subject", self.letters) if sink.transitions_only else None
        it = Deliverer(settings, sink, Subscription("subject"), now=lambda: 1_800_000_000.0, chance=lambda: 0.5, pause=self._pause,
                       dead=self.letters, deliveries=memory)  # fmt: skip
        self.stop = it.stop
        try:
            messages = [Message(orjson.dumps(one), n) for n, one in enumerate(self.said)]
            return await it.deliver(await it.prepare(messages))
        finally:
            await sink.close()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) > 10 * LONG:
            self.stop()  # it does not end
        self.tick()

    def arrived(self, *, times: int = 1) -> None:
        """Everything but what was refused is there: once where the destination knows ids, else at most so often."""
        good = [one for one in self.said if one["id"] not in self.refused]
        wanted = {f"{one['id']}:{one['revision']}" for one in good if is_transition(FINDINGS.own, one)}  # fmt: skip
        found, standing = self.subject.transitions(), self.subject.standing()
        if found is not None:
            assert set(found) == wanted
            assert max(found.values(), default=0) <= (times if standing is None else 1)
        if standing is not None:
            assert standing == {one["id"]: one["revision"] for one in good if not one["retired"]}
        refused = sum(one["id"] in self.refused for one in self.said)
        assert len(self.letters.written) in (refused, 2 * refused), "of one record several actions"


def _some() -> list[dict[str, Any]]:
    """A finding of every kind, each with an id of its own."""
    return [findings()[special] | {"id": f"{n:02}-{special}"} for n, special in enumerate(SPECIAL)]


def _happy(trial: Trial) -> None:
    trial.deliver()
    trial.arrived()
    assert trial.pauses == []


def _rejected(some: Callable[[list[str]], list[str]]) -> Callable[[Trial], None]:
    def act(trial: Trial) -> None:
        ids = [one["id"] for one in trial.said if is_transition(FINDINGS.own, one)]
        trial.said = [one for one in trial.said if one["id"] in ids]
        trial.refused = set(some(ids))
        trial.subject.refuse(trial.refused)
        trial.deliver()
        trial.arrived()

    return act


def _passing(kind: str, times: int, at_least: float = 0.0) -> Callable[[Trial], None]:
    """A fault that passes by itself buries nothing, and everything arrives."""

    def act(trial: Trial) -> None:
        trial.subject.fail(kind, times)
        trial.deliver()
        trial.arrived(times=times + 1)
        assert len(trial.pauses) >= (times + 1) // 2, "a client may try once more by itself"
        assert all(at_least <= pause <= max(at_least, 1.5 * LONGEST_WAIT) for pause in trial.pauses)

    return act


def _tls(trial: Trial) -> None:
    """Nothing is delivered, and nothing buried; with the right settings everything arrives."""
    trial.subject.fail("tls", 1)
    trial.deliver_in_vain(3)
    assert trial.letters.written == []
    trial.subject.fail("tls", 0)
    trial.deliver()
    trial.arrived()


def _rotated(trial: Trial) -> None:
    trial.subject.fail("credentials", 10**6)

    def tick() -> None:
        if len(trial.pauses) == 3:
            trial.subject.rotate()

    trial.tick = tick
    trial.deliver()
    trial.arrived()
    assert 3 <= len(trial.pauses) <= 5, "no restart is needed"


def _killed_before(trial: Trial) -> None:
    sink = trial.subject.sink()
    rendered = [sink.render(FINDINGS.name, one, 1_800_000_000_000_000) for one in trial.said]
    assert any(rendered)
    asyncio.run(sink.close())  # and nothing of it was sent
    trial.deliver()
    trial.arrived()


def _twice(trial: Trial) -> None:
    """Killed between send and commit, or thrown back: another process delivers the same again. What cannot upsert is not
    given it again."""
    trial.deliver()
    trial.deliver()
    trial.arrived()


def _twice_and_forgotten(trial: Trial) -> None:
    """Killed before the brokers had the record of the delivery: at least once."""
    trial.deliver()
    trial.letters.delivered.clear()
    trial.deliver()
    trial.arrived(times=2)


def _hostile(trial: Trial) -> None:
    [one] = [one for one in trial.said if one["id"].endswith("hostile")]
    assert one["resource"]["name"] == HOSTILE
    trial.said = [one]
    trial.deliver()
    trial.arrived()


def _oversize(trial: Trial) -> None:
    big = trial.said[0] = trial.said[0] | {"sentence": "x" * 3_900_000}
    trial.deliver()
    if trial.letters.written:  # a destination may refuse it, with its reason, and nothing else
        trial.refused = {big["id"]}
    trial.arrived()


CASES = (
    Case("happy", _happy),
    Case("all rejected", _rejected(lambda ids: ids)),
    Case("some rejected", _rejected(lambda ids: ids[::3])),
    Case("throttled", _passing("throttled", 3)),
    Case("throttled with Retry-After", _passing("asked", 1, ASKED)),
    Case("time-out with unknown outcome", _passing("silent", 2)),
    Case("TLS failure", _tls),
    Case("credentials expired and rotated", _rotated),
    Case("down for long", _passing("away", LONG)),
    Case("killed between read and send", _killed_before),
    Case("killed between send and commit", _twice),
    Case("killed between send and its record", _twice_and_forgotten),
    Case("hostile text", _hostile),
    Case("oversize", _oversize),
    Case("duplicate", _twice),
)


def check(subject: Subject, case: Case) -> bool:
    """Runs a case; False where it cannot happen at this destination."""
    assert set(subject.impossible) <= {one.name for one in CASES}
    if case.name in subject.impossible:
        return False
    case.act(Trial(subject))
    return True
