"""Findings as the core says them, for what sinks make of them."""

from collections.abc import Callable
from functools import cache
from typing import Any

import orjson

from driftline.pipeline.model import Control, RiskException, finding_id, micros
from driftline.pipeline.records.topics import CONTROL
from tests.core.world import UID, World, denied, gone, key, minute

NOW = micros(minute(60 * 24 * 30))
HOSTILE = '"}\n{"delete":{}}\r\n\u2028<script>\x00=cmd|\\ {{7*7}} 🪣'


def said(*steps: Callable[[World], None], rule: str = "t-rotation") -> dict[str, Any]:
    """What stands after some steps."""
    world = World()
    for step in steps:
        step(world)
    found: dict[str, Any] = orjson.loads(world.findings[finding_id(rule, UID).encode()])
    return found


def _bad(world: World) -> None:
    world.snapshot(key(0, rotation=False, organization="o-1", tags={"env": "prod", "a": ""}))


def _accepted(world: World) -> None:
    exception = RiskException(
        id="ex-1", rule="t-rotation", reason="an old machine needs it", owner="bea", approver="carol", at=minute(1), until=minute(600),
    )  # fmt: skip
    world.feed(CONTROL.name, Control(exception=exception).encode())


def _good(world: World) -> None:
    world.snapshot(key(0))


@cache
def _all() -> bytes:
    failed = said(_bad)
    person = {
        "type": "AWS::IAM::User",
        "class": "identity",
        "name": "ada",
        "uid": "arn:aws:iam::111111111111:user/ada",
    }
    machine = {"type": "AWS::EC2::Instance", "class": "compute", "name": "web-1"}
    whole = {
        "sentence": "rotation is off for key 1", "owner": {"id": "payments", "found_by": "tag"}, "due_at": "2026-01-08T00:00:00.000000Z",
        "declared": {"workspace": "prod-eu", "address": "module.keys.aws_kms_key.main[0]", "repository": "acme/infra", "path": "keys/main.tf"},
        "drift": "d-1", "attribution": "attributed",
        "actor": {"id": "arn:aws:iam::111111111111:role/deploy", "type": "assumed_role", "tool": "terraform", "source_ip": "203.0.113.9",
                  "person": {"id": "arn:aws:iam::111111111111:user/ada", "kind": "user", "name": "ada", "claimed": "bob"}},
        "rule": failed["rule"] | {"family": "encryption-key-rotation"},
        "resource": failed["resource"] | {
            "class": "key",
            "cloud_account": {"kind": "account", "id": "111111111111", "name": "payments-prod", "ancestors": [
                {"kind": "organizational_unit", "id": "ou-1", "name": "Production"}, {"kind": "organization", "id": "o-1"}]},
        },
    }  # fmt: skip
    hostile = {"name": HOSTILE, "tags": {HOSTILE: HOSTILE}}
    return orjson.dumps({
        "failed": failed,
        "passed": said(_good),
        "unknown": said(_bad, lambda world: world.snapshot(denied(1))),
        "resolved": said(_bad, lambda world: world.snapshot(key(1))),
        "retired": said(_bad, lambda world: world.snapshot(gone(1))),
        "restated": said(_bad, lambda world: world.snapshot(key(6 * 60, rotation=False)), lambda world: world.tick(12 * 60)),
        "suppressed": said(_bad, _accepted),
        "pending": said(lambda world: world.snapshot(key(0, enabled=False)), rule="t-patient"),
        "identity": failed | {"resource": failed["resource"] | person},
        "full": failed | whole,
        "compute": failed | {"resource": failed["resource"] | machine},
        "declared": failed | {"declared": {"workspace": "prod", "address": "module.keys.aws_kms_key.k[0]", "repository": "https://git.example/infra", "path": ""}},
        "hostile": failed | {"resource": failed["resource"] | hostile, "cause": HOSTILE, "owner": {"id": HOSTILE, "found_by": HOSTILE},
                             "evidence": [{"path": f"config.{HOSTILE}", "value": {"a": [1, None, HOSTILE]}}]},
    })  # fmt: skip


def findings() -> dict[str, dict[str, Any]]:
    """By what is special in them; fresh copies."""
    out: dict[str, dict[str, Any]] = orjson.loads(_all())
    return out


SPECIAL = tuple(findings())
