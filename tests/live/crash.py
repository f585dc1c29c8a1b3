"""Disturb workers while records flow, then compare with an undisturbed run.

`python -m tests.live.crash kill --n 100000 --seed 7` prints one line of counts; `--help` names the disturbances.
What must hold afterwards: every finding's last statement and every transition equal the undisturbed fold's, one
key a finding, every state file equal to its changelog, every bad record buried."""

import argparse
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import yaml
from confluent_kafka import TopicPartition

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import (
    Delivery,
    consumer,
    flush,
    produce,
    producer,
    read_all,
    read_compacted,
    retrying,
)
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import Child
from driftline.pipeline.records.topics import (
    CHANGES,
    CONTROL,
    DEADLETTER,
    DRIFT,
    FINDINGS,
    PARTITIONS,
    SNAPSHOTS,
    STATE,
    Topic,
)
from driftline.pipeline.settings.blocks import Kafka
from tests.core.tape import Record, Tape
from tests.core.world import cause, final, revision, write_rules

APP = "driftline-assess"
CONTENT = Path(__file__).parent / "content"
"""Detections that look at the tape."""
SESSION = 6.0
PATIENCE = 240.0


class Slot(threading.Thread):
    """The supervisor of one worker: starts it again whenever it ends, until told not to."""

    def __init__(self, folder: Path, name: str, env: dict[str, str], command: list[str]) -> None:
        super().__init__(daemon=True)
        self.state, self.log = folder / f"state-{name}", folder / f"worker-{name}.txt"
        self.env = env | {"DRIFTLINE_WORKER__STATE_DIR": str(self.state)}
        self.command, self.wipe, self.exits = command, False, Counter[int]()
        self._over = threading.Event()
        self.child = self._launch()
        self.start()

    def _launch(self) -> Child:
        return Child(self.command, self.log, self.env)

    def run(self) -> None:
        while True:
            while self.child.running and not self._over.wait(0.05):
                pass
            if self._over.is_set():
                return
            self.exits[self.child.code or 0] += 1
            if self.wipe:
                shutil.rmtree(self.state, ignore_errors=True)
                self.wipe = False
            self.child.start()

    def end(self) -> float:
        """SIGTERM, for good; how long it took, in seconds."""
        self._over.set()
        self.join()
        took = self.child.stop(30)
        self.exits[self.child.code or 0] += 1
        return took


class Arena:
    """A broker, a tape that is being fed, and workers."""

    def __init__(self, folder: Path, tape: Tape, *, chaos: float = 0) -> None:
        self.folder, self.tape = folder, tape
        self.broker = kafka.start(folder / "kafka")
        self.kafka = Kafka(bootstrap_servers=self.broker.bootstrap)
        topics_admin.create(self.kafka)
        rules = folder / "rules"
        rules.mkdir()
        write_rules(rules)
        settings = {
            "kafka": {"bootstrap_servers": self.broker.bootstrap},
            "rules": {"builtin": False, "paths": [str(rules)]},
            "worker": {"session_timeout": f"{SESSION}s", "port": 0},
            "clock": {"lateness": "0s"},
            "correlate": {"port": 0, "lateness": "4h"},
            "detections": {"builtin": False, "paths": [str(CONTENT)]},
        }
        (folder / "driftline.yaml").write_text(yaml.safe_dump(settings))
        (folder / "driftline.yaml").chmod(0o600)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")} | {
            "DRIFTLINE_CONFIG": str(folder / "driftline.yaml"), "PYTHONPATH": str(Path.cwd()),
        }  # fmt: skip
        if chaos:
            self.env["CHAOS"] = str(chaos)
        self.program = ["tests.live.chaos"] if chaos else ["driftline.pipeline", "worker"]
        self.python = sys.executable
        self.slots: list[Slot] = []
        self.feeding = threading.Thread(target=self._feed, daemon=True)
        self.fed = 0
        self.rate = 1500.0

    def worker(self, *program: str) -> Slot:
        command = [self.python, "-m", *(program or self.program)]
        slot = Slot(self.folder, str(len(self.slots)), self.env, command)
        self.slots.append(slot)
        return slot

    def decide(self) -> None:
        """What people decided is heard before anything is read: which reading it meets must not be chance."""
        out, delivery = producer(self.kafka), Delivery()
        for record in self.tape.decisions():
            say(out, delivery, record)
        flush(out, delivery, 30)
        self.until(lambda: self.lag(topics=(CONTROL,)) == 0, "the decisions")

    def _feed(self) -> None:
        """At the wanted rate; record times are the tape's, as a collector's would be."""
        out, delivery = producer(self.kafka, delivery_timeout_ms=300_000), Delivery()
        began = time.monotonic()
        for record in self.tape.records():
            say(out, delivery, record)
            self.fed += record.elements
            out.poll(0)
            while self.fed > self.rate * (time.monotonic() - began):
                time.sleep(0.01)
        flush(out, delivery, 300)

    def progress(self) -> int:
        """Rows written to the changelog so far: what workers have made durable."""
        return sum(self._ends([TopicPartition(STATE.name, n) for n in range(PARTITIONS)]))

    def _ends(self, slots: list[TopicPartition]) -> list[int]:
        """End offsets, as soon as the broker has them (after a start its leaders come one by one)."""
        reader = consumer(self.kafka, "look")
        try:
            return retrying(
                lambda: [reader.get_watermark_offsets(tp, 5)[1] for tp in slots], PATIENCE
            )
        finally:
            reader.close()

    def flowing(self, least: int = 500) -> float:
        """Waits until states are written again; how long that took."""
        base, began = self.progress(), time.monotonic()
        while self.feeding.is_alive() or self.lag():
            if self.progress() >= base + least:
                break
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"nothing flows:\n{self.tails()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def lag(self, group: str = APP, topics: Sequence[Topic] = (SNAPSHOTS, CHANGES, CONTROL)) -> int:
        """Records that no worker has acknowledged yet."""
        slots = [TopicPartition(t.name, n) for t in topics for n in range(PARTITIONS)]
        ends = self._ends(slots)
        reader = consumer(self.kafka, group)
        try:
            done = retrying(lambda: reader.committed(slots, 30), PATIENCE)
        finally:
            reader.close()
        return sum(end - max(tp.offset, 0) for end, tp in zip(ends, done, strict=True))

    def drained(self) -> None:
        """Waits until every record is acknowledged."""
        self.until(lambda: not self.lag(), "records are left")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"{what}:\n{self.tails()}")
            time.sleep(0.2)

    def finish(self) -> float:
        """Waits until all is processed, ends the workers; the slowest stop in seconds."""
        if self.feeding.ident:
            self.feeding.join(PATIENCE * 3)
        for slot in self.slots:
            slot.env.pop("CHAOS", None)  # takes effect at the next start
        self.drained()
        with ThreadPoolExecutor(8) as pool:
            return max(pool.map(Slot.end, self.slots))

    def tails(self) -> str:
        return "\n".join(f"--- {slot.log.name} {dict(slot.exits)}\n{slot.child.tail(8)}" for slot in self.slots)  # fmt: skip

    def close(self) -> None:
        for slot in self.slots:
            if slot.is_alive():
                slot.end()
        self.broker.stop()


def say(out: Any, delivery: Delivery, record: Record) -> None:
    """A record of the tape, to its partition or to all."""
    for number in range(PARTITIONS) if record.partition is None else [record.partition]:
        produce(out, delivery, record.topic, record.value, partition=number, timestamp=record.at_ms)


def verify(arena: Arena) -> dict[str, int]:
    """Counts what differs from the undisturbed run; all of the first seven must be 0."""
    undisturbed = arena.tape.undisturbed()
    said = [m for m in read_all(arena.kafka, FINDINGS.name) if m.value() is not None]
    newest: dict[bytes, bytes] = {}
    for message in said:  # a sink goes by the revision, as Elasticsearch's external version does
        if revision(message.value()) >= revision(newest.get(message.key(), b'{"revision":0}')):
            newest[message.key()] = message.value()
    last = {key: final(value) for key, value in newest.items()}
    latest = read_compacted(arena.kafka, FINDINGS.name)
    wanted = {key: final(value) for key, value in undisturbed.findings.items()}
    moved = Counter(t for m in said if (t := transition(m.value())))
    expected = {t for value in undisturbed.all_said if (t := transition(value))}
    letters = {
        tuple(dict(message.headers())[name] for name in ("partition", "offset", "place"))
        for message in read_all(arena.kafka, DEADLETTER.name)
    }
    files, wrong = compare_files(arena)
    causes = newest_causes(arena)
    right = {id: cause(value) for id, value in undisturbed.drifts.items()}
    for key in [key for key in wanted.keys() & last.keys() if last[key] != wanted[key]][:5]:
        differs = [k for k in wanted[key] if last[key].get(k) != wanted[key][k]]
        print({k: (last[key].get(k), wanted[key][k]) for k in differs}, last[key]["rule"]["id"])
    for id in [id for id in right.keys() | causes.keys() if causes.get(id) != right.get(id)][:5]:
        print(causes.get(id), right.get(id))
    return {
        "findings_missing": len(wanted.keys() - last.keys()),
        "findings_extra": len(last.keys() - wanted.keys()),
        "finals_wrong": sum(last[key] != wanted[key] for key in wanted.keys() & last.keys()),
        "transitions_lost": len(expected - moved.keys()),
        "transitions_invented": len(moved.keys() - expected),
        "files_wrong": wrong,
        "letters_missing": arena.tape.bad - len(letters),
        "drifts_wrong": sum(causes.get(id) != one for id, one in right.items())
        + len(causes.keys() - right.keys()),
        "overtaken": sum(revision(latest[key]) < revision(newest[key]) for key in newest),
        "findings": len(wanted),
        "transitions": len(expected),
        "drifts": len(right),
        "twice": sum(count - 1 for count in moved.values()),
        "files": files,
    }


def newest_causes(arena: Arena) -> dict[str, Any]:
    """The last word on every drift's cause."""
    newest: dict[str, bytes] = {}
    for message in read_all(arena.kafka, DRIFT.name):
        value = message.value() or b""
        id = str(orjson.loads(value)["id"])
        if id not in newest or revision(value) >= revision(newest[id]):
            newest[id] = value
    return {id: cause(value) for id, value in newest.items()}


def transition(value: bytes) -> tuple[Any, ...] | None:
    """What a finding says has happened, and when; None for what is only said again, and for rules that wait:
    a snapshot that overtakes a tick passes over what the tick would have said."""
    finding = orjson.loads(value)
    if finding["restated"] or finding["rule"]["id"] != "t-rotation":
        return None
    return tuple(
        finding[k] for k in ("id", "updated_at", "status", "reason", "evaluation", "reopened")
    )


def compare_files(arena: Arena) -> tuple[int, int]:
    """Each state file must hold just what the changelog held at the offset that the file names."""
    from rocksdict import Options, Rdict

    from driftline.pipeline.state.rows import furthest
    from driftline.pipeline.worker.changelog import ChangelogBatcher
    from driftline.pipeline.worker.faust_seam import OFFSET_KEY

    def fold(folded: dict[bytes, bytes], entries: list[Any]) -> None:
        for _, _, key, row in entries:
            have = folded.get(key)
            folded[key] = row if have is None else furthest(have, row)

    history: dict[int, list[Any]] = {n: [] for n in range(PARTITIONS)}
    for message in read_all(arena.kafka, STATE.name):
        history[message.partition()].append(message)
    files = wrong = 0
    for slot in arena.slots:
        for path in sorted(slot.state.rglob("state-*.db")):
            database = Rdict(str(path), Options(raw_mode=True))
            held = dict(database.items())
            database.close()
            upto = int(held.pop(OFFSET_KEY, -1))
            folded: dict[bytes, bytes] = {}
            batcher = ChangelogBatcher(partial(fold, folded))  # half a batch is none
            batcher.add(
                (0, m.offset(), m.key(), m.value())
                for m in history[int(path.stem.removeprefix("state-"))]
                if m.offset() <= upto
            )
            batcher.finish()
            files += 1
            wrong += held != folded
    return files, wrong


def kill(arena: Arena, chance: random.Random) -> None:
    """SIGKILL to one worker after another; every second one loses its state folder too."""
    for number in range(100):
        if not arena.feeding.is_alive():
            return
        time.sleep(chance.uniform(0, 2))
        victim = chance.choice(arena.slots)
        victim.wipe = number % 2 == 1
        victim.child.kill()
        arena.flowing()


def sleep(arena: Arena, chance: random.Random) -> None:
    """SIGSTOP beyond the session time-out, then SIGCONT: a worker that wakes up as a zombie."""
    while arena.feeding.is_alive():
        victim = chance.choice(arena.slots)
        victim.child.signal(signal.SIGSTOP)
        time.sleep(SESSION + chance.uniform(1, 4))
        victim.child.signal(signal.SIGCONT)
        arena.flowing()


def rebalance(arena: Arena, chance: random.Random) -> None:
    """A further worker comes and goes, politely or not."""
    while arena.feeding.is_alive():
        guest = arena.worker()
        time.sleep(chance.uniform(2, 6))
        if chance.random() < 0.5:
            guest.end()
        else:
            guest.child.kill()
            guest.end()
        arena.flowing()


def broker(arena: Arena, chance: random.Random) -> None:
    """The broker stops for longer than a worker's session, and comes back."""
    while arena.feeding.is_alive():
        time.sleep(chance.uniform(2, 5))
        if chance.random() < 0.5:
            arena.broker.stop()
        else:
            arena.broker.kill()
        time.sleep(chance.uniform(1, SESSION * 1.5))
        arena.broker.start()
        arena.flowing()


def nothing(arena: Arena, chance: random.Random) -> None:
    """Leaves the workers alone (or to their own chaos)."""


DISTURB: dict[str, Callable[[Arena, random.Random], None]] = {
    "kill": kill, "sleep": sleep, "rebalance": rebalance, "broker": broker, "chaos": nothing, "nothing": nothing,
}  # fmt: skip


def trial(
    how: str,
    folder: Path,
    *,
    n: int = 100_000,
    seed: int = 1,
    seconds: float = 60,
    workers: int = 2,
) -> dict[str, Any]:
    """One disturbed run of about `seconds`; counts as verify() gives, and what happened."""
    arena = Arena(folder, Tape(n, seed, decided=True), chaos=0.03 if how == "chaos" else 0)
    try:
        began = time.monotonic()
        for _ in range(workers):
            arena.worker()
        arena.rate = n / seconds
        arena.decide()
        arena.feeding.start()
        arena.flowing()
        DISTURB[how](arena, random.Random(seed))
        slowest = arena.finish()
        counts: dict[str, Any] = verify(arena)
        exits = sum((slot.exits for slot in arena.slots), Counter[int]())
        return {"how": how, "seed": seed, "snapshots": arena.tape.elements} | counts | {
            "exits": dict(exits), "slowest_stop_s": round(slowest, 1), "seconds": round(time.monotonic() - began),
        }  # fmt: skip
    finally:
        arena.close()


MUST_BE_ZERO = ("findings_missing", "findings_extra", "finals_wrong", "transitions_lost",
                "transitions_invented", "files_wrong", "letters_missing", "drifts_wrong")  # fmt: skip


def main() -> int:
    """Prints one line a trial; 1 where anything differed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("how", choices=sorted(DISTURB), nargs="+")
    options.add_argument("--n", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--keep", type=Path, help="keep logs and states in this folder")
    chosen = options.parse_args()
    bad = 0
    for how in chosen.how:
        for folder in _folder(chosen.keep):
            got = trial(how, folder, n=chosen.n, seed=chosen.seed, seconds=chosen.seconds, workers=chosen.workers)  # fmt: skip
            print(orjson.dumps(got, option=orjson.OPT_NON_STR_KEYS).decode(), flush=True)
            bad += any(got[name] for name in MUST_BE_ZERO)
    return int(bad > 0)


def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        folder = keep / f"{int(time.time())}"
        folder.mkdir(parents=True)
        yield folder
    else:
        with TemporaryDirectory(ignore_cleanup_errors=True) as name:
            yield Path(name)


if __name__ == "__main__":
    raise SystemExit(main())
