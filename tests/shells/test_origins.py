"""Topics that are others than those that a state was made from are refused, and their offsets go on once they are accepted."""

from pathlib import Path

import orjson
import pytest

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.records.topics import CHANGES, CONTROL, SIGNALS, SNAPSHOTS
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.state.rows import furthest
from driftline.pipeline.worker.origins import BASE, TopicOrigins

IDS = {"snapshots": "S1", "control": "C1", "app-state-changelog": "L1"}
LOG = "app-state-changelog"


def origins(*accepted: str, **ids: str) -> TopicOrigins:
    return TopicOrigins(IDS | ids, accepted, LOG)


def row(*accepted: str, before: bytes | None = None, **ids: str) -> bytes:
    made = origins(*accepted, **ids)
    assert made.check(3, before) == []
    return made.unsaved[3]


def test_what_is_known_stays_as_it_is() -> None:
    first = row()
    again = origins()
    assert again.check(3, first) == []
    assert again.unsaved == {}, "it is kept once"
    assert again.place(3, "snapshots", 7) == 7


def test_another_topic_is_refused_with_what_to_do() -> None:
    (told,) = origins(snapshots="S2").check(3, row())
    assert "snapshots is another topic (id S2)" in told
    assert "id S1" in told
    assert "worker.accepted_topics: [S2]" in told
    assert origins(snapshots="S2").unsaved == {}


def test_one_that_is_accepted_goes_on_beyond_the_old_ones_offsets() -> None:
    first = row()
    second = row("S2", before=first, snapshots="S2")
    assert furthest(first, second) is second
    then = origins("S2", snapshots="S2")
    assert then.check(3, second) == []
    assert then.place(3, "snapshots", 0) == BASE
    assert then.place(3, "control", 5) == 5
    third = origins("S2", "S3", snapshots="S3")
    assert third.check(3, second) == []
    assert third.place(3, "snapshots", 0) == 2 * BASE


def test_a_changelog_made_anew_is_never_accepted() -> None:
    (told,) = origins("L2", **{LOG: "L2"}).check(3, row())
    assert "delete the folder" in told


def test_brokers_that_know_no_ids_are_believed() -> None:
    nothing = TopicOrigins({}, (), LOG)
    assert nothing.check(3, row()) == []
    assert nothing.place(3, "snapshots", 4) == 4


def test_who_looks_sees_it_without_opening_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "app"
    assert topics_admin.remade(Kafka(), folder) == []
    topics_admin.remember(folder, IDS)
    assert orjson.loads((folder / "topics.json").read_bytes()) == IDS
    monkeypatch.setattr(topics_admin, "ids", lambda _, topics: {t.own: IDS[t.own] for t in topics})
    assert topics_admin.remade(Kafka(), folder) == []
    now = IDS | {"control": "C2"}
    monkeypatch.setattr(topics_admin, "ids", lambda _, topics: {t.own: now[t.own] for t in topics})
    (told,) = topics_admin.remade(Kafka(), folder)
    assert "driftline.control: recreated since" in told
    assert "set worker.accepted_topics: [C2])" in told


def test_inputs_carry_the_brokers_time() -> None:
    """By it a wrong clock shows (driftline.pipeline.state.clock_skew)."""
    for topic in (SNAPSHOTS, CHANGES, CONTROL, SIGNALS):
        assert topic.settings()["message.timestamp.type"] == "LogAppendTime"
