"""Accounts and owners in a running deployment: the map of owners is taken up while the worker runs, and an account that is
removed ends, and no other."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.model import Part
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import SNAPSHOTS, partition
from tests.core.world import key
from tests.live.programs import Site

pytestmark = pytest.mark.live
PATIENCE = 60
ONE, TWO, EACH = "111111111111", "222222222222", 20


@pytest.fixture
def site(own: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    owners = {"map": [{"file": str(tmp_path / "owners.yaml")}]}
    (tmp_path / "owners.yaml").write_text("- {owner: first, account: '*'}\n")
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap}, owners=owners) as mine:
        yield mine


def read(site: Site) -> None:
    """One reading of every key of both accounts, now; all of them fail."""
    now = datetime.now(UTC)
    for account in (ONE, TWO):
        for number in range(EACH):
            uid = f"arn:aws:kms:eu-west-1:{account}:key/{number:05d}"
            parts = [Part(name=name, captured_at=now) for name in ("rotation", "key")]
            one = key(0, False, uid=uid).model_copy(update={"account": account, "captured_at": now, "parts": parts})  # fmt: skip
            site.say(SNAPSHOTS.name, codec.encode_batch([codec.encode_snapshot(one)]), partition=partition(uid))  # fmt: skip


def rotation(site: Site, account: str) -> list[dict[str, Any]]:
    """The failing findings of an account."""
    found = site.findings().values()
    return [f for f in found if f["rule"]["id"] == "t-rotation" and f["resource"]["account"] == account]  # fmt: skip


def test_owners_change_and_an_account_is_removed_while_it_runs(site: Site) -> None:
    worker, clock = site.worker(), site.launch("clock", DRIFTLINE_CLOCK__INTERVAL="1s")
    wait_until(worker.ready, PATIENCE, worker.child, "the worker")
    read(site)

    def owned(account: str, owner: str, reason: str) -> bool:
        found = rotation(site, account)
        said = {(f["owner"]["id"], f["owner"]["found_by"], f["reason"], f["restated"]) for f in found}  # fmt: skip
        return len(found) == EACH and said == {(owner, "map", reason, False)}

    wait_until(lambda: owned(ONE, "first", "opened") and owned(TWO, "first", "opened"), PATIENCE, worker.child, "the findings and their owner")  # fmt: skip
    before = {f["id"]: f["revision"] for f in rotation(site, ONE)}

    (site.folder / "owners.yaml").write_text(
        f"- {{owner: second, account: '{TWO}'}}\n- {{owner: first, account: '*'}}\n"
    )
    os.kill(worker.child.pid, signal.SIGHUP)
    wait_until(lambda: owned(TWO, "second", "owner_changed"), PATIENCE, worker.child, "the other owner")  # fmt: skip
    assert {f["id"]: f["revision"] for f in rotation(site, ONE)} == before, "whose stays is not said"  # fmt: skip

    check = site.cli("owners", "check", "--store", "kafka")
    assert check.code == 0, check.out
    refused = site.cli("accounts", "remove", "333333333333", "--yes")
    assert refused.code == 2
    removed = site.cli("accounts", "remove", TWO, "--yes")
    assert removed.code == 0, removed.out

    def ended() -> bool:
        said = {(f["status"], f["reason"], f["retired"], f["owner"]["id"]) for f in rotation(site, TWO)}  # fmt: skip
        return said == {("resolved", "account_gone", True, "second")}

    wait_until(ended, PATIENCE, clock, "the end of the account")
    assert {(f["status"], f["retired"]) for f in rotation(site, ONE)} == {("open", False)}
