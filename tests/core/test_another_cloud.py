"""A provider of another package goes through the cores: a rule by its own function, a drift by its own kind of actor, a
detection of its own log, an exception at it alone."""

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.compare.diff import Hints
from driftline.pipeline.detections import load as detections
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import (
    Change,
    Control,
    Drift,
    Finding,
    Part,
    RiskException,
    Snapshot,
    finding_id,
)
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.people.identity import NOBODY_MAPPED, identify, vouched_names
from driftline.pipeline.providers.provider import (  # fmt: skip
    AuditLog,
    EventFields,
    Identities,
    Provider,
    SessionPolicy,
    Settling,
)
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.rulebook import load
from driftline.pipeline.rulebook.cel.functions import CURRENT, Function, at_path
from tests.core.installing import others as others
from tests.core.world import heard, minute, tick

TYPE, UID, SHIP = "cloud.storage/Box", "//cloud/rooms/1/boxes/b1", "ship-7"
RULE, ANN = "t-box-closed", "pilots/ann"
FILE = {
    "id": RULE, "version": 1, "title": "The box is closed", "severity": "high", "type": TYPE, "section": "Storage",
    "exposure": "none", "privilege": "none", "needs": ["box"], "must": "!lid_open('box')", "why": "Only for tests.",
    "remediation": {"console": "", "cli": "", "terraform": ""}, "references": [], "frameworks": {},
    "examples": {
        "base": {"config": {"box": {"open": False}}}, "passed": [{"name": "as it is"}],
        "failed": [{"name": "open", "set": {"config.box.open": True}}], "unknown": [{"name": "unread", "unread": ["box"]}],
    },
}  # fmt: skip
DETECTION = {
    "title": "A lid was opened", "id": "8c1f2d6e-0a44-4f0f-9d25-0c9f3a3f7f01", "level": "high",
    "logsource": {"product": "cloud", "service": "calls"},
    "detection": {"s": {"verb": "open", "driftline.login": ANN}, "condition": "s"},
}  # fmt: skip
TYPES = {TYPE: {"parts": {"box": {"fields": {"open": "bool"}}}, "hints": {}, "actions": {}}}
OWN = {
    "lid_open": Function(
        lambda path: at_path(CURRENT.get().config, path)["open"] is True,
        ("STRING",), "BOOL", True, "'box'", "It is open",
    ),
}  # fmt: skip
FIELDS = EventFields(
    of_change=lambda change, _, id_of: {"login": id_of(change.raw["pilot"])},
    names=lambda _: [],
    of_example=lambda event, _: {"login": event["pilot"]},
)


@pytest.fixture
def cloud(others: dict[str, object], tmp_path: Path) -> None:
    types = tmp_path / "types.json"
    types.write_text(json.dumps(TYPES))
    others["cloud"] = Provider(
        "cloud", "Cloud", AuditLog("cloud", "calls", fields=f"{__name__}:FIELDS"), types=types,
        functions=f"{__name__}:OWN", settling=Settling(max_lag=MINUTE),
        identities=Identities(chosen=(re.compile(r"^(crews/[^/]+/).+$"),), actor_kinds={"pilot": "user", "crew": None}),
        sessions=SessionPolicy(lifetime=MINUTE),
    )  # fmt: skip
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / f"{RULE}.yaml").write_text(yaml.safe_dump(FILE))
    (tmp_path / "lid.yml").write_text(yaml.safe_dump(DETECTION))


def box(at: float, *, open: bool) -> Snapshot:
    return Snapshot(
        uid=UID, type=TYPE, provider="cloud", account=SHIP, region="bow", name="b1", captured_at=minute(at),
        config={"box": {"open": open}}, parts=[Part(name="box", captured_at=minute(at))],
    )  # fmt: skip


def opened(at: float, who: str = ANN, kind: str = "pilot") -> bytes:
    return Change.model_validate({
        "id": f"c-{at}", "uid": UID, "type": TYPE, "provider": "cloud", "account": SHIP, "region": "bow",
        "service": "boxes", "action": "open", "kind": "update", "parts": ["box"], "actor": {"id": who, "type": kind, "tool": "lever"},
        "occurred_at": minute(at), "outcome": "success", "raw": {"verb": "open", "pilot": who},
    }).encode()  # fmt: skip


def accepted(provider: str) -> bytes:
    return Control(
        exception=RiskException(
            id="ex-1", rule=RULE, account=SHIP, reason="only for tests", owner="bea", approver="cid", at=minute(9),
            until=minute(900), provider=provider,
        )
    ).encode()  # fmt: skip


def world(folder: Path) -> Fold:
    found = detections([folder / "lid.yml"])
    assert found.problems == []
    fold = Fold(
        load([folder / "rules"], builtin=False), AssessOptions(hints={TYPE: Hints()}), watch=DetectionEngine(found)
    )  # fmt: skip
    fold.feed(CONTROL.name, heard(0, "cloud.feed"))
    fold.feed(CONTROL.name, tick(0))
    fold.snapshot(box(0, open=False))
    fold.feed(CHANGES.name, opened(3))
    fold.snapshot(box(5, open=True))
    fold.feed(CONTROL.name, heard(8, "cloud.feed"))
    fold.feed(CONTROL.name, tick(8))
    return fold


def finding(fold: Fold) -> Finding:
    return Finding.model_validate_json(fold.findings[finding_id(RULE, UID).encode()])


@pytest.mark.usefixtures("cloud")
def test_a_rule_and_a_drift_with_its_actor(tmp_path: Path) -> None:
    fold = world(tmp_path)
    assert fold.dead == []
    one = finding(fold)
    assert (one.status, one.evaluation) == ("open", "failed")
    [drift] = map(Drift.model_validate_json, fold.drifts.values())
    assert drift.attribution == "attributed"
    assert drift.actor is not None
    assert (drift.actor.type, drift.actor.tool) == ("pilot", "lever")
    assert drift.actor.person is not None
    assert (drift.actor.person.id, drift.actor.person.kind) == (ANN, "user")


@pytest.mark.usefixtures("cloud")
def test_a_detection_of_its_own_log(tmp_path: Path) -> None:
    [alert] = map(orjson.loads, world(tmp_path).alerts.values())
    assert alert["title"] == "A lid was opened"
    assert alert["resources"] == [UID]


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("provider", "status"), [("cloud", "suppressed"), ("aws", "open")])
def test_an_exception_at_one_provider_alone(tmp_path: Path, provider: str, status: str) -> None:
    fold = world(tmp_path)
    fold.feed(CONTROL.name, accepted(provider))
    fold.feed(CONTROL.name, tick(10))
    assert finding(fold).status == status


@pytest.mark.usefixtures("cloud")
def test_ids_look_as_each_provider_writes_them() -> None:
    """A crew acts for somebody else; the end of its id was chosen by whoever took it."""
    crew: dict[str, Any] = {"id": "crews/red/zoe", "type": "crew"}
    theirs, ours = NOBODY_MAPPED.of("cloud"), NOBODY_MAPPED.of("aws")
    assert identify(crew, theirs)["principal"] == "crews/red/"
    assert identify(crew, ours)["principal"] == "crews/red/zoe"
    assert vouched_names(crew, theirs) == {"crews/red/"}
    assert vouched_names(crew) == {"crews/red/"}  # whose it is is not known
    arn = {"id": "arn:aws:sts::1:assumed-role/x/zoe", "type": "role"}
    assert identify(arn, ours)["principal"] == "arn:aws:sts::1:assumed-role/x/"
    assert identify(arn, theirs)["principal"] == arn["id"]


@pytest.mark.usefixtures("cloud")
def test_without_the_provider_its_records_are_dead_letters(
    tmp_path: Path, others: dict[str, object]
) -> None:
    from tests.core.installing import forget

    fold = world(tmp_path)
    del others["cloud"]
    forget()
    fold.feed(CHANGES.name, opened_as_written())
    [dead] = fold.dead
    assert "no provider cloud is installed" in dead.reason


def opened_as_written() -> bytes:
    return orjson.dumps({
        "id": "c", "uid": UID, "provider": "cloud", "account": SHIP, "region": "bow", "action": "open",
        "actor": {"id": ANN, "type": "pilot"}, "occurred_at": "2026-01-01T00:20:00Z", "outcome": "success",
    })  # fmt: skip
