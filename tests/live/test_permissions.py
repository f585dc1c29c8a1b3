"""The printed least-privilege policies, given to real servers: each program works with its own, and no further."""

import asyncio
import base64
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from elasticsearch import AuthorizationException

from driftline.collectors.base import PreviousSweep, ScopeSweep
from driftline.collectors.batches import Batches
from driftline.pipeline.cli.permissions import grants
from driftline.pipeline.kafka.client import admin, consumer, producer, read_compacted
from driftline.pipeline.local import elasticsearch, kafka
from driftline.pipeline.local.packages import cache
from driftline.pipeline.local.process import free_port, wait_until
from driftline.pipeline.model import Scope
from driftline.pipeline.records.topics import FINDINGS, SWEEPS, topics_of
from driftline.pipeline.settings.blocks import Kafka, load_settings
from driftline.sinks.elasticsearch.privileges import privileges
from driftline.sinks.elasticsearch.render import ALIAS, history_stream
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import ElasticsearchSink, client
from tests.core.world import UID, World, key
from tests.live.certificates import Authority
from tests.live.programs import Site, Told

pytestmark = pytest.mark.live
PATIENCE = 30
APP = "driftline-assess"
PROGRAMS = ("administrator", "clock", "collector", "correlator", "operator", "sink", "worker")
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


def user(name: str) -> dict[str, str]:
    """The environment that makes a program this user."""
    return {"DRIFTLINE_KAFKA__SASL_USERNAME": f"driftline-{name}",
            "DRIFTLINE_KAFKA__SASL_PASSWORD": f"of-{name}"}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.KafkaServer]:
    """A broker that allows nobody anything of which no ACL says so."""
    port, inner, controller = free_port(), free_port(), free_port()
    users = " ".join(f'user_driftline-{name}="of-{name}"' for name in (*PROGRAMS, "root", "stranger"))  # fmt: skip
    properties = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"CLIENT://127.0.0.1:{port},INNER://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port},INNER://127.0.0.1:{inner}",
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INNER",
        "listener.name.client.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": f"{PLAIN} {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:driftline-root;User:ANONYMOUS",
    }  # fmt: skip
    server = kafka.start(tmp_path_factory.mktemp("guarded"), port, properties=properties)
    try:
        yield server
    finally:
        server.kill()  # nobody needs its data


@pytest.fixture
def site(guarded: kafka.KafkaServer, tmp_path: Path) -> Iterator[Site]:
    block = {"bootstrap_servers": guarded.bootstrap, "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
             "sasl_username": "driftline-root", "sasl_password": "of-root"}  # fmt: skip
    key = {"key": "only-for-this-test"}
    with Site(tmp_path, block, redaction=key, ndjson={"path": str(tmp_path / "out")}) as mine:
        yield mine


def connection(site: Site, name: str) -> Kafka:
    return load_settings(env=site.env | user(name)).kafka


def grant(site: Site) -> None:
    """Makes the ACLs as `permissions kafka` prints them."""
    told = site.cli("permissions", "kafka", "--format", "json", "--sink", "ndjson")
    bindings = [
        AclBinding(ResourceType[row["kind"].upper()], row["name"], ResourcePatternType[row["pattern"].upper()],
                   row["principal"], "*", _operation(name), AclPermissionType.ALLOW)
        for row in json.loads(told.out) for name in row["operations"]
    ]  # fmt: skip
    client = admin(site.kafka)
    for future in client.create_acls(bindings).values():
        future.result(30)


def _operation(name: str) -> AclOperation:
    wanted = name.lower()
    return next(one for one in AclOperation if one.name.lower().replace("_", "") == wanted)


def test_each_program_works_with_its_acls_and_no_further(site: Site, tmp_path: Path) -> None:
    refused = site.cli("topics", "create", **user("administrator"))
    assert refused.code == 2
    assert "uthorization" in refused.problems[0]
    grant(site)

    assert site.cli("topics", "create", **user("administrator")).code == 0
    assert site.cli("topics", "check", **user("administrator")).code == 0
    assert site.run("clock", "--once", **user("clock")).code == 0

    # The collector: what it knows of earlier sweeps, snapshots, uids and header.
    settings = load_settings(env=site.env | user("collector"))
    assert read_compacted(settings.kafka, SWEEPS.name) == {}
    scope = Scope(provider="aws", account="111111111111", region="eu-west-1", type="AWS::KMS::Key")
    reading = ScopeSweep(scope, "one", datetime.now(UTC), PreviousSweep())
    batches = Batches(settings)
    reading.saw(key(1, rotation=False))
    batches(key(1, rotation=False))
    for record in reading.end(datetime.now(UTC)):
        batches(record)
    batches.close()

    worker, correlator = site.worker(**user("worker")), site.correlator(**user("correlator"))
    sink = site.launch("sink", "ndjson", **user("sink"))
    out = tmp_path / "out"
    wait_until(lambda: out.exists() and UID in out.read_text(), PATIENCE, sink, f"a finding ({worker.child.tail(3)})")  # fmt: skip
    site.say("driftline.findings", b"[]", key=b"bad")
    wait_until(lambda: "1 dead letters" in site.cli("deadletter", "list", **user("operator")).out,
               PATIENCE, sink, "a letter of the sink's")  # fmt: skip

    def states() -> dict[str, str]:
        told = site.cli("doctor", "--only", "kafka", "--format", "json", **user("operator"))
        return {line["what"]: line["state"] for line in json.loads(told.out)["checks"]}

    wait_until(
        lambda: states()["correlate"] == "ok",
        PATIENCE,
        correlator,
        "the correlator has read its signals",
    )
    assert states() == {"Kafka": "ok", "topics": "ok", "clock": "ok", "change events": "ok", "worker": "ok", "correlate": "ok",
                        "sink": "warn", "sweeps": "ok", "exceptions": "ok", "dead letters": "warn"}  # fmt: skip
    accept = ("exceptions", "add", "--rule", "t-rotation", "--resource", UID, "--reason", "an old machine needs it",
              "--owner", "bea", "--approver", "carol", "--until", f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}")  # fmt: skip
    assert site.cli(*accept, **user("operator")).code == 0
    wait_until(
        lambda: '"status":"suppressed"' in out.read_text(), PATIENCE, sink, "it is suppressed"
    )
    assert ", 1 finding suppressed" in site.cli("exceptions", "list", **user("operator")).out
    assert site.cli("coverage", **user("operator")).code == 0
    assert site.cli("deadletter", "drop", "--all", **user("operator")).out == "1 dropped\n"
    told = site.cli(
        "baseline", "approve", UID, "--by", "carol", "--reason", "as it is", **user("operator")
    )
    assert told.out == "1 resource approved\n"
    batches = Batches(settings)
    batches(key(2))
    batches.close()
    wait_until(lambda: '"driftline-approved-baseline"' in out.read_text() and '"now":true' in out.read_text(),
               PATIENCE, sink, "it is not as approved")  # fmt: skip
    assert (
        json.loads(site.cli("baseline", "list", "--format", "json", **user("operator")).out)[0][
            "state"
        ]
        == "open"
    )
    assert site.cli("baseline", "diff", UID, **user("operator")).code == 1
    lived = json.loads(
        site.cli(
            "timeline", UID, "--from", "2026-01-01", "--format", "json", **user("operator")
        ).out
    )
    assert {("reading", ""), ("finding", ""), ("drift", ""), ("exception", "carol")} == {
        (line["kind"], line["who"]) for line in lived
    }
    for child in (worker.child, correlator, sink):
        assert child.stop() < 5
        assert child.code == 0
    _no_further(site)


def _no_further(site: Site) -> None:
    """Every program tries to read and to write every topic."""
    names = [topic.name for topic in topics_of(APP)]
    granted = grants(APP, "ndjson")
    for program in (*PROGRAMS, "stranger"):
        may = {op: {g.name for g in granted if g.program == program and g.kind == "topic" and op in g.operations}
               for op in ("Read", "Write")}  # fmt: skip
        own = connection(site, program)
        assert _readable(own, names) == may["Read"], program
        assert _writable(own, names) == may["Write"], program


DENIED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
)


def _readable(own: Kafka, names: list[str]) -> set[str]:
    reader = consumer(own, "driftline-look", enable_partition_eof=True)
    unseen = {name for name in names if reader.list_topics(name, 10).topics[name].error is not None}
    answers = dict.fromkeys(unseen, False)
    reader.assign([TopicPartition(name, 0, 0) for name in names if name not in unseen])
    try:
        end = time.monotonic() + PATIENCE
        while len(answers) < len(names):
            assert time.monotonic() < end, (own.sasl_username, set(names) - answers.keys())
            for message in reader.consume(500, 1.0):
                error = message.error()
                code = error.code() if error else KafkaError._PARTITION_EOF
                if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    continue  # of who has no business to look
                good = code == KafkaError._PARTITION_EOF
                assert good or code in DENIED, error
                answers[str(message.topic())] = good
    finally:
        reader.close()
    return {name for name, good in answers.items() if good}


def _writable(own: Kafka, names: list[str]) -> set[str]:
    # an idempotent one that may write nowhere is refused as a whole
    out, good = producer(own, enable_idempotence=False), set[str]()

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is None:
            good.add(message.topic())
        else:
            assert error.code() in DENIED, error

    for name in names:
        out.produce(name, b"{}", key=b"a try", partition=0, on_delivery=delivered)
    assert out.flush(30) == 0
    return good


def hashed(password: str) -> str:
    """As Elasticsearch's file of users has it."""
    salt = os.urandom(32)
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 1000, 32)
    return f"{{PBKDF2}}1000${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


@pytest.fixture(scope="module")
def node() -> Iterator[dict[str, Any]]:
    """A node with our two roles and a user of each; the settings' block, without the user."""
    with TemporaryDirectory(prefix="test-", dir=cache(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        ca = Authority(folder, "authority")
        certificate, secret = ca.sign("node", "localhost")
        server = elasticsearch.start(
            folder / "elasticsearch", secure=(certificate, secret, "of-elastic"),
            settings={"resource.reload.interval.high": "500ms"},
        )  # fmt: skip
        config, known = folder / "elasticsearch" / "config", privileges("default")
        texts = {
            "roles.yml": yaml.safe_dump(known),
            "users": "".join(f"{role}:{hashed('of-' + role)}\n" for role in known),
            "users_roles": "".join(f"{role}:{role}\n" for role in known),
        }
        for file, text in texts.items():
            (config / file).write_text(text)
            (config / file).chmod(0o644)
        try:
            yield {"url": f"https://localhost:{server.port}", "ca_file": str(ca.file)}
        finally:
            server.kill()


def test_each_elasticsearch_role_suffices_and_no_further(
    node: dict[str, Any], tmp_path: Path
) -> None:
    with Site(tmp_path, {"bootstrap_servers": "127.0.0.1:1"}, elasticsearch=node) as site:

        def call(role: str, *words: str) -> Told:
            return site.run(*words, DRIFTLINE_ELASTICSEARCH__USERNAME=role, DRIFTLINE_ELASTICSEARCH__PASSWORD=f"of-{role}")  # fmt: skip

        printed = json.loads(call("driftline_sink", "permissions", "elasticsearch").out)
        assert printed == privileges("default")
        refused = "unable to authenticate"
        wait_until(lambda: refused not in call("driftline_sink", "sink", "elasticsearch", "--check").out,
                   PATIENCE, None, "the node's reading of its users")  # fmt: skip
        told = call("driftline_sink", "sink", "elasticsearch", "--install")
        assert (told.code, "403" in told.out or "unauthorized" in told.out) == (2, True), told.out
        told = call("driftline_install", "sink", "elasticsearch", "--install")
        assert told.code == 0, told.out
        assert call("driftline_install", "sink", "elasticsearch", "--install").code == 0
        told = call("driftline_sink", "sink", "elasticsearch", "--check")
        assert told == Told(0, "as it should be\n")
        told = call("driftline_sink", "doctor", "--only", "elasticsearch", "--format", "json")
        assert json.loads(told.out)["state"] == "ok", told.out
        told = call("driftline_reader", "findings", "list")
        assert told.code == 3, told.out  # nothing is there yet, and that it may know
        assert call("driftline_reader", "alerts", "list").code == 3
        refused_too = call("driftline_sink", "alerts", "list", "--store", "elasticsearch")
        assert (refused_too.code, "403" in refused_too.out or "unauthorized" in refused_too.out) == (2, True), refused_too.out  # fmt: skip
        asyncio.run(_write(node))


async def _write(node: dict[str, Any]) -> None:
    """What the sink does, and what it may not."""
    own = ElasticsearchSettings(**node, username="driftline_sink", password="of-driftline_sink")
    world, later = World(), World()
    for fold in (world, later):
        fold.snapshot(key(1, rotation=False))
    later.snapshot(key(2, deleted=True))
    sink, names = ElasticsearchSink(own), set[str]()
    for fold in (world, later):
        actions = [
            a
            for f in fold.findings.values()
            for a in sink.render(FINDINGS.name, orjson.loads(f), 10**16)
        ]
        assert {receipt.kind for receipt in await sink.send(actions)} == {"done"}
        names |= {action.op for action in actions}
    assert names == {"upsert", "delete", "append"}
    await sink.close()
    async with client(own) as es:
        limit = {"cluster.max_shards_per_node": 2000}
        attempts: list[Callable[[], Awaitable[Any]]] = [
            # the latest view it may read: restatements are merged into it
            lambda: es.search(index=history_stream("default")),
            lambda: es.indices.delete(index=f"{ALIAS}-v1"),
            lambda: es.index(index="logs-other-default", document={}),
            lambda: es.indices.put_index_template(name="another", index_patterns=["x-*"]),
            lambda: es.cluster.put_settings(persistent=limit),
        ]
        for refused in attempts:
            with pytest.raises(AuthorizationException):
                await refused()
