"""The provider of CONTRIBUTING.md on real Kafka: swept, heard, read again, judged by a worker, from outside the tree."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import wait_until
from tests.collectors.acme import SECRET, install, running
from tests.live.programs import Site

pytestmark = pytest.mark.live
KEY = "hunter2-redaction-key"


def test_a_provider_of_another_package_is_streamed(own: KafkaServer, tmp_path: Path) -> None:
    home = install(tmp_path / "installed")
    (tmp_path / "site").mkdir()
    rules = {"builtin": False, "paths": [str(home / "acme_cloud/rules")]}
    with running() as acme, Site(tmp_path / "site", {"bootstrap_servers": own.bootstrap}, rules=rules, redaction={"key": KEY}) as site:  # fmt: skip
        site.env |= {
            "PYTHONPATH": os.pathsep.join((str(home), site.env["PYTHONPATH"])),
            "DRIFTLINE_ACME__URL": acme.url, "DRIFTLINE_ACME__EVENTS__FEED": "true",
        }  # fmt: skip
        acme.bucket("a1", "public", ["everyone"])
        acme.bucket("a1", "private", [])

        def finding(name: str) -> dict[str, Any]:
            found = [f for f in site.findings().values() if f["resource"]["name"] == name]
            return found[0] if found else {}

        assert site.run("topics", "create").code == 0
        swept = site.run("collect", "acme", "--once")
        assert (swept.code, "swept 1 scope, 2 snapshots" in swept.out) == (0, True), swept.out
        rows = json.loads(site.run("coverage", "--provider", "acme", "--format", "json").out)
        assert [(r["provider"], r["account"], r["status"], r["resources"]) for r in rows] == [
            ("acme", "a1", "complete", 2)
        ]
        site.launch("clock", DRIFTLINE_CLOCK__INTERVAL="1s")
        worker, reads = site.worker(), site.launch("collect", "acme", "reads")
        wait_until(lambda: finding("public").get("status") == "open", 60, worker.child, "a finding")

        acme.set_access("a1", "private", ["everyone"], "acme://users/mallory", datetime.now(UTC).isoformat())  # fmt: skip
        heard = site.run("collect", "acme", "events", "--once")
        assert heard.code == 0, heard.out
        wait_until(lambda: finding("private").get("status") == "open", 60, reads, "the change")
        opened = finding("private")
        assert (opened["attribution"], opened["actor"]["id"]) == ("attributed", "acme://users/mallory")  # fmt: skip
        assert SECRET not in json.dumps(site.findings())

        del acme.accounts["a1"]["public"]
        assert site.run("collect", "acme", "--once").code == 0
        wait_until(lambda: finding("public").get("reason") == "resource_deleted", 60, reads, "the end")  # fmt: skip
        events = site.launch("collect", "acme", "events")

        def heard_of() -> bool:
            told = json.loads(site.run("doctor", "--only", "kafka", "--format", "json").out)
            return ("change events", "ok") in {(one["what"], one["state"]) for one in told["checks"]}  # fmt: skip

        wait_until(heard_of, 60, events, "a tick")
