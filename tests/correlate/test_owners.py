"""An alert on one resource says whose that is; another owner of what is open is no second opening."""

from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Alert
from driftline.pipeline.offline.content import watch
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from driftline.pipeline.settings.blocks import Settings
from tests.core.world import UID, change, heard, key, rulebook, tick, value
from tests.correlate.test_stream import LATENESS, OPENS, alerts, critical


@pytest.fixture(scope="module")
def content() -> DetectionEngine:
    return watch(Settings())


def opened(content: DetectionEngine, folder: Path, *tags: dict[str, str], uids: int = 1) -> Fold:
    """A critical finding opens with the first tags, and stands while it has the others."""
    world = Fold(critical(folder), watch=content, lateness=LATENESS)
    world.feed(CONTROL.name, heard(0))
    for number in range(uids):
        uid = f"{UID}{number}"
        world.feed(SNAPSHOTS.name, value(key(0, uid=uid, tags=tags[0])))
        world.feed(CHANGES.name, change(1 + number, uid=uid).encode())
        for at, one in enumerate(tags, 5):
            world.feed(SNAPSHOTS.name, value(key(at, rotation=False, uid=uid, tags=one)))
    world.feed(CONTROL.name, tick(30))
    world.feed(CONTROL.name, heard(30))
    return world


def owner(alert: Alert) -> dict[str, Any] | None:
    return alert.owner.model_dump() if alert.owner else None


def test_an_alert_on_one_resource_says_whose_it_is(content: DetectionEngine, tmp_path: Path) -> None:  # fmt: skip
    (one,) = alerts(opened(content, tmp_path, {"owner": "a"}))[OPENS]
    assert owner(one) == {"id": "a", "found_by": "tag"}
    (one,) = alerts(opened(content, tmp_path, {}))[OPENS]
    assert owner(one) is None


def test_another_owner_is_no_second_opening(content: DetectionEngine, tmp_path: Path) -> None:
    world = opened(content, tmp_path, {"owner": "a"}, {"owner": "b"}, {"owner": "c"})
    assert world.counts
    (one,) = alerts(world)[OPENS]
    assert (one.count, one.state) == (1, "active")
    assert len({step["finding"] for step in one.story}) == 1


def test_an_alert_on_several_resources_is_nobodys(content: DetectionEngine, tmp_path: Path) -> None:
    """Each key has its own alert here; what one session changed is one."""
    world = opened(content, tmp_path, {"owner": "a"}, uids=2)
    (both,) = alerts(world)["Several resources changed by one session or deployment"]
    assert len(both.resources) == 2
    assert owner(both) is None


def test_an_event_says_whose_its_resource_is(content: DetectionEngine) -> None:
    world = Fold(rulebook(), watch=content)
    world.feed(SNAPSHOTS.name, value(key(0, tags={"owner": "a"})))
    state = world._partition.states.load(UID)
    event = content.event(change(1), content.known_of(state.body if state else None, None))
    assert (event.brief["owner"], event.brief["owner_found_by"]) == ("a", "tag")
    assert "owner" not in event.fields["driftline"]
