"""A rulebook that changes while resources do not: what is known is judged anew, and it is said that the rules did it."""

from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.model import finding_id
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.state.rows import RULES_KEY
from tests.core.world import RULE, RULES, UID, Kept, key, tick, value

UIDS = [f"{UID}{number}" for number in range(5)]


def book(folder: Path, more: str = "", **musts: str) -> Rulebook:
    """A rulebook of some of the three rules, each with its condition (or its own)."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, must in musts.items():
        id = name.replace("_", "-")
        part, own, _ = RULES[id]
        text = RULE.format(id=id, title=id, severity="high", part=part, must=must or own, more=more, path=own.removeprefix("resource."))  # fmt: skip
        (folder / f"{id}.yaml").write_text(text)
    return load([folder], builtin=False)


class Told(Kept):
    """One that counts its records, and remembers the last word on every finding."""

    def __init__(self, rules: Rulebook) -> None:
        self.findings: dict[str, dict[str, Any]] = {}
        self.offset = 0
        super().__init__(rules)

    def read(self, topic: str, record: bytes) -> None:
        self.fold.apply(topic, record, self.offset)
        self.offset += 1

    def keep(self, cut: int | None = None) -> list[dict[str, Any]]:
        said = super().keep(cut)
        self.findings |= {one["id"]: one for one in said}
        return said

    def judge(self, most: int = 1000) -> list[dict[str, Any]]:
        while self.fold.advance(most=most):
            pass
        return self.keep()

    def brief(self, rule: str, uid: str = UIDS[0]) -> tuple[str, str]:
        found = self.findings[finding_id(rule, uid)]
        return found["status"], found["reason"]


def swept(rulebook: Rulebook, at: float = 0, **how: Any) -> Told:
    kept = Told(rulebook)
    kept.read(CONTROL.name, tick(at))
    for uid in UIDS:
        kept.read(SNAPSHOTS.name, value(key(at, uid=uid, **how)))
    kept.judge()
    return kept


def test_a_rule_that_is_added_judges_what_is_known(tmp_path: Path) -> None:
    kept = swept(book(tmp_path / "r", t_sticky=""), rotation=False)
    kept.start(book(tmp_path / "r", t_sticky="", t_rotation=""))
    said = kept.judge()
    assert {(f["rule"]["id"], f["status"], f["reason"], f["restated"]) for f in said} == {("t-rotation", "open", "rule_added", False)}  # fmt: skip
    assert len(said) == len(UIDS)
    assert all(f["opened_at"] == "2026-01-01T00:00:00.000000Z" for f in said), "since it is known"
    assert kept.judge() == [], "once"


def test_a_rule_that_is_changed_says_so_and_what_follows_is_the_resources(tmp_path: Path) -> None:
    kept = swept(book(tmp_path / "r", t_rotation=""), rotation=False)
    assert kept.brief("t-rotation") == ("open", "opened")
    lenient = book(tmp_path / "r", t_rotation="resource.config.rotation.KeyRotationEnabled || true")
    kept.start(lenient)
    kept.judge()
    assert kept.brief("t-rotation") == ("resolved", "rule_changed")
    kept.read(SNAPSHOTS.name, value(key(1, uid=UIDS[0], rotation=False)))
    assert kept.keep() == [], "it still stands so, for the same reason"
    kept.start(book(tmp_path / "r", t_rotation=""))
    kept.judge()
    assert kept.brief("t-rotation") == ("open", "rule_changed")
    kept.read(SNAPSHOTS.name, value(key(2, uid=UIDS[0])))
    kept.keep()
    assert kept.brief("t-rotation") == ("resolved", "fixed")
    kept.read(SNAPSHOTS.name, value(key(3, uid=UIDS[0], rotation=False)))
    kept.keep()
    assert kept.brief("t-rotation") == ("open", "reopened")


def test_a_rule_that_goes_retires_its_findings_and_may_come_again(tmp_path: Path) -> None:
    kept = swept(book(tmp_path / "r", t_sticky="", t_rotation=""), rotation=False)
    kept.start(book(tmp_path / "r", t_sticky=""))
    kept.judge()
    assert kept.brief("t-rotation") == ("resolved", "rule_removed")
    kept.start(book(tmp_path / "r", t_sticky="", t_rotation=""))
    kept.judge()
    assert kept.brief("t-rotation") == ("open", "rule_added")


def test_a_reading_that_comes_before_its_turn_says_the_same(tmp_path: Path) -> None:
    kept = swept(book(tmp_path / "r", t_sticky=""), rotation=False)
    kept.start(book(tmp_path / "r", t_sticky="", t_rotation=""))
    kept.read(SNAPSHOTS.name, value(key(1, uid=UIDS[0], rotation=False)))
    (said,) = kept.keep()
    assert (said["reason"], said["opened_at"]) == ("rule_added", "2026-01-01T00:00:00.000000Z")
    assert len(kept.judge()) == len(UIDS) - 1


def test_a_new_rule_that_waits_is_still_a_new_rule_when_it_opens(tmp_path: Path) -> None:
    kept = swept(book(tmp_path / "r", t_sticky=""), rotation=False)
    kept.start(book(tmp_path / "r", more="for: 10m", t_sticky="", t_rotation=""))
    assert {f["reason"] for f in kept.judge() if f["rule"]["id"] == "t-rotation"} == {"pending"}
    kept.read(CONTROL.name, tick(11))
    kept.judge()
    assert kept.brief("t-rotation") == ("open", "rule_added")


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, None])
def test_cut_in_the_middle_it_goes_on(tmp_path: Path, cut: int | None) -> None:
    kept = swept(book(tmp_path / "r", t_sticky=""), rotation=False)
    new = book(tmp_path / "r", t_sticky="", t_rotation="")
    kept.start(new)
    assert kept.fold.advance(most=2), "restored"
    assert kept.fold.advance(most=2), "in slices"
    kept.keep(cut)
    kept.start(new)
    kept.judge(2)
    assert {kept.brief("t-rotation", uid) for uid in UIDS} == {("open", "rule_added")}
    assert RULES_KEY in kept.rows
    kept.start(new)
    while kept.fold.advance():
        pass
    assert kept.keep() == []


def test_an_acceptance_of_a_rule_that_is_gone_says_no_more(tmp_path: Path) -> None:
    from driftline.pipeline.model import Control
    from tests.core.test_exceptions import accepted

    kept = swept(book(tmp_path / "r", t_sticky="", t_rotation=""), rotation=False)
    kept.read(CONTROL.name, Control(exception=accepted(until=5)).encode())
    kept.judge()
    kept.read(CONTROL.name, tick(6))
    kept.judge()
    assert kept.brief("t-rotation") == ("open", "exception_ended")
    kept.start(book(tmp_path / "r", t_sticky=""))
    kept.judge()
    assert kept.brief("t-rotation") == ("resolved", "rule_removed")
