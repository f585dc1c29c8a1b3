"""`driftline findings` and `driftline alerts` on a real broker and a real node: both stores tell the same."""

import json
from typing import Any

import orjson
import pytest

from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records.topics import ALERTS
from driftline.sinks.elasticsearch.alert_documents import index
from tests.live.stage import PATIENCE, Stage
from tests.shells.command import Command
from tests.sinks.findings import findings
from tests.sinks.test_alerts import ALERTS as SAID

pytestmark = pytest.mark.live

IDS = {name: str(one["id"]) for name, one in findings().items()}


@pytest.fixture
def driftline(
    on: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line, with the settings of the stage."""
    monkeypatch.setenv("DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS", on.settings.kafka.bootstrap_servers)
    monkeypatch.setenv("DRIFTLINE_ELASTICSEARCH__URL", on.gate.url)
    monkeypatch.setenv("DRIFTLINE_ELASTICSEARCH__NAMESPACE", on.settings.elasticsearch.namespace)
    return Command(monkeypatch, capsys)


def several() -> list[bytes]:
    """Findings of several rules and resources, each the last word on its own."""
    failed = findings()["failed"]
    out = []
    for number in range(25):
        resource = failed["resource"] | {
            "uid": f"u/{number}",
            "name": f"key*{number}",
            "account": f"{number % 3:012}",
        }
        rule = failed["rule"] | {
            "id": f"r-{number % 4}",
            "severity": ["low", "medium", "high", "critical"][number % 4],
        }
        status = "open" if number % 5 else "suppressed"
        one = failed | {"id": f"{number:08}-0000-0000-0000-000000000000", "resource": resource, "rule": rule, "status": status}  # fmt: skip
        out.append(orjson.dumps(one))
    return out


def listed(driftline: Command, kind: str, store: str, *more: str) -> dict[str, Any]:
    said = driftline(kind, "list", "--store", store, "--format", "json", *more)
    assert said.code in (0, 3), said.err
    found: dict[str, Any] = json.loads(said.out)
    assert (said.code == 3) == (not found[kind])
    return found


def test_both_stores_list_and_show_the_same(on: Stage, driftline: Command) -> None:
    on.say(several())
    out, delivery = producer(on.settings.kafka), Delivery()
    for alert in SAID:
        produce(out, delivery, ALERTS.name, orjson.dumps(alert), key=alert["id"].encode())
    flush(out, delivery, 30)
    on.sink()
    on.arrived()
    alerts = index(on.settings.elasticsearch.namespace)

    def there() -> bool:
        on.direct.indices.refresh(index=alerts, ignore_unavailable=True)
        return bool(on.direct.count(index=alerts, ignore_unavailable=True)["count"] == len(SAID))

    wait_until(there, PATIENCE, on.sinks[-1], "the alerts")
    findings_asked: list[tuple[str, ...]] = [(), ("--status", "all"), ("--severity", "high,critical"), ("--account", "000000000001"), ("--rule", "r-2"),
                 ("--resource", "KEY*1"), ("--resource", "nowhere"), ("--limit", "3"), ("--type", "AWS::S3::Bucket")]  # fmt: skip
    for more in findings_asked:
        one, other = (
            listed(driftline, "findings", store, *more) for store in ("elasticsearch", "kafka")
        )
        assert one["total"] == other["total"], more
        assert [f["id"] for f in one["findings"]] == [f["id"] for f in other["findings"]], more
    for more in (("--from", "2000-01-01T00:00:00Z"), ("--from", "2000-01-01T00:00:00Z", "--severity", "high"), ("--about", "nobody"),
                 ("--from", "2000-01-01T00:00:00Z", "--state", "all", "--about", "ANN")):  # fmt: skip
        one, other = (
            listed(driftline, "alerts", store, *more) for store in ("elasticsearch", "kafka")
        )
        assert one["total"] == other["total"], more
        assert {f["id"] for f in one["alerts"]} == {f["id"] for f in other["alerts"]}, more
    for store in ("elasticsearch", "kafka"):
        said = driftline("findings", "show", "00000007", "--store", store)
        assert (said.code, "u/7" in said.out) == (0, True), said.err
        assert max(map(len, said.out.splitlines())) <= 80
        said = driftline("findings", "show", "0000000", "--store", store)
        assert (said.code, "too short" in said.err) == (2, True)
        said = driftline("findings", "show", "ffffffff", "--store", store)
        assert (said.code, "no finding ffffffff" in said.err) == (3, True)
        said = driftline("alerts", "show", SAID[0]["id"], "--store", store)
        assert (said.code, "Story" in said.out) == (0, True), said.err
    said = driftline("findings", "list")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80
