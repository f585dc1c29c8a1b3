"""One worker through real Kafka on realistic sweeps, side by side with a bare confluent-kafka loop and quixstreams.

Every contestant does the same step (driftline.pipeline.assess.shard, the built-in rules) on the same micro-batches. What each
promises when it is killed differs, and is told beside its figure. A run's clock starts when its first rows are in the
changelog and ends when its last are: process start and joining are not counted."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic, OffsetSpec  # type: ignore[attr-defined]

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import Delivery, admin, consumer, flush, produce, producer
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import Child
from driftline.pipeline.records.topics import PARTITIONS, SNAPSHOTS
from driftline.pipeline.settings.blocks import Kafka
from tests.bench import buckets

RESOURCES, SWEEPS, CHANGED, ROUNDS = 8_000, 14, 0.05, 3
KEYED = "bench.snapshots.keyed"
QUIX = Path(".venv-quix")
NEEDED = (
    "quixstreams==3.28.1",
    "cel-expr-python==0.1.3",
    "msgspec",
    "orjson",
    "pydantic",
    "protobuf",
    "pyyaml",
)
START = datetime(2026, 1, 1, tzinfo=UTC)
GUARANTEES = {
    "worker": "killed or rebalanced: nothing lost, nothing applied twice, files exact",
    "bare": "the same order of durability; no guard against what a rebalance or a sleeper does",
    "bare lean": "at least once; a kill may keep states without their outputs",
    "quixstreams": "at least once; a kill may apply records twice",
}


@dataclass
class Contestant:
    kind: str
    name: str
    changelog: str
    elements: int = 0
    seconds: float = 0.0
    memory_mb: float = 0.0
    rates: list[float] = field(default_factory=list)


class Arena:
    """A broker with the input, fed in two parts: the first sweep, then all others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = kafka.start(folder / "kafka", heap="1g")
        self.kafka = Kafka(bootstrap_servers=self.broker.bootstrap)
        topics_admin.create(self.kafka)
        self.admin = admin(self.kafka)
        self.topic(KEYED, {})
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")} | {"PYTHONPATH": str(Path.cwd())}  # fmt: skip

    def topic(self, name: str, config: dict[str, str]) -> None:
        new = NewTopic(name, PARTITIONS, 1, config=config | {"max.message.bytes": "4000000"})
        self.admin.create_topics([new])[name].result(20)

    def feed(self, sweeps: Iterator[tuple[int, bytes, int]]) -> int:
        out, delivery = producer(self.kafka), Delivery()
        count = 0
        for number, value, elements in sweeps:
            produce(out, delivery, SNAPSHOTS.name, value, partition=number)
            produce(out, delivery, KEYED, value, partition=number, key=str(number).encode())
            count += elements
            out.poll(0)
        flush(out, delivery, 120)
        return count

    def contestant(self, kind: str, number: int) -> Contestant:
        app = f"bench-{kind.replace(' ', '-')}-{number}"
        name = f"changelog__{app}--{KEYED}--default" if kind == "quixstreams" else f"{app}-state-changelog"  # fmt: skip
        self.topic(name, {"cleanup.policy": "compact"})
        return Contestant(kind, app, name)

    def launch(self, who: Contestant) -> Child:
        state, log = self.folder / who.name, self.folder / f"{who.name}.txt"
        brokers, env = self.kafka.bootstrap_servers, self.env
        if who.kind == "worker":
            settings = {"kafka": {"bootstrap_servers": brokers}, "worker": {"app_id": who.name, "state_dir": str(state), "port": 0}}  # fmt: skip
            path = self.folder / f"{who.name}.yaml"
            path.write_text(yaml.safe_dump(settings))
            path.chmod(0o600)
            return Child([sys.executable, "-m", "driftline.pipeline", "worker"], log, env | {"DRIFTLINE_CONFIG": str(path)})  # fmt: skip
        if who.kind == "quixstreams":
            return Child([str(QUIX / "bin" / "python"), "-m", "tests.bench.quix", brokers, who.name, KEYED, str(state)], log, env)  # fmt: skip
        how = "lean" if who.kind == "bare lean" else "durable"
        return Child([sys.executable, "-m", "tests.bench.bare", brokers, who.name, who.changelog, str(state), how], log, env)  # fmt: skip

    def ends(self, topic: str) -> int:
        """How many records there are; 0 where the topic is not there yet."""
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        slots = {TopicPartition(topic, n): latest for n in range(PARTITIONS)}
        try:
            answers = self.admin.list_offsets(slots, request_timeout=5)
            return sum(future.result().offset for future in answers.values())
        except KafkaException:
            return 0

    def committed(self, who: Contestant) -> bool:
        """Whether the group has taken all there is."""
        topic = KEYED if who.kind == "quixstreams" else SNAPSHOTS.name
        slots = [TopicPartition(topic, n) for n in range(PARTITIONS)]
        reader = consumer(self.kafka, who.name)
        try:
            done = reader.committed(slots, 10)
            ends = [reader.get_watermark_offsets(tp, 5)[1] for tp in slots]
        except KafkaException:
            return False
        finally:
            reader.close()
        return all(d.offset == end or end == 0 for d, end in zip(done, ends, strict=True))

    def run(self, who: Contestant, elements: int) -> None:
        """Lets it process all that is waiting; the rate of this run."""
        before = self.ends(who.changelog)
        child = self.launch(who)
        process = psutil.Process(child.pid)
        first = last = 0.0
        base = grown = before
        looked = began = time.monotonic()
        while True:
            now, end = time.monotonic(), self.ends(who.changelog)
            if end > grown:
                first, base = (first or now), (base if first else end)
                last, grown = now, end
            if now - looked > 0.5:
                looked = now
                who.memory_mb = max(who.memory_mb, process.memory_info().rss / 1e6)
                if first and now - last > 1.5 and self.committed(who):
                    break
            if not child.running or now - began > 240:
                raise RuntimeError(
                    f"{who.name} does not end ({grown} rows, code {child.code}):\n{child.tail(30)}"
                )
            time.sleep(0.1)
        child.stop(20)
        share = (grown - base) / max(
            1, grown - before
        )  # of the elements, what came within the clock
        who.elements, who.seconds = round(elements * share), last - first

    def close(self) -> None:
        self.broker.stop()


def environment() -> None:
    """quixstreams' own virtual environment, made once."""
    if (QUIX / ".done").exists():
        return
    shutil.rmtree(QUIX, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(QUIX)], check=True)
    subprocess.run([str(QUIX / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *NEEDED], check=True)  # fmt: skip
    (QUIX / ".done").touch()


def _versions() -> dict[str, str]:
    code = (
        "from importlib.metadata import version as v; print(v('quixstreams'), v('confluent-kafka'))"
    )
    told = subprocess.run([str(QUIX / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True)  # fmt: skip
    quix, theirs = told.stdout.split()
    from importlib.metadata import version

    return {"faust-streaming": version("faust-streaming"), "confluent-kafka": version("confluent-kafka"),
            "quixstreams": quix, "quixstreams' confluent-kafka": theirs}  # fmt: skip


def run(rounds: int = ROUNDS, kinds: tuple[str, ...] = tuple(GUARANTEES)) -> dict[str, Any]:
    """worker_per_s, bare_per_s, lean_per_s, quix_per_s (medians, elements a second), ratios, memory, versions."""
    environment()
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        arena = Arena(Path(folder))
        try:
            return _run(arena, rounds, kinds)
        finally:
            arena.close()


def _run(arena: Arena, rounds: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    everyone = [arena.contestant(kind, n) for n in range(rounds) for kind in kinds]
    first = arena.feed(buckets.sweep(range(RESOURCES), START, 0, 0))
    for who in everyone:
        arena.run(who, first)
    later = arena.feed(
        item for n in range(1, SWEEPS + 1)
        for item in buckets.sweep(range(RESOURCES), START + timedelta(minutes=n), CHANGED, n)
    )  # fmt: skip
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    memory: dict[str, float] = {}
    for who in everyone:
        arena.run(who, later)
        rates[who.kind].append(who.elements / who.seconds)
        memory[who.kind] = max(memory.get(who.kind, 0), who.memory_mb)
        print(f"  {who.name:<22}{rates[who.kind][-1]:>9,.0f} a second  {who.memory_mb:.0f} MB", flush=True)  # fmt: skip
    middle = {kind: statistics.median(found) for kind, found in rates.items()}
    out: dict[str, Any] = {
        "worker_per_s": middle["worker"], "rates": rates, "memory_mb": memory, "guarantees": GUARANTEES,
        "versions": _versions(), "elements": later, "changed_share": CHANGED, "config_bytes": buckets.size(),
    }  # fmt: skip
    for kind, name in (
        ("bare", "ratio_raw"),
        ("bare lean", "ratio_lean"),
        ("quixstreams", "ratio_quix"),
    ):
        if kind in middle:
            out[name] = middle["worker"] / middle[kind]
    return out


if __name__ == "__main__":
    import pprint

    pprint.pp(run(int(sys.argv[1]) if sys.argv[1:] else ROUNDS))
