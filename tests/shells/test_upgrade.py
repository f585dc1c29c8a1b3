"""`driftline upgrade`: what it says of topics, and how often it asks for them."""

from typing import Any

import pytest

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.topics_admin import Difference, TopicResult, remade, remember
from driftline.pipeline.records.topics import ALERTS, SNAPSHOTS, STATE
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.tasks import upgrade
from driftline.pipeline.tasks.upgrade import Step

SETTING = Difference(SNAPSHOTS, "x is 1, not 2", "run: y", ("x", "2"))
MISSING = Difference(ALERTS, "missing", "run: z", missing=True)


class Topics:
    """As they are; what is done makes them right."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: Difference) -> None:
        self.found, self.compared = list(found), 0
        monkeypatch.setattr(topics_admin, "compare", self.compare)
        monkeypatch.setattr(topics_admin, "remade", lambda *_: [])
        monkeypatch.setattr(topics_admin, "create", self.create)
        monkeypatch.setattr(topics_admin, "alter", self.alter)
        monkeypatch.setattr(upgrade, "_states", lambda _: iter([Step("state", "current", "empty")]))

    def compare(self, *_: Any) -> list[Difference]:
        self.compared += 1
        return list(self.found)

    def create(self, *_: Any) -> list[TopicResult]:
        self.found = [one for one in self.found if not one.missing]
        return [TopicResult(ALERTS.name, "created, 24 partitions, 1 replica", created=True)]

    def alter(self, *_: Any) -> list[str]:
        self.found = [one for one in self.found if one.setting is None]
        return [f"{SNAPSHOTS.name}: x set to 2"]


def test_what_is_right_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    topics, told = Topics(monkeypatch), list[str]()
    assert upgrade.apply(Settings(), told.append) == []
    assert (topics.compared, told) == (1, [])


def test_what_is_done_is_compared_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    topics, told = Topics(monkeypatch, SETTING, MISSING), list[str]()
    assert upgrade.apply(Settings(), told.append) == []
    assert topics.compared == 2
    assert told == [
        f"{ALERTS.name}: created, 24 partitions, 1 replica",
        f"{SNAPSHOTS.name}: x set to 2",
    ]


def test_a_topic_that_was_made_anew_is_told_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = Topics(monkeypatch, SETTING)
    monkeypatch.setattr(topics_admin, "remade", lambda *_: ["driftline.snapshots: made anew"])
    told: list[str] = []
    for steps in (upgrade.check(Settings()), upgrade.apply(Settings(), told.append)):
        assert Step("topics", "blocked", "driftline.snapshots: made anew") in steps
    assert (told, topics.found) == ([], [SETTING]), "nothing was done"


def test_one_that_was_accepted_is_not_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path / "driftline-assess", {SNAPSHOTS.own: "old", STATE.own: "old"})
    monkeypatch.setattr(topics_admin, "ids", lambda *_: {SNAPSHOTS.own: "new", STATE.own: "new"})
    folder = tmp_path / "driftline-assess"
    assert [text.partition(":")[0] for text in remade(Settings().kafka, folder)] == [SNAPSHOTS.name, STATE.name]  # fmt: skip
    (left,) = remade(Settings().kafka, folder, ["new"])
    assert left.startswith(STATE.name), "of a changelog nobody may accept another"
