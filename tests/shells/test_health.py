"""What a program answers to whoever watches over it, and what a worker tells of bad records."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import metrics, wire
from pipeline.health import serve
from pipeline.output import Dead
from pipeline.worker.graves import Graves, about
from tests.core.world import UID, key
from tests.live.programs import get, samples


def test_live_ready_and_metrics() -> None:
    alive = True
    port = serve("127.0.0.1", 0, lambda: alive)
    address = f"http://127.0.0.1:{port}"
    metrics.READY.set(0)
    assert get(f"{address}/ready") == (503, "not ready\n")
    metrics.READY.set(1)
    assert get(f"{address}/ready")[0] == 200
    assert get(f"{address}/live") == (200, "live\n")
    alive = False
    assert get(f"{address}/live")[0] == 503
    assert samples(get(f"{address}/metrics")[1])["driftline_worker_ready"] == 1
    assert get(f"{address}/nothing")[0] == 404
    assert get(f"{'http://127.0.0.1'}:{serve('127.0.0.1', 0)}/live")[0] == 200


def message(offset: int = 7) -> Any:
    return SimpleNamespace(topic="driftline.snapshots", partition=3, offset=offset)


def graves(most: float = 0.1) -> tuple[Graves, list[Any]]:
    sent: list[Any] = []
    return Graves(most, lambda **record: sent.append(record), "assess", lambda: 0.0), sent


def test_a_line_now_and_then_and_never_one_for_each(caplog: pytest.LogCaptureFixture) -> None:
    now, sent = 0.0, []
    mine = Graves(1, lambda **record: sent.append(record), "assess", lambda: now)
    element = wire.encode_snapshot(key(1))
    for offset in range(50):
        mine.bury(message(offset), [Dead(4, "why", element)] * 2, 1)
    now = 2.0
    mine.bury(message(99), [Dead(4, "why", element)], 1)
    first, second = caplog.records
    assert (first.__dict__["count"], second.__dict__["count"]) == (2, 99)
    assert (second.__dict__["offset"], second.__dict__["uid"]) == (99, UID)
    assert second.__dict__["scope"] == "aws/111111111111/eu-west-1/AWS::KMS::Key"
    assert len(sent) == 101


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100, b'{"uid": 5, "type": {}}'])  # fmt: skip
def test_what_cannot_be_read_is_about_nobody(value: bytes) -> None:
    assert about(value) == {}


def test_records_bad_as_a_whole_weigh_as_records() -> None:
    """Half of the batches garbled, sixty good elements in each of the others: under one in sixty, and half of all."""
    mine, _ = graves()
    over = [mine.bury(message(), [Dead(-1, "why", b"")] if n % 2 else [], 0 if n % 2 else 60) for n in range(200)]  # fmt: skip
    assert not any(over[:98])
    assert any(over)


def test_few_bad_elements_among_many_good_ones_stop_nothing() -> None:
    mine, _ = graves()
    assert not any(mine.bury(message(), [Dead(0, "why", b"")], 59) for _ in range(500))
