"""A worker as whoever watches over it sees it: ready and alive, metrics, logs, exits."""

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import Child, free_port, wait_until
from driftline.pipeline.model import Part, finding_id
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CONTROL, PARTITIONS, SNAPSHOTS, STATE, partition
from driftline.pipeline.state import resource as state
from driftline.pipeline.state import rows as state_rows
from tests.core.world import key, tick
from tests.live.programs import Site, Worker

pytestmark = pytest.mark.live
PATIENCE = 60
UIDS = [f"arn:aws:kms:eu-west-1:111111111111:key/{n:05d}" for n in range(1500)]


@pytest.fixture
def site(own: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap}) as mine:
        yield mine


def sweep(site: Site, at: float, good: bool = True) -> None:
    """One reading of every key, in micro-batches of 20."""
    homes: dict[int, list[bytes]] = {}
    for uid in UIDS:
        homes.setdefault(partition(uid), []).append(codec.encode_snapshot(key(at, good, uid=uid)))
    for number, elements in homes.items():
        batches = [codec.encode_batch(elements[i : i + 20]) for i in range(0, len(elements), 20)]
        site.say(SNAPSHOTS.name, *batches, partition=number)


def done(workers: list[Worker]) -> float:
    """Elements that workers have processed."""
    return sum(value for worker in workers for name, value in worker.metrics().items()
               if name.startswith("driftline_worker_elements_total"))  # fmt: skip


class Watch(threading.Thread):
    """What /ready and /live answered, each change of it; asked all the time."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(daemon=True)
        self.worker, self.ready, self.live = worker, list[int](), set[int]()
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(0.02)  # and asked once more after that
            code = self.worker.get("/ready")[0]
            if code and self.ready[-1:] != [code]:
                self.ready.append(code)
            if code:
                self.live.add(self.worker.get("/live")[0])

    def end(self) -> list[int]:
        self._over.set()
        self.join()
        return self.ready


def test_ready_metrics_logs_and_an_end_in_mid_flow(site: Site) -> None:
    first = site.worker("--supervise")  # a gap after a rebalance asks for another start
    watch = Watch(first)
    wait_until(first.ready, PATIENCE, first.child, "the worker")
    assert first.metrics()["driftline_worker_partitions"] == PARTITIONS

    sweep(site, 1)
    bad = site.say(SNAPSHOTS.name, codec.encode_batch([b'{"uid": "u\\u001b\\n", "type": "t", "provider": "aws", "account": "1", "region": "r"}']), partition=0)  # fmt: skip
    site.say(CONTROL.name, tick(2), partition=0)
    wait_until(lambda: done([first]) == len(UIDS) + 1, PATIENCE, first.child, "the sweep")
    sample = first.metrics()
    assert sample['driftline_worker_elements_total{outcome="changed"}'] == len(UIDS)
    assert sample['driftline_dead_letters_total{stage="assess"}'] == 1
    assert sample["driftline_worker_batch_seconds_count"] > 0
    wait_until(lambda: first.metrics()["driftline_worker_watermark_seconds"] > 0, PATIENCE, first.child, "the tick")  # fmt: skip
    waiting = 'driftline_worker_waiting_records{partition="0",topic="driftline.snapshots"}'
    wait_until(lambda: first.metrics().get(waiting) == 0, PATIENCE, first.child, "nothing waits")

    # A second one takes its part: not ready while partitions move, ready again after.
    second = site.worker()
    wait_until(second.ready, PATIENCE, second.child, "the second worker")
    wait_until(lambda: held(first) + held(second) == PARTITIONS, PATIENCE, first.child, "shares")
    assert min(held(first), held(second)) >= PARTITIONS // 3
    wait_until(first.ready, PATIENCE, first.child, "the first again")
    assert watch.end() == [503, 200, 503, 200]
    assert watch.live == {200}

    before = done([first])
    sweep(site, 3)
    wait_until(lambda: done([first, second]) - before == len(UIDS), PATIENCE, second.child, "both")
    by_number = [sum(partition(uid) == n for uid in UIDS) for n in range(PARTITIONS)]
    assert done([first]) - before > min(by_number)
    assert done([second]) > min(by_number)

    # An end in mid-flow: what was not done, the other one does.
    flowing = threading.Thread(target=sweep, args=(site, 5, False))
    flowing.start()
    wait_until(lambda: done([second]) > len(UIDS) * 0.6, PATIENCE, second.child, "a flow")
    assert second.child.stop() < 5
    assert second.child.code == 0
    flowing.join()
    wait_until(lambda: held(first) == PARTITIONS, PATIENCE, first.child, "all partitions")
    wait_until(lambda: opened(site) == len(UIDS), PATIENCE, first.child, "what the second left")
    assert len(site.findings()) == 3 * len(UIDS)
    assert first.child.stop() < 5
    assert first.child.code == 0

    lines = first.log()
    assert len(lines) < 20, "a line for each record?"
    assert all({"at", "level", "name", "message"} <= line.keys() for line in lines)
    [told] = [line for line in lines if line["message"] == "malformed records were dead-lettered"]
    assert (told["offset"], told["partition"], told["uid"], told["scope"]) == (bad, 0, "u\x1b\n", "aws/1/r/t")  # fmt: skip
    assert b"\x1b" not in first.child.log.read_bytes()


def held(worker: Worker) -> float:
    return worker.metrics().get("driftline_worker_partitions", 0)


def opened(site: Site) -> int:
    return sum(f["status"] == "open" for f in site.findings().values())


def test_a_newer_state_is_refused_for_good(site: Site) -> None:
    uid = "arn:aws:kms:eu-west-1:111111111111:key/newer"
    home = partition(uid)
    row = bytearray(state_rows.encode(state.Head(), state_rows.NEVER, state_rows.Position()))
    row[28] = state_rows.STATE_VERSION + 1
    site.say(STATE.name, bytes(row), key=state_rows.head_key(uid), partition=home)
    site.say(STATE.name, state_rows.batch_end(1), key=state_rows.WHOLE_KEY, partition=home)
    site.say(CONTROL.name, tick(1), partition=home)
    worker = site.worker("--supervise")
    wait_until(lambda: not worker.child.running, PATIENCE, None, "its end")
    assert worker.child.code == 5
    log = worker.child.log.read_text()
    assert "written by a newer Driftline" in log
    assert "is restarted" not in log
    # For who comes next: as if nothing had been.
    site.say(STATE.name, None, key=state_rows.head_key(uid), partition=home)
    site.say(STATE.name, state_rows.batch_end(1), key=state_rows.WHOLE_KEY, partition=home)


def test_an_unreachable_broker_is_told(site: Site) -> None:
    address = f"127.0.0.1:{free_port()}"
    programs = {
        site.launch(*words, DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS=address): code
        for words, code in ((("worker",), 75), (("clock",), 75), (("clock", "--once"), 2))
    }
    for child, code in programs.items():
        wait_until(lambda c=child: not c.running, PATIENCE, None, "its end")  # type: ignore[misc]
        assert child.code == code
        assert address in child.tail()
        assert "driftline doctor" in child.tail()


def test_a_missing_topic_is_told(site: Site, tmp_path: Path) -> None:
    told = site.run("worker", DRIFTLINE_WORKER__APP_ID="another-app")
    assert told.code == 75
    assert "another-app-state-changelog: missing (run: driftline topics create)" in told.out


def test_a_supervisor_starts_again_what_was_killed_and_ends_with_it(site: Site) -> None:
    worker = site.worker("--supervise")
    wait_until(worker.ready, PATIENCE, worker.child, "the worker")
    victim = children(worker.child)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: children(worker.child) not in ([], [victim]), PATIENCE, worker.child, "another"
    )
    wait_until(worker.ready, PATIENCE, worker.child, "the worker again")
    assert worker.child.stop() < 5
    assert worker.child.code == 0
    assert worker.child.log.read_text().count("is restarted") == 1


def children(child: Child) -> list[int]:
    import psutil

    return [c.pid for c in psutil.Process(child.pid).children()]


def test_rules_are_taken_up_while_it_runs_and_mistakes_are_not(site: Site) -> None:
    supervisor = site.worker("--supervise")
    wait_until(supervisor.ready, PATIENCE, supervisor.child, "the worker")
    sweep(site, 20, good=False)
    wait_until(lambda: done([supervisor]) == len(UIDS), PATIENCE, supervisor.child, "the sweep")
    rule = site.folder / "rules" / "t-rotation.yaml"
    good = rule.read_text()
    pid = children(supervisor.child)

    def reloads(result: str) -> float:
        return supervisor.metrics().get(f'driftline_worker_reloads_total{{result="{result}"}}', 0)

    rule.write_text(good.replace("must: ", "must: no such "))
    os.kill(supervisor.child.pid, signal.SIGHUP)
    wait_until(lambda: reloads("refused") == 1, PATIENCE, supervisor.child, "the refusal")
    (told,) = [line for line in supervisor.log() if "problems" in line]
    assert "t-rotation.yaml" in told["problems"][0], "the place is told"

    rule.write_text(good.replace("KeyRotationEnabled\n", "KeyRotationEnabled || true\n", 1))
    os.kill(supervisor.child.pid, signal.SIGHUP)
    wait_until(lambda: reloads("done") == 1, PATIENCE, supervisor.child, "the new rule")
    for number in range(PARTITIONS):
        site.say(CONTROL.name, tick(30), partition=number)

    def changed() -> bool:
        found = [f for f in site.findings().values() if f["rule"]["id"] == "t-rotation"]
        return len(found) == len(UIDS) and {f["reason"] for f in found} == {"rule_changed"}

    wait_until(changed, PATIENCE, supervisor.child, "every finding judged by the new rule")
    assert children(supervisor.child) == pid, "it was not started again"


def test_a_clock_that_is_killed_takes_no_time_away(site: Site) -> None:
    """A wait ends when it ends, however long nobody told the time; and a clock that begins anew tells none twice."""
    # long enough for a busy machine to see the wait before its end
    rule = site.folder / "rules" / "t-patient.yaml"
    rule.write_text(rule.read_text().replace("for: 10m", "for: 15s"))
    uid = f"arn:aws:kms:eu-west-1:111111111111:key/{uuid.uuid4()}"
    worker, clock = site.worker(), site.launch("clock", DRIFTLINE_CLOCK__INTERVAL="1s")
    wait_until(worker.ready, PATIENCE, worker.child, "the worker")
    wait_until(lambda: worker.metrics()["driftline_worker_watermark_seconds"] > 0, PATIENCE, clock, "a tick")  # fmt: skip
    at = datetime.now(UTC)
    off = key(0, enabled=False, uid=uid).model_copy(update={"captured_at": at, "parts": [Part(name=name, captured_at=at) for name in ("rotation", "key")]})  # fmt: skip
    site.say(
        SNAPSHOTS.name, codec.encode_batch([codec.encode_snapshot(off)]), partition=partition(uid)
    )

    def told() -> dict[str, Any]:
        return site.findings().get(finding_id("t-patient", uid), {})

    wait_until(lambda: told().get("reason") == "pending", PATIENCE, worker.child, "the wait")
    clock.kill()
    again = site.launch("clock", DRIFTLINE_CLOCK__INTERVAL="1s")
    wait_until(lambda: told().get("status") == "open", PATIENCE, again, "its end")
    finding = told()
    assert datetime.fromisoformat(finding["opened_at"]) - at == timedelta(seconds=15)
    assert (finding["reason"], finding["reopened"]) == ("opened", 0)
