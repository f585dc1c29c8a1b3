"""What a program answers to whoever watches over it, and what a worker tells of bad records."""

import contextlib
import select
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka.dead_letters import Origin, letter_id
from driftline.pipeline.ops import health, metrics
from driftline.pipeline.ops.health import listen, serve
from driftline.pipeline.records import codec
from driftline.pipeline.records.outputs import Dead
from driftline.pipeline.worker.dead_letters import DeadLetterWriter, about
from tests.core.world import UID, key
from tests.live.programs import get, samples


def test_live_ready_and_metrics() -> None:
    alive = True
    port = serve(listen("127.0.0.1", 0, "port"), lambda: alive)
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
    assert get(f"{'http://127.0.0.1'}:{serve(listen('127.0.0.1', 0, 'port'))}/live")[0] == 200


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(health, "PATIENCE", 0.3)
    monkeypatch.setattr(health, "MOST_OPEN", 8)
    return serve(listen("127.0.0.1", 0, "port"))


def held(port: int, data: bytes = b"") -> socket.socket:
    """A connection that has sent something, and no more."""
    own = socket.create_connection(("127.0.0.1", port), timeout=10)
    own.sendall(data)
    return own


def closed(own: socket.socket) -> bytes:
    """What came until the other side closed."""
    out = b""
    with contextlib.suppress(ConnectionResetError):
        while data := own.recv(65536):
            out += data
    own.close()
    return out


@pytest.mark.parametrize("data", [b"", b"G", b"GET /metrics HTTP/1.1\r\nA: b\r\n"], ids=["nothing", "one byte", "no end"])  # fmt: skip
def test_who_sends_too_little_has_little_time(page: int, data: bytes) -> None:
    assert closed(held(page, data)) == b""


def test_who_sends_a_byte_now_and_then_has_no_more(page: int) -> None:
    own = held(page)
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - began < 10:
            own.sendall(b"G")
            if select.select([own], [], [], 0.05)[0]:
                break
    assert closed(own) == b""
    assert time.monotonic() - began < 5


def test_who_holds_connections_open_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MOST_OPEN", 8)
    port = serve(listen("127.0.0.1", 0, "port"))  # with all its patience
    threads = threading.active_count()
    many = [held(port, b"G") for _ in range(100)]
    assert get(f"http://127.0.0.1:{port}/live") == (200, "live\n")
    assert threading.active_count() <= threads
    assert sum(closed(own) == b"" for own in many[:90]) == 90  # the oldest went, at once
    for own in many[90:]:
        own.close()


def test_who_never_takes_the_answer_is_left(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "generate_latest", lambda: b"x" * 50_000_000)
    own = held(page, b"GET /metrics HTTP/1.1\r\n\r\n")
    deadline = time.monotonic() + 10
    while get(f"http://127.0.0.1:{page}/live")[0] != 200:
        assert time.monotonic() < deadline
    assert len(closed(own)) < 50_000_000


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"GET /live HTTP/1.1\r\n\r\n", 200), (b"GET /live?x=1 HTTP/1.0\r\n\r\n", 200), (b"POST /live HTTP/1.1\r\n\r\n", 405),
     (b"HEAD /live HTTP/1.1\r\n\r\n", 405), (b"\r\n\r\n", 400), (b"\xff\x00 \xff HTTP/1.1\r\n\r\n", 405), (b"GET /live\r\n\r\n", 400),
     (b"GET / HTTP/2\r\n\r\n", 400), (b"GET /../x HTTP/1.1\r\n\r\n", 404), (b"GET /" + b"x" * 20_000, 431)],
)  # fmt: skip
def test_odd_requests(page: int, data: bytes, code: int) -> None:
    assert closed(held(page, data)).startswith(f"HTTP/1.1 {code} ".encode())


def test_a_port_that_is_taken_is_told(page: int) -> None:
    with pytest.raises(
        UserError, match=rf"^worker\.port: 127.0.0.1:{page} is in use .* its own worker.port"
    ):
        listen("127.0.0.1", page, "worker.port")
    with pytest.raises(UserError, match=r"^sink\.port: 192\.0\.2\.1:1: .* \(choose another"):
        listen("192.0.2.1", 1, "sink.port")


def message(offset: int = 7) -> Any:
    return SimpleNamespace(topic="driftline.snapshots", partition=3, offset=offset)


def graves(most: float = 0.1) -> tuple[DeadLetterWriter, list[Any]]:
    sent: list[Any] = []
    return DeadLetterWriter(most, lambda **record: sent.append(record), "assess", lambda: 0.0), sent


def test_a_line_now_and_then_and_never_one_for_each(caplog: pytest.LogCaptureFixture) -> None:
    now, sent = 0.0, []
    mine = DeadLetterWriter(1, lambda **record: sent.append(record), "assess", lambda: now)
    element = codec.encode_snapshot(key(1))
    for offset in range(50):
        mine.write(message(offset), [Dead(4, "why", element)] * 2, 1)
    now = 2.0
    mine.write(message(99), [Dead(4, "why", element)], 1)
    first, second = caplog.records
    assert (first.__dict__["count"], second.__dict__["count"]) == (2, 99)
    assert (second.__dict__["offset"], second.__dict__["uid"]) == (99, UID)
    assert second.__dict__["scope"] == "aws/111111111111/eu-west-1/AWS::KMS::Key"
    assert len(sent) == 101


def test_what_was_buried_before_a_stop_counts_and_is_not_written_again() -> None:
    mine, sent = graves(0.5)
    mine.known = {letter_id("assess", Origin("driftline.snapshots", 3, offset, 4), b"x") for offset in range(90)}  # fmt: skip
    over = [mine.write(message(offset), [Dead(4, "why", b"x")], 0) for offset in range(100)]
    assert over == [False] * 99 + [True]
    assert len(sent) == 10


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100, b'{"uid": 5, "type": {}}'])  # fmt: skip
def test_what_cannot_be_read_is_about_nobody(value: bytes) -> None:
    assert about(value) == {}


def test_records_bad_as_a_whole_weigh_as_records() -> None:
    """Half of the batches garbled, sixty good elements in each of the others: under one in sixty, and half of all."""
    mine, _ = graves()
    over = [mine.write(message(), [Dead(-1, "why", b"")] if n % 2 else [], 0 if n % 2 else 60) for n in range(200)]  # fmt: skip
    assert not any(over[:98])
    assert any(over)


def test_few_bad_elements_among_many_good_ones_stop_nothing() -> None:
    mine, _ = graves()
    assert not any(mine.write(message(), [Dead(0, "why", b"")], 59) for _ in range(500))
