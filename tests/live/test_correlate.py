"""Alerts on a real Kafka: workers and correlators killed while signals flow, the same alerts as undisturbed."""

import random
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.detections import load
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.kafka.client import read_all
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import ALERTS, CORRELATE_ID, SIGNALS
from tests.core.tape import Tape
from tests.core.world import rulebook
from tests.live.crash import CONTENT, Arena

pytestmark = pytest.mark.live
LATENESS = 4 * 3_600_000_000
"""The tape brings an hour in a second: what is a moment late on a busy machine is an hour late there."""


def standing(alerts: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The newest word on each alert, without what stands no more, and without who was not known yet at the time. One
    that goes on is said again only when it has doubled: how far it is, is told at its end."""
    newest: dict[str, dict[str, Any]] = {}
    for alert in alerts:
        if alert["revision"] > newest.get(alert["id"], {"revision": -1})["revision"]:
            newest[alert["id"]] = alert
    names = ("rule", "state", "begins", "at", "severity")
    of_ended = ("count", "last", "resources")
    return {
        id: (
            *(alert[name] for name in names),
            *(alert[name] for name in of_ended if alert["state"] == "ended"),
            tuple(alert["group"].items()),
        )
        for id, alert in newest.items()
        if alert["state"] not in ("merged", "withdrawn")
    }


def test_the_same_alerts_whoever_is_killed(tmp_path: Path) -> None:
    tape, chance = Tape(20_000, 11), random.Random(11)
    whole = Fold(rulebook(), watch=DetectionEngine(load([CONTENT])), lateness=LATENESS)
    for record in tape.records():
        whole.feed(record.topic, record.value)
    arena = Arena(tmp_path, tape)
    try:
        arena.rate = 20_000 / 25
        for program in ("worker", "worker", "correlate", "correlate"):
            arena.worker("driftline.pipeline", program)
        arena.feeding.start()
        arena.flowing()
        kills = 0
        while arena.feeding.is_alive():
            victim = chance.choice(arena.slots)
            victim.wipe = chance.random() < 0.5
            victim.child.kill()
            kills += 1
            time.sleep(
                chance.uniform(2, 5)
            )  # how long they are left alone: part of the disturbance
        arena.feeding.join()
        arena.drained()
        arena.until(lambda: not arena.lag(CORRELATE_ID, [SIGNALS]), "signals are left")
        said = [orjson.loads(m.value()) for m in read_all(arena.kafka, ALERTS.name) if m.value()]
        signals = sum(1 for _ in read_all(arena.kafka, SIGNALS.name))
    finally:
        arena.close()
    got, wanted = standing(said), standing(whole.told_alerts())
    print({"kills": kills, "signals": signals, "alerts": len(wanted), "said": len(said),
           "missing": len(wanted.keys() - got.keys()), "extra": len(got.keys() - wanted.keys()),
           "wrong": sum(got[id] != wanted[id] for id in got.keys() & wanted.keys())})  # fmt: skip
    assert {alert[0] for alert in wanted.values()} == {"several", "passing", "lasting", "again"}
    assert kills > 3
    assert got == wanted
