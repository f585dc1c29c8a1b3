"""What a resource ought to be: approved, declared, recorded. A difference is a finding until it is gone."""

from typing import Any

import msgspec
import pytest

from driftline.pipeline.assess.decisions import baselines
from driftline.pipeline.model import Baseline, Control, RiskException
from driftline.pipeline.records.topics import CONTROL
from driftline.pipeline.state.resource import KnownBaseline
from tests.core.world import UID, World, change, denied, gone, key, minute, watched

APPROVED, DECLARED = "driftline-approved-baseline", "driftline-declared-baseline"


def said(
    world: World,
    at: float = 1,
    kind: str = "approved",
    expect: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    given = {
        "uid": UID, "kind": kind, "by": "carol", "at": minute(at),
        "expect": {"/rotation": {"KeyRotationEnabled": True}} if expect is None else expect,
    }  # fmt: skip
    record = Baseline.model_validate(given | more)
    world.feed(CONTROL.name, Control(baseline=record).encode())


@pytest.fixture
def world() -> World:
    return watched()


def test_what_is_as_approved_is_clear(world: World) -> None:
    said(world)
    assert world.brief(APPROVED) == ("clear", "passed", "holds")
    finding = world.finding(APPROVED)
    assert (finding.rule.section, finding.rule.severity, finding.rule.uuid != "") == (
        "Baseline",
        "medium",
        True,
    )


def test_a_difference_is_a_finding_with_its_places_and_its_actor_until_it_is_gone(
    world: World,
) -> None:
    said(world)
    world.change(change(2))
    world.snapshot(key(2.1, rotation=False))
    finding = world.finding(APPROVED)
    assert (finding.status, finding.reason) == ("open", "opened")
    assert [one.model_dump() for one in finding.evidence] == [
        {"path": "/rotation/KeyRotationEnabled", "value": {"approved": True, "now": False}}
    ]
    assert finding.actor
    assert (finding.actor["id"], finding.drift) == ("ann", world.drift().id)
    assert finding.risk.score > 0
    world.snapshot(key(3, rotation=False, tags={"a": "b"}))
    assert world.brief(APPROVED) == ("open", "failed", "opened")
    world.snapshot(key(4))
    assert world.brief(APPROVED) == ("resolved", "passed", "fixed")
    world.snapshot(key(5, rotation=False))
    assert world.brief(APPROVED) == ("open", "failed", "reopened")


def test_said_after_the_change_it_fails_at_once(world: World) -> None:
    world.snapshot(key(0.5, rotation=False))
    said(world)
    assert world.brief(APPROVED) == ("open", "failed", "opened")
    said(world, 2, expect={"/rotation": {"KeyRotationEnabled": False}})  # approved as it is
    assert world.brief(APPROVED) == ("resolved", "passed", "fixed")


def test_said_before_any_reading() -> None:
    world = World()
    said(world)
    assert not world.findings
    world.snapshot(key(2, rotation=False))
    assert world.brief(APPROVED) == ("open", "failed", "opened")


def test_an_older_word_and_one_again_change_nothing(world: World) -> None:
    said(world, 3)
    words = world.said
    said(world, 2, expect={"/rotation": {"KeyRotationEnabled": False}})
    said(world, 3)
    assert world.said == words
    assert world.brief(APPROVED) == ("clear", "passed", "holds")


def test_revoked(world: World) -> None:
    said(world)
    world.snapshot(key(2, rotation=False))
    said(world, 3, revoked=minute(3))
    finding = world.finding(APPROVED)
    assert (finding.status, finding.reason, finding.retired) == (
        "resolved",
        "baseline_removed",
        True,
    )
    world.snapshot(key(4, rotation=False, tags={"a": "b"}))
    assert world.finding(APPROVED).retired
    said(world, 5)
    assert world.brief(APPROVED) == ("open", "failed", "reopened")


def test_kinds_stand_side_by_side(world: World) -> None:
    said(world, expect={"/key": {"Enabled": True}})
    said(world, kind="declared", expect={"/rotation/KeyRotationEnabled": False})
    said(world, kind="recorded", expect={"/rotation/KeyRotationEnabled": True})
    assert world.brief(APPROVED) == ("clear", "passed", "holds")
    assert world.brief(DECLARED) == ("open", "failed", "opened")
    assert world.brief("driftline-recorded-baseline") == ("clear", "passed", "holds")
    assert world.finding(DECLARED).evidence[0].value == {"declared": False, "now": True}


def test_only_what_is_named_is_compared(world: World) -> None:
    said(world, kind="declared", expect={"/rotation/KeyRotationEnabled": True})
    world.snapshot(key(2, enabled=False))
    assert world.brief(DECLARED) == ("clear", "passed", "holds")


def test_what_is_unread_is_unknown_and_closes_nothing(world: World) -> None:
    said(world)
    world.snapshot(key(2, rotation=False))
    world.snapshot(denied(3, "rotation"))
    assert world.brief(APPROVED) == ("open", "unknown", "unread")
    assert "denied" in world.finding(APPROVED).cause
    world.snapshot(key(4, rotation=False))
    assert world.brief(APPROVED) == ("open", "failed", "opened")


def test_what_is_unread_hides_no_difference_elsewhere(world: World) -> None:
    said(world, expect={"/key/Enabled": True, "/rotation/KeyRotationEnabled": True})
    world.snapshot(denied(2, "rotation"))
    assert world.brief(APPROVED) == ("clear", "unknown", "unread")
    world.snapshot(key(3, None, enabled=False))
    assert world.brief(APPROVED) == ("open", "failed", "opened")


def test_a_part_that_was_never_read_is_unknown(world: World) -> None:
    said(world, kind="declared", expect={"/policy/Statement": []})
    assert world.brief(DECLARED) == ("clear", "unknown", "not_read")


def test_one_made_anew_is_not_approved() -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("approved", {}, "baseline_removed"),
        ("approved", {"recreated": True}, "reopened"),
        ("declared", {}, "opened"),
    ]
    for kind, more, wanted in cases:
        world = World()
        world.snapshot(key(0, incarnation="a"))
        said(world, kind=kind, **more)
        world.snapshot(key(2, incarnation="a", rotation=False))
        world.snapshot(gone(3))
        world.snapshot(key(4, incarnation="b", rotation=False))
        finding = world.finding(f"driftline-{kind}-baseline")
        assert finding.reason in (
            wanted,
            "resource_deleted" if wanted == "baseline_removed" else wanted,
        ), kind
        assert finding.retired == (wanted == "baseline_removed")


def test_a_difference_can_be_accepted(world: World) -> None:
    world.snapshot(key(0.5, rotation=False))
    said(world, expect={"/rotation": {"KeyRotationEnabled": True}, "/key": {"Enabled": True}})
    exception = RiskException(
        id="ex-1", rule=APPROVED, resource=UID, reason="until the next release", owner="bea", approver="carol",
        at=minute(2), until=minute(600),
    )  # fmt: skip
    world.feed(CONTROL.name, Control(exception=exception).encode())
    assert world.brief(APPROVED) == ("suppressed", "failed", "accepted")
    world.snapshot(key(3, rotation=False, enabled=False))
    assert world.brief(APPROVED) == ("open", "failed", "worse_than_accepted")
    world.snapshot(key(4, rotation=False))
    assert world.brief(APPROVED) == ("suppressed", "failed", "accepted")


def test_restated_with_the_others(world: World) -> None:
    said(world)
    world.tick(13 * 60)
    assert world.finding(APPROVED).restated


def test_many_differences_are_counted_and_another_one_is_seen() -> None:
    expect = {"/list": [{"name": f"{n:03}", "v": 0} for n in range(50)]}
    one = list(
        baselines.differences(expect, {"list": [{"name": f"{n:03}", "v": 1} for n in range(50)]})
    )
    assert len(one) == 50
    assert one[3]["path"] == "/list/3/v"


@pytest.mark.parametrize(
    ("expect", "config", "found"),
    [
        ({"/a/b": [1, 2]}, {"a": {"b": [2, 1]}}, []),
        ({"/a/b": 1}, {"a": {}}, [("replace", "/a/b", 1, None)]),
        ({"/a~1x/b": 1}, {"a/x": {"b": 2}}, [("replace", "/a~1x/b", 1, 2)]),
        ({"/a/0": 1}, {"a": [3]}, [("replace", "/a/0", 1, 3)]),
        ({"/a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, [("remove", "/a/c", 2, None)]),
        ({"/a": {}}, {"a": {"c": 2}}, [("add", "/a/c", None, 2)]),
    ],
)
def test_differences(
    expect: dict[str, Any], config: dict[str, Any], found: list[tuple[Any, ...]]
) -> None:
    told = [
        (c["op"], c["path"], c.get("before"), c.get("after"))
        for c in baselines.differences(expect, config)
    ]
    assert told == found


def test_what_code_declares_and_somebody_deleted_is_a_finding_until_it_is_there_again(
    world: World,
) -> None:
    said(world, kind="declared", source="network")
    world.change(change(2, kind="delete", action="ScheduleKeyDeletion"))
    world.snapshot(gone(3))
    finding = world.finding(DECLARED)
    assert (finding.status, finding.evaluation, finding.reason) == ("open", "failed", "opened")
    assert [one.model_dump() for one in finding.evidence] == [{"path": "", "value": {"declared": "there", "now": "gone"}}]  # fmt: skip
    assert finding.actor
    assert finding.actor["id"] == "ann"
    assert world.finding("t-rotation").retired, "what was wrong with it matters no more"
    world.tick(16 * 60)
    assert world.finding(DECLARED).restated, "it must not fade out of the view"
    world.tick(50 * 60)
    assert world.finding(DECLARED).evaluation == "failed", "no reading can come, and none becomes stale"  # fmt: skip
    world.snapshot(key(51 * 60))
    assert world.brief(DECLARED) == ("resolved", "passed", "fixed")


def test_what_code_declares_no_more_may_be_gone(world: World) -> None:
    said(world, kind="declared")
    world.snapshot(gone(3))
    said(world, at=4, kind="declared", revoked=minute(4))
    assert world.brief(DECLARED) == ("resolved", "failed", "baseline_removed")
    world.tick(16 * 60)
    assert not world.finding(DECLARED).restated


def test_declared_after_it_was_deleted(world: World) -> None:
    world.snapshot(gone(3))
    said(world, at=4, kind="declared")
    assert world.brief(DECLARED) == ("open", "failed", "opened")


def test_an_approved_one_may_go(world: World) -> None:
    said(world)
    world.snapshot(gone(3))
    assert world.brief(APPROVED) == ("clear", "passed", "resource_deleted")


def test_while_an_apply_runs_nothing_is_told_and_after_it_what_is_still_different(
    world: World,
) -> None:
    said(world, kind="declared", appliers=["dep*"])
    world.change(change(2, who="deploy"))
    world.snapshot(key(2.1, rotation=False))
    assert world.brief(DECLARED) == ("clear", "unknown", "applying")
    world.tick(31)
    assert world.brief(DECLARED) == ("clear", "unknown", "applying")
    world.tick(33)
    finding = world.finding(DECLARED)
    assert (finding.status, finding.reason, finding.opened_at) == ("open", "opened", minute(32))
    world.change(change(40, who="deploy"))
    world.snapshot(key(40.1))
    assert world.brief(DECLARED) == ("resolved", "passed", "fixed")


def test_the_new_plan_ends_the_silence(world: World) -> None:
    said(world, kind="declared", appliers=["deploy"])
    world.change(change(2, who="deploy"))
    world.snapshot(key(2.1, rotation=False))
    said(world, at=3, kind="declared", appliers=["deploy"], expect={"/rotation": {"KeyRotationEnabled": False}})  # fmt: skip
    assert world.brief(DECLARED) == ("clear", "passed", "holds")
    world.tick(60)
    assert world.brief(DECLARED) == ("clear", "passed", "holds")


def test_another_actor_has_no_such_grace(world: World) -> None:
    said(world, kind="declared", appliers=["deploy"])
    world.change(change(2, who="ann"))
    world.snapshot(key(2.1, rotation=False))
    assert world.brief(DECLARED) == ("open", "failed", "opened")


def test_nor_has_who_only_calls_itself_so(world: World) -> None:
    role = "arn:aws:iam::111111111111:role/web"
    said(world, kind="declared", appliers=["*deploy*"])
    for number, more in enumerate(({"issuer": role}, {"id": "arn:aws:sts::111111111111:assumed-role/web/deploy"})):  # fmt: skip
        who = {"id": role, "type": "role", "session": "ASIA1", "session_name": "deploy", "source_identity": "deploy", **more}  # fmt: skip
        world.change(change(2 + number, actor=who, id=str(number)))
    world.snapshot(key(3.1, rotation=False))
    assert world.brief(DECLARED) == ("open", "failed", "opened")


CODE = {"workspace": "prod", "address": "module.keys.aws_kms_key.k[0]", "repository": "https://git.example/infra", "path": "keys/"}  # fmt: skip


def test_a_finding_of_what_code_declares_says_where(world: World) -> None:
    """Every rule's, and again when the place changes or is no more."""
    world.snapshot(key(2))
    assert "declared" not in world.finding().model_fields_set
    more: dict[str, Any] = {
        "source": "prod",
        **{name: CODE[name] for name in ("address", "repository", "path")},
    }
    said(world, 3, "declared", **more)
    finding = world.finding()
    assert (finding.declared.model_dump() if finding.declared else None) == CODE
    assert (finding.restated, world.finding(DECLARED).declared) == (True, finding.declared)
    world.snapshot(key(4, rotation=False))
    assert world.finding().declared == finding.declared
    said(world, 5, "declared", **more | {"path": "keys/main.tf"})
    assert (found := world.finding().declared)
    assert found.path == "keys/main.tf"
    said(world, 6, "declared", revoked=minute(6), **more)
    assert world.finding().declared is None


def test_a_baseline_of_before_has_no_place_in_the_code() -> None:
    old = msgspec.msgpack.encode([1, {"/rotation": {}}, "carol", "prod", False, False, []])
    assert msgspec.msgpack.decode(old, type=KnownBaseline).address == ""
