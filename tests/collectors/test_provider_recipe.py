"""The provider of CONTRIBUTING.md plugs in from outside the tree, and goes through every command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collectors.acme import SECRET, TYPE, Acme, driftline, install, python, running

RULE = "acme-bucket-not-public"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def acme() -> Iterator[Acme]:
    with running() as cloud:
        cloud.bucket("a1", "private", [])
        cloud.bucket("a1", "public", ["everyone"])
        cloud.bucket("a2", "logs", ["audit"])
        yield cloud


@pytest.fixture
def folder(home: Path, acme: Acme, tmp_path: Path) -> Path:
    (tmp_path / "driftline.yaml").write_text(
        f"acme: {{url: {acme.url}, concurrency: 2, events: {{feed: true}}}}\n"
        f"rules: {{builtin: false, paths: [{home}/acme_cloud/rules]}}\n"
        f"detections: {{builtin: false, paths: [{home}/acme_cloud/detections]}}\n"
        "redaction: {key: 0123456789abcdef}\n"
    )
    (tmp_path / "driftline.yaml").chmod(0o600)
    return tmp_path


def test_it_is_scanned_and_judged_by_its_own_rule(home: Path, folder: Path) -> None:
    told = driftline(home, folder, "scan", "acme", "--format", "json")
    assert told.returncode == 1, told.stderr
    said = json.loads(told.stdout)
    found = {one["resource"]["name"]: one["status"] for one in said["findings"]}
    assert found["public"] == "open"
    assert "open" not in {found.get("private"), found.get("logs")}
    [one] = [f for f in said["findings"] if f["status"] == "open"]
    assert one["rule"]["id"] == RULE
    assert one["resource"]["uid"] == "acme://a1/buckets/public"
    assert (one["resource"]["provider"], one["resource"]["region"]) == ("acme", "north")
    assert SECRET not in told.stdout


def test_what_is_denied_is_told_and_is_not_empty(home: Path, folder: Path, acme: Acme) -> None:
    acme.denied.add("a2")
    told = driftline(home, folder, "scan", "acme", "--format", "json", "--fail-on", "critical")
    assert told.returncode == 3, told.stderr
    sweeps = {one["scope"]["account"]: one["status"] for one in json.loads(told.stdout)["coverage"]}
    assert sweeps == {"a1": "complete", "a2": "denied"}


def test_its_rule_is_proven(home: Path, folder: Path) -> None:
    told = driftline(home, folder, "rules", "test", "--rules", str(home / "acme_cloud/rules"), RULE)
    assert told.returncode == 0, told.stdout + told.stderr


def test_what_it_needs_is_printed(home: Path, folder: Path) -> None:
    told = driftline(home, folder, "permissions", "acme", "--type", TYPE)
    assert json.loads(told.stdout) == {"rights": ["accounts.list", "storage.buckets.list"]}
    wrong = driftline(home, folder, "permissions", "acme", "--type", "Acme::Storage::Buckets")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True), wrong.stderr


def test_doctor_asks_it_and_no_other_cloud(home: Path, folder: Path) -> None:
    told = driftline(home, folder, "doctor", "--only", "acme", "--format", "json")
    assert [one["detail"] for one in json.loads(told.stdout)["checks"]] == ["accounts: a1, a2"]
    code = (
        "from driftline.pipeline.settings.blocks import load_settings as l;"
        "from driftline.pipeline.tasks.doctor import areas_in_use as a; print(*a(l()))"
    )
    assert "acme" in (areas := python(home, folder, "-c", code).stdout.split())
    assert "aws" not in areas


def test_its_settings_are_checked_with_their_place(home: Path, folder: Path) -> None:
    (folder / "wrong.yaml").write_text("acme: {urll: x, interval: 20h}\n")
    told = driftline(home, folder, "--config", "wrong.yaml", "config", "check")
    assert told.returncode == 2
    assert "wrong.yaml:1:" in told.stderr
    assert "acme.interval" in told.stderr


def test_commands_have_its_name(home: Path, folder: Path) -> None:
    told = driftline(home, folder, "collect", "acme", "--help").stdout
    assert all(f"\n  {name} " in told for name in ("events", "inventory", "reads"))
    assert "Acme Cloud" in told


TAPE = """
import sys
from datetime import UTC, datetime, timedelta
from acme_cloud import collector
from driftline.collectors.collector import CollectorContext, SweepRequest
from driftline.collectors.redact import Redactor
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records import tape
from driftline.pipeline.settings.blocks import load_settings
from tests.collectors.acme import Acme
import json

acme = Acme(**json.loads(sys.argv[1]))
context = CollectorContext(load_settings(), {}, Redactor(b"0123456789abcdef"))
start = datetime(2026, 3, 1, tzinfo=UTC)
out = []

class Cloud(collector.Cloud):
    def get(self, path):
        return acme.answer(path)[1]

collector.Cloud = Cloud

def swept(at):
    def emit(record):
        if isinstance(record, Snapshot):
            parts = [p.model_copy(update={"captured_at": at}) for p in record.parts]
            record = record.model_copy(update={"captured_at": at, "parts": parts})
            out.append(("snapshots", at.isoformat(), json.loads(record.encode())))
    collector.sweep(context, SweepRequest(emit))

swept(start)
acme.set_access("a1", "private", ["everyone"], "acme://users/mallory", (start + timedelta(hours=1)).isoformat())
for change, wish in collector.changes(acme.events[-1], context.redactor):
    out.append(("changes", wish.after.isoformat(), json.loads(change.encode())))
swept(start + timedelta(hours=2))
tape.write(__import__("pathlib").Path(sys.argv[2]), out)
"""


def replayed(home: Path, folder: Path, acme: Acme, *options: str) -> dict[str, Any]:
    """A day of it through the core: a sweep, a change and who made it, a sweep."""
    about = json.dumps({"accounts": acme.accounts, "events": []})
    made = python(home, folder, "-c", TAPE, about, "day.ndjson")
    assert made.returncode == 0, made.stderr
    told = driftline(home, folder, "replay", "--tape", "day.ndjson", "--format", "json", *options)
    assert told.stdout, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    assert (found["problems"], found.get("dead", [])) == ([], []), told.stderr
    assert SECRET not in told.stdout
    return found


def test_a_day_of_it_is_judged_compared_attributed_and_detected(
    home: Path, folder: Path, acme: Acme
) -> None:
    found = replayed(home, folder, acme)
    by_name = {one["resource"]["name"]: one for one in found["findings"]}
    assert by_name["private"]["status"] == by_name["public"]["status"] == "open"
    [drift] = found["drift"]
    assert drift["uid"] == "acme://a1/buckets/private"
    assert drift["attribution"] == "attributed"
    assert drift["actor"]["id"] == "acme://users/mallory"
    assert [change["path"] for change in drift["changes"]] == ["/main/access/0"]
    [alert] = found["alerts"]
    assert "Access of a bucket is set by hand" in json.dumps(alert)


def test_a_risk_of_it_is_accepted(home: Path, folder: Path, acme: Acme) -> None:
    (folder / "accepted").mkdir()
    (folder / "accepted/one.yaml").write_text(
        f"rule: {RULE}\nresource: acme://a1/buckets/public\nreason: its pages are meant for everybody\n"
        "owner: ann\napprover: bea\nuntil: 2026-12-30\n"
    )
    found = replayed(home, folder, acme, "--exceptions", "accepted")
    status = {one["resource"]["name"]: one["status"] for one in found["findings"]}
    assert (status["public"], status["private"]) == ("suppressed", "open")
