"""The longest that one piece of work holds a worker's thread, where a partition knows millions of resources.

Heads lie in a real RocksDB; the amount of each piece goes by the worker's own pace. Milliseconds of thread time."""

import gc
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from rocksdict import Options, Rdict, WriteBatch

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import Control, RiskException, Tick
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.worker.agent import PIECE, STATES
from driftline.pipeline.worker.slices import Pace
from driftline.pipeline.worker.store import Rows
from tests.bench.scale import KEY, START, rows, snapshot

HEADS, WHOLE, WILD, COVERED = 2_000_000, 20_000, 500, 1_000_000
HOLE = KEY.format(0)


def run(heads: int = HEADS, whole: int = WHOLE) -> dict[str, Any]:
    """What each kind of work holds the thread for at most, how many pieces it took, and its seconds."""
    gc.freeze()  # as the worker has it
    gc.set_threshold(50_000, 20, 100)
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        store = Rdict(str(Path(name) / "0"), Options(raw_mode=True))
        _fill(store, heads, whole)
        found: dict[str, Any] = {"heads": heads, "whole_states": whole, "exceptions": WILD}
        found["restore"] = _measured(_Bench(store, load()), heads)
        bench = _Bench(store, load())
        bench.settle()
        for number in range(WILD):
            bench.partition.apply(CONTROL.name, _wild(number), number)
        found["exceptions"] = _measured(bench, heads)
        found["ticks"] = _measured(_due(store), whole)
        found["new_rules"] = _measured(_Bench(store, load(builtin=False)), whole)
        store.close()
    return found


class _Bench:
    """A partition over a database, advanced as the worker does it."""

    def __init__(self, store: Any, rules: Rulebook) -> None:
        self.store = store
        table = SimpleNamespace(data=SimpleNamespace(_db_for_partition=lambda _: store))
        files = Rows(table)
        self.partition = Partition(0, store.get, rules, heads=lambda: files.heads(0))
        self.partition.restore(files.heads(0))
        self.pace = Pace(STATES / 50, 1, STATES, PIECE)

    def advance(self) -> tuple[bool, float]:
        """One piece; whether there is more, and its seconds of thread time."""
        began = time.thread_time()
        more = self.partition.advance(None, int(self.pace.amount))
        took = time.thread_time() - began
        self.pace.took(took)
        self.keep()
        return more, took

    def keep(self) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, row in self.partition.take().rows.items():
            if row is None:
                batch.delete(key)
            else:
                batch.put(key, row)
        self.store.write(batch)

    def settle(self) -> None:
        while self.advance()[0]:
            pass


def _measured(bench: _Bench, count: int) -> dict[str, float]:
    began, pieces, more = time.monotonic(), list[float](), True
    while more:
        more, took = bench.advance()
        pieces.append(took)
    return {"longest_ms": max(pieces) * 1000, "pieces": len(pieces), "seconds": time.monotonic() - began, "of": count}  # fmt: skip


def _fill(store: Any, heads: int, whole: int) -> None:
    """Heads of so many resources, and of some the bodies. (A copy differs by its uid alone.)"""
    own, batch = rows(), WriteBatch(raw_mode=True)
    for number in range(heads):
        uid = KEY.format(number).encode()
        for key, row in own.items():
            if HOLE.encode() in key and (key[:1] == b"h" or number < whole):
                batch.put(key.replace(HOLE.encode(), uid), row.replace(HOLE.encode(), uid))
        if number % 50_000 == 49_999:
            store.write(batch)
            batch = WriteBatch(raw_mode=True)
    store.write(batch)


def _wild(number: int) -> bytes:
    """An exception by a pattern; together they cover half of all resources."""
    digits = f"{number:09d}"
    at = START
    one = RiskException(id=f"ex-{number}", rule="aws-kms-key-rotation-enabled", resource=f"{KEY.split('{')[0]}{digits}*", reason="a bench",
                        owner="bench", approver="other", at=at, until=at + timedelta(days=300))  # fmt: skip
    return Control(exception=one).encode()


def _due(store: Any) -> _Bench:
    """All are due to be restated at once: the worst that a tick brings."""
    bench = _Bench(store, load())
    bench.settle()
    at = datetime(2026, 1, 1, 13, tzinfo=UTC)
    for number in range(WHOLE):
        bench.partition.apply(
            SNAPSHOTS.name,
            codec.encode_batch([snapshot(KEY.format(number), at - timedelta(hours=12))]),
            10_000 + number,
        )
    bench.keep()
    bench.partition.apply(CONTROL.name, Control(tick=Tick(source="sweep", watermark=at + timedelta(hours=13))).encode(), 9_000)  # fmt: skip
    return bench


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
