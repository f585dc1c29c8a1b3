"""doctor and coverage on what they are for: real Kafka, real Elasticsearch, a simulated AWS that enforces permissions."""

import json
import re
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from elasticsearch import Elasticsearch

from driftline.collectors.aws.permissions import reader_policy
from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.shapes import service_model
from driftline.pipeline.kafka.client import admin
from driftline.pipeline.local.elasticsearch import ElasticsearchServer
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import free_port, wait_until
from driftline.pipeline.model import Control, Scope, Sweep, Tick
from driftline.pipeline.records.topics import CONTROL, DRIFT, SWEEPS
from tests.collectors.answers import by_hand
from tests.collectors.moto import MASTER, Moto, running
from tests.collectors.test_permissions import MOTOS_OWN
from tests.deploy.words import parse
from tests.live.programs import Site, get, samples

pytestmark = pytest.mark.live
PATIENCE = 60
QUEUE, USER = "AWS::SQS::Queue", "AWS::IAM::User"
HOME = {QUEUE: "us-east-1", USER: "global"}
KEY, PASSWORD = "hunter2-redaction-key", "hunter2-of-elastic"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """A simulated account with a queue and a user who may read it, and nothing else."""
    with running(tmp_path_factory.mktemp("moto")) as server:
        server.client("sqs").create_queue(QueueName="one")
        server.client("iam").create_user(UserName="reader")
        yield server


@pytest.fixture
def site(
    own: KafkaServer, elastic: ElasticsearchServer, moto: Moto, tmp_path: Path
) -> Iterator[Site]:
    node = {"url": elastic.url, "username": "elastic", "password": PASSWORD}
    with Site(
        tmp_path, {"bootstrap_servers": own.bootstrap}, elasticsearch=node, redaction={"key": KEY},
        aws={"regions": ["us-east-1"], "requests_per_second": 5000},
        worker={"state_dir": str(tmp_path / "state-0")},
    ) as mine:  # fmt: skip
        key = moto.client("iam").create_access_key(UserName="reader")["AccessKey"]
        mine.env |= moto.env | {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        allow(moto)
        yield mine


def allow(moto: Moto, but: str = "") -> None:
    """The reader's policy, but for one action; permissions are enforced after it."""
    policy = reader_policy()
    [statement] = policy["Statement"]
    statement["Action"] = [a for a in (*statement["Action"], *MOTOS_OWN) if a != but]
    moto.post("reset-auth", b"100000000")
    moto.client("iam").put_user_policy(
        UserName="reader", PolicyName="p", PolicyDocument=json.dumps(policy)
    )
    moto.post("reset-auth", b"0")


def doctor(site: Site, *only: str, **env: str) -> dict[str, dict[str, str]]:
    """The checks by their names. No secret is in them, and every next command exists."""
    words = [word for area in only for word in ("--only", area)]
    told = site.cli("doctor", "--format", "json", "--timeout", "120", *words, **env)
    assert not [s for s in (KEY, PASSWORD, site.env["AWS_SECRET_ACCESS_KEY"]) if s in told.out]
    asked = json.loads(told.out)
    assert told.code == {"ok": 0, "warn": 1, "unknown": 1, "fail": 2}[asked["state"]]
    found: dict[str, dict[str, str]] = {line["what"]: line for line in asked["checks"]}
    for line in found.values():
        assert line["state"] == "ok" or line["next"], line
        for words in map(shlex.split, re.findall(r"driftline ([a-z][^();,]*)", line["next"])):
            parse(words)
    return found


def bad(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {what: line["state"] for what, line in found.items() if line["state"] != "ok"}


def coverage(site: Site, code: int, *words: str) -> list[dict[str, Any]]:
    told = site.cli("coverage", "--format", "json", *words)
    assert told.code == code
    rows: list[dict[str, Any]] = json.loads(told.out)
    return rows


def unanswered(type_: str) -> bool:
    """Whether the simulated AWS cannot answer for a type: it computes another signature than AWS for the paths of
    REST services, and has not all of the operations whose answers were written by hand."""
    kind = kinds()[type_]
    service = kind.listing.service or kind.service
    return by_hand(type_) or service_model(service).metadata["protocol"].startswith("rest")


def test_all_is_well_and_then_each_thing_breaks(site: Site, moto: Moto) -> None:
    collect = ["collect", "aws", "--once", "--type", QUEUE, "--type", USER]
    assert site.run("sink", "elasticsearch", "--install").code == 0
    assert site.run("clock", "--once").code == 0
    worker = site.worker(state="state-0")
    site.correlator()
    site.launch("sink", "elasticsearch")
    assert site.run(*collect).code == 0
    wait_until(lambda: bad(doctor(site, "kafka")) == {}, PATIENCE, worker.child, "all is well")
    permissions = f"AWS permissions in {MASTER}"
    unsigned = bad(doctor(site))
    assert unsigned.pop(permissions) == "fail"
    assert unsigned.pop("detections") == "warn", "no source of change events is set"
    assert {f"{type_} in {MASTER}" for type_ in ("AWS::Lambda::Function", "AWS::EKS::Cluster")} <= unsigned.keys()  # fmt: skip
    assert [line for line in unsigned if not unanswered(line.removesuffix(f" in {MASTER}"))] == []
    unsigned[permissions] = "fail"

    # Coverage: two scopes, read whole.
    rows = coverage(site, 0)
    assert [(r["account"], r["region"], r["type"], r["status"]) for r in rows] == [
        (MASTER, "global", USER, "complete"), (MASTER, "us-east-1", QUEUE, "complete"),
    ]  # fmt: skip
    assert all(r["complete_age_seconds"] < PATIENCE * 4 and not r["unread"] for r in rows)
    port = free_port()
    serving = site.launch("coverage", "--serve", str(port))
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: get(f"{address}/ready")[0] == 200, PATIENCE, serving, "coverage --serve")

    def gauge(name: str, type_: str) -> float:
        label = f'driftline_sweep_{name}{{account="{MASTER}",provider="aws",region="{HOME[type_]}",type="{type_}"}}'
        return samples(get(f"{address}/metrics")[1]).get(label, -1)

    assert 0 <= gauge("age_seconds", QUEUE) < PATIENCE * 4
    assert gauge("unread", QUEUE) == 0

    # A permission for a part is lost: partial. For the list: denied, and told before any sweep.
    allow(moto, but="sqs:ListQueueTags")
    assert site.run(*collect).code == 3
    [row] = coverage(site, 3, "--lacking")
    assert (row["type"], row["status"], row["resources"]) == (QUEUE, "partial", 1)
    assert [(u["reason"], u["count"]) for u in row["unread"]] == [("denied", 1)]
    assert row["complete_at"] == rows[1]["complete_at"]
    allow(moto, but="sqs:ListQueues")
    found = doctor(site, "aws")
    assert bad(found) == unsigned | {f"{QUEUE} in {MASTER}": "fail"}
    assert (
        found[f"{QUEUE} in {MASTER}"]["next"]
        == f"allow it: driftline permissions aws --type {QUEUE}"
    )
    assert site.run(*collect).code == 3
    [row] = coverage(site, 3, "--lacking")
    assert (row["status"], row["resources"], "AccessDenied" in row["reason"]) == ("denied", 1, True)
    wait_until(lambda: gauge("unread", QUEUE) == 1, PATIENCE, serving, "the metric")
    assert gauge("unread", USER) == 0
    assert bad(doctor(site, "kafka")) == {"sweeps": "warn"}
    allow(moto)
    assert site.run(*collect).code == 0
    coverage(site, 0)

    # Nobody has swept for two days.
    then = datetime.now(UTC) - timedelta(days=2)
    scope = Scope(provider="aws", account=MASTER, region="us-east-1", type=QUEUE)
    old = Sweep(
        scope=scope,
        id="old",
        started_at=then,
        finished_at=then,
        status="complete",
        completed_at=then,
    )
    site.say(SWEEPS.name, old.encode(), key=scope.key.encode())
    [row] = coverage(site, 3, "--lacking")
    assert (row["status"], row["age_seconds"] > 86_400) == ("complete", True)
    wait_until(lambda: gauge("age_seconds", QUEUE) > 86_400, PATIENCE, serving, "the metric")
    assert serving.stop() < 5

    # Each of the others, one at a time.
    late = int((time.time() - 900) * 1000)
    then = datetime.fromtimestamp(late / 1000, UTC)  # no later than its record: it would be refused
    tick = Control(tick=Tick(source="sweep", watermark=then)).encode()
    record_times(site, "CreateTime")

    def silent() -> bool:
        """The clock, for a while; the brokers take up the setting when they hear of it."""
        site.say(CONTROL.name, *[tick] * 60, partition=0, timestamp=late)
        return bad(doctor(site, "kafka")).get("clock") == "fail"

    wait_until(silent, PATIENCE, worker.child, "a silent clock")
    record_times(site, "LogAppendTime")
    wait_until(lambda: "topics" not in bad(doctor(site, "kafka")), PATIENCE, None, "the setting")
    wait_until(
        lambda: bad(doctor(site, "kafka")).get("worker") is None,
        PATIENCE,
        worker.child,
        "the worker",
    )
    assert bad(doctor(site, "kafka")) == {"sweeps": "warn", "clock": "fail"}
    assert site.run("clock", "--once").code == 0
    worker.child.stop()
    site.say(CONTROL.name, tick, partition=0)
    found = doctor(site, "kafka")
    assert bad(found) == {"sweeps": "warn", "worker": "fail"}
    assert found["worker"]["next"] == "run: driftline worker"
    client = admin(site.kafka)
    client.delete_topics([DRIFT.name])[DRIFT.name].result(30)
    wait_until(
        lambda: any("missing" in x["detail"] for x in doctor(site, "kafka").values()),
        PATIENCE,
        None,
        "its end",
    )
    assert doctor(site, "kafka")["topics"]["next"] == "run: driftline topics create"
    assert site.cli("topics", "create").code == 0
    with Elasticsearch(site_url(site)) as direct:
        direct.indices.delete_index_template(name="driftline-latest")
    found = doctor(site, "elasticsearch")
    assert bad(found) == {"templates": "fail"}
    assert found["templates"]["next"] == "run: driftline sink elasticsearch --install"
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert bad(doctor(site, "elasticsearch", DRIFTLINE_ELASTICSEARCH__URL=nowhere)) == {
        "Elasticsearch": "fail", "templates": "unknown"}  # fmt: skip
    assert bad(doctor(site, "aws", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_CONFIG_FILE="/dev/null")) == {
        "AWS credentials": "fail", "AWS accounts": "unknown", "AWS permissions": "unknown"}  # fmt: skip
    found = doctor(site, "settings", "kafka", DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS=nowhere[7:])
    assert bad(found) == {"Kafka": "fail", "detections": "warn"} | dict.fromkeys(
        ("topics", "clock", "change events", "worker", "correlate", "sink", "sweeps", "exceptions", "dead letters"), "unknown")  # fmt: skip


def record_times(site: Site, kind: str) -> None:
    """Whose times the records of `control` carry."""
    entry = ConfigEntry("message.timestamp.type", kind, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, CONTROL.name, incremental_configs=[entry])
    client = admin(site.kafka)  # held: without it nobody answers the future
    client.incremental_alter_configs([resource])[resource].result(PATIENCE)


def site_url(site: Site) -> str:
    import yaml

    return str(yaml.safe_load(site.file.read_text())["elasticsearch"]["url"])
