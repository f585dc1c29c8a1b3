"""`driftline clock`: time goes to every partition, and never back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka import clock
from driftline.pipeline.model import RiskException
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CONTROL, PARTITIONS
from driftline.pipeline.settings.blocks import Settings, load_settings
from tests.core.world import rulebook, tick
from tests.shells.command import Command

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Message:
    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def value(self) -> bytes | None:
        return self._value


class Stage:
    """The clock without Kafka: what lies there, what it writes, how the hands move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *there: bytes | None) -> None:
        self.written: list[tuple[int, datetime]] = []
        self.flushed = 0
        self.exceptions: list[RiskException] = []
        self.told: list[list[str]] = []
        monkeypatch.setattr(clock, "read_all", lambda *_: [Message(value) for value in there])
        monkeypatch.setattr(clock, "producer", lambda *_: None)
        monkeypatch.setattr(clock, "stored", lambda *_: {one.id: one for one in self.exceptions})
        monkeypatch.setattr(
            clock, "tell", lambda *told: self.told.append([one.id for one in told[2]])
        )
        monkeypatch.setattr(clock, "produce", self._produce)
        self.brokers: datetime | None = None
        monkeypatch.setattr(clock, "brokers_time", lambda *_: self.brokers)
        monkeypatch.setattr(clock, "flush", self._flush)

    def _produce(
        self, _out: Any, _delivery: Any, topic: str, value: bytes, *, partition: int
    ) -> None:
        assert topic == CONTROL.name
        record = codec.control(value)
        assert record.tick is not None
        self.written.append((partition, record.tick.watermark))

    def _flush(self, *_: Any) -> None:
        self.flushed = len(self.written)

    def run(self, *hands: datetime) -> list[datetime]:
        """What each tick said, while the machine's time took these values."""
        left, pauses = list(hands), list[float]()

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if not left:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            clock.run(own_settings(), once=False, now=lambda: left.pop(0), pause=pause)
        assert set(pauses) == {30}
        assert self.flushed == len(self.written)
        ticks = self.written[::PARTITIONS]
        assert self.written == [(n, at) for _, at in ticks for n in range(PARTITIONS)]
        return [at for _, at in ticks]


def own_settings() -> Settings:
    return load_settings(env={"DRIFTLINE_CLOCK__LATENESS": "120s"})


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_every_partition_hears_the_time_less_the_lateness(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Stage(monkeypatch).run(NOON, after(1)) == [after(-2), after(-1)]


def test_exceptions_in_force_are_told_again_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lost his state learns of them."""
    stage = Stage(monkeypatch)
    given = {
        "rule": "t-rotation",
        "reason": "an old machine",
        "owner": "bea",
        "approver": "carol",
        "at": NOON,
    }
    stage.exceptions = [
        RiskException.model_validate(given | {"id": "standing", "until": after(60 * 25)}),
        RiskException.model_validate(
            given | {"id": "ended", "until": after(60 * 25), "ended": NOON}
        ),
    ]
    stage.run(NOON, after(1), after(60 * 23), after(60 * 24 + 1), after(60 * 48 + 2))
    assert stage.told == [["standing"], ["standing"], []]


def test_it_never_runs_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither with the machine's time, nor by standing still: a tick says something new or is not said."""
    hands = (NOON, after(-30), after(0), after(0.5), after(0.4), after(3))
    assert Stage(monkeypatch).run(*hands) == [after(-2), after(-1.5), after(1)]


def test_it_goes_on_where_another_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [*map(tick, range(0, 60 * 12 + 1, 60)), None, b"", b"{bad", b'{"tick":5}', b'{"baseline":{}}',
             b'{"tick":{"source":"trail","watermark":"2030-01-01T00:00:00Z"}}', tick(5)]  # fmt: skip
    assert Stage(monkeypatch, *there).run(after(1), after(2), after(2.5)) == [after(0.5)]


@pytest.mark.parametrize("once", [True, False])
def test_a_tick_far_ahead_is_told(monkeypatch: pytest.MonkeyPatch, once: bool) -> None:
    """Time would stand still for good otherwise, and every wait with it."""
    stage = Stage(monkeypatch, tick(60 * 24 * 365))
    with pytest.raises(UserError, match="2027-01-01T00:00:00"):
        clock.run(own_settings(), once=once, now=lambda: NOON, pause=lambda _: None)
    assert stage.written == []


def test_it_never_ticks_ahead_of_the_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.brokers = NOON
    assert stage.run(after(60 * 24 * 365), after(-1)) == [after(-2)]


def test_a_tick_of_a_wrong_clock_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has refused it, or does so now."""
    stage = Stage(monkeypatch, tick(60 * 24 * 365))
    stage.brokers = after(0.5)
    assert stage.run(NOON, after(1)) == [after(-2), after(-1.5)]


def test_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    never: Callable[[float], None] = lambda _: pytest.fail("it waits")  # noqa: E731
    clock.run(own_settings(), once=True, now=lambda: NOON, pause=never)
    assert len(stage.written) == stage.flushed == PARTITIONS


def test_who_hears_it_never_goes_back_either() -> None:
    partition = Partition(0, dict[bytes, bytes]().get, rulebook())
    for offset, minutes in enumerate((5, 3, 9, 9, 1)):
        partition.apply(CONTROL.name, tick(minutes), offset)
    assert partition.watermark == codec.control(tick(9)).tick.watermark.timestamp() * 1e6  # type: ignore[union-attr]


def test_a_wrong_interval_is_told(driftline: Command) -> None:
    for wrong in ("soon", "0s", "-1s"):
        said = driftline("clock", "--interval", wrong)
        assert said.code == 2, said
        assert "--interval" in said.err
