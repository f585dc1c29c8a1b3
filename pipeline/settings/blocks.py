"""Settings: one `driftline.yaml`, overridden by the environment (`DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS`).

All errors are reported at once, with their locations. Secrets come from the environment or from files, and are never printed."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import Field, SecretStr, create_model, model_validator

from driftline.pipeline.assess.drift.expected import Expected
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.records.topics import (
    APP_ID,
    CORRELATE_ID,
    DEFAULT_PREFIX,
    TOPICS,
    group_id,
    use_prefix,
)
from driftline.pipeline.rulebook import Override
from driftline.pipeline.settings.base import (
    Block,
    CollectorSettings,
    Mistake,
    SinkSettings,
    address,
    authorities,
    matching,
    own_certificate,
)
from driftline.pipeline.settings.base import Seconds as Seconds
from driftline.pipeline.settings.base import TopicName as TopicName
from driftline.pipeline.settings.collectors import collector_blocks
from driftline.pipeline.settings.owner_files import OwnersBlock
from driftline.pipeline.settings.people_files import Known
from driftline.pipeline.settings.reader import PREFIX as PREFIX
from driftline.pipeline.settings.reader import Read, read
from driftline.pipeline.settings.sinks import SinkEntries, SinkRun
from driftline.pipeline.settings.tickets import Tickets
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.ndjson.settings import NdjsonSettings

SHORTEST_RETENTION = 3600
BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


class OAuth(Block):
    """OAUTHBEARER with the client credentials grant."""

    token_url: str
    """The token endpoint, http or https."""
    client_id: str
    """Who asks."""
    client_secret: SecretStr | None = None
    """What proves it."""
    client_secret_file: Path | None = None
    scope: str = ""
    """Requested scope; empty: the server's default."""
    ca_file: Path | None = None
    """CA certificates to trust for token_url, PEM. Default: the system's."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from address("token_url", self.token_url)
        yield from authorities("ca_file", self.ca_file)


class AwsIam(Block):
    """OAUTHBEARER by AWS IAM, as Amazon MSK takes it. The credentials are those that AWS's libraries find on the machine."""

    region: Annotated[
        str, matching(r"[a-z]{2,4}(-[a-z]+)+-\d", "an AWS region (write for example eu-west-1)")
    ]
    """Where the cluster is."""
    role_arn: Annotated[str, matching(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", "a role's ARN (write for example arn:aws:iam::111111111111:role/kafka)")] | None = None  # fmt: skip
    """The role to take for it; without one: whoever the credentials are."""


class Kafka(Block):
    bootstrap_servers: str = "127.0.0.1:9092"
    """Brokers as host:port, separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Whether to use TLS and SASL."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """SASL mechanism; required for SASL_…."""
    sasl_username: str | None = None
    """Required for all mechanisms except OAUTHBEARER."""
    sasl_password: SecretStr | None = None
    """With sasl_username."""
    sasl_password_file: Path | None = None
    oauth: OAuth | None = None
    aws_iam: AwsIam | None = None
    ca_file: Path | None = None
    """CA certificates to trust, PEM. Default: the system's."""
    certificate_file: Path | None = None
    """The client certificate for mutual TLS, PEM."""
    key_file: Path | None = None
    """The private key of certificate_file, PEM."""
    key_password: SecretStr | None = None
    """The password of key_file, if it is encrypted."""
    key_password_file: Path | None = None
    replication: int = Field(3, ge=1)
    """Replication factor of topics; never more than the number of brokers."""
    topic_prefix: TopicName = DEFAULT_PREFIX
    """Prefix of the names of topics and consumer groups, so that several deployments can share a cluster."""
    retention: dict[str, Seconds] = Field(default_factory=dict)
    """Retention by topic, named without the prefix. Only for topics with time-based retention; see docs/topics.md."""

    @property
    def encrypted(self) -> bool:
        return self.security_protocol.endswith("SSL")

    def mistakes(self) -> Iterator[Mistake]:
        if not all(BROKER.fullmatch(one.strip()) for one in self.bootstrap_servers.split(",")):
            yield Mistake(
                ("bootstrap_servers",),
                "expected host:port[,host:port]",
                fix="for example a:9092,b:9092",
            )
        yield from self._retention()
        yield from self._sasl()
        if self.encrypted:
            yield from authorities("ca_file", self.ca_file)
            yield from own_certificate(self.certificate_file, self.key_file, self.key_password)
            return
        for name in ("ca_file", "certificate_file", "key_file"):
            if getattr(self, name) is not None:
                yield Mistake(
                    (name, "security_protocol"),
                    "has no effect without TLS",
                    fix="write security_protocol: SSL or SASL_SSL",
                )

    def _retention(self) -> Iterator[Mistake]:
        expire = [topic.own for topic in TOPICS if topic.expires]
        for name, seconds in self.retention.items():
            if name not in expire:
                yield Mistake(
                    ("retention",),
                    f"{name} is not a topic with a retention time",
                    fix=hint(name.removeprefix(self.topic_prefix), expire),
                )
            elif seconds < SHORTEST_RETENTION:
                yield Mistake(
                    ("retention",),
                    f"{name}: less than 1h",
                    fix="use 1h or more: a consumer that restarts must still find its records",
                )

    def _sasl(self) -> Iterator[Mistake]:
        mechanism, sasl = self.sasl_mechanism, self.security_protocol.startswith("SASL")
        both = ("sasl_mechanism", "security_protocol")
        if sasl and mechanism is None:
            yield Mistake(
                both[::-1],
                f"{self.security_protocol} needs sasl_mechanism",
                fix="write it: PLAIN, SCRAM-SHA-512, …",
            )
        if mechanism is not None and not sasl:
            yield Mistake(
                both, "needs security_protocol SASL_SSL or SASL_PLAINTEXT", fix="write it"
            )
        if mechanism == "OAUTHBEARER" and self.oauth is None and self.aws_iam is None:
            yield Mistake(
                ("sasl_mechanism", "oauth", "aws_iam"),
                "OAUTHBEARER needs the block oauth, or aws_iam",
                fix="write its token_url and client_id, or the region of Amazon MSK",
            )
        if self.aws_iam is not None and self.oauth is not None:
            yield Mistake(("aws_iam", "oauth"), "cannot be combined with oauth", "write one of them")  # fmt: skip
        if self.aws_iam is not None and (mechanism, self.security_protocol) != ("OAUTHBEARER", "SASL_SSL"):  # fmt: skip
            yield Mistake(
                ("aws_iam", *both),
                "needs sasl_mechanism OAUTHBEARER and security_protocol SASL_SSL",
                fix="write both",
            )
        if mechanism not in (None, "OAUTHBEARER"):
            for name, more in (("sasl_username", ""), ("sasl_password", ", or sasl_password_file")):
                if not getattr(self, name):
                    what = f"{mechanism} needs {name}"
                    yield Mistake(
                        ("sasl_mechanism", name, f"{name}_file"), f"{what}", fix=f"write it{more}"
                    )


class Rules(Block):
    builtin: bool = True
    """Whether to use the built-in rules."""
    paths: list[Path] = Field(default_factory=list)
    """Folders with your own rules."""
    overrides: list[Override] = Field(default_factory=list)
    """Changes to rules: disable, change severity or parameters. Later entries win."""


class Exceptions(Block):
    paths: list[Path] = Field(default_factory=list)
    """Folders with exceptions: `exceptions apply` brings them into force, `scan` uses them."""
    longest: Seconds = Field(366 * 86_400, gt=0)
    """How far in the future an exception may end."""


class Drift(Block):
    expected: list[Expected] = Field(default_factory=list)
    """Expected changes: drifts caused by them are marked as expected, and are not signals for detections."""


class Detections(Block):
    builtin: bool = True
    """Whether to use the built-in detections and correlations."""
    paths: list[Path] = Field(default_factory=list)
    """Folders with your own Sigma rules and correlations."""
    lists: dict[str, list[str]] = Field(default_factory=dict)
    """Values for placeholders in rules (`expand`): your networks, accounts, break-glass users."""


class Correlate(Block):
    app_id: TopicName = CORRELATE_ID
    """The consumer group, and prefix of the changelog topic's name."""
    lateness: Seconds = Field(600, ge=0)
    """How far behind its source's watermark a signal may be and still change an alert."""
    budget: int = Field(240, ge=0)
    """Maximum alerts per rule and hour; alerts above it are marked `held_back` and should notify nobody. Divided among partitions. 0: unlimited."""
    port: int = Field(6063, ge=0, le=65_535)
    """Port for /live, /ready and /metrics, at worker.bind; 0: any free port. The state is kept in worker.state_dir."""


class Redaction(Block):
    key: SecretStr | None = None
    """The key for hashes of secrets, 16 characters or more, the same for all collectors. Required by `collect`."""
    key_file: Path | None = None


class Worker(Block):
    app_id: TopicName = APP_ID
    """The consumer group, and prefix of the changelog topic's name."""
    state_dir: Path = Path("/var/lib/driftline")
    """State folder, 0700, one for each worker. If lost, it is rebuilt from Kafka."""
    session_timeout: Seconds = Field(10, ge=6, le=90)
    """When a worker has been silent for this long, its partitions are reassigned. Brokers refuse less than 6 s, Faust more than 90 s."""
    bind: str = "127.0.0.1"
    """Address to listen on; loopback by default."""
    port: int = Field(6066, ge=0, le=65_535)
    """Port for /live, /ready and /metrics; 0: any free port."""
    bad_share: float = Field(0.1, gt=0, le=1)
    """The worker stops if more than this share of a thousand records is bad."""
    accepted_topics: list[str] = Field(default_factory=list)
    """Ids of topics that were recreated on purpose: their records are read as the continuation of the old ones."""
    forget_after: Seconds = Field(30 * 86_400, ge=8 * 86_400)
    """How long after its end a resource's state, and the last record of a finding in `findings`, are kept. Must exceed the lag
    of any sink; written records are kept for a week in any case."""


class Clock(Block):
    interval: Seconds = Field(30, gt=0)
    """Time between ticks."""
    lateness: Seconds = Field(120, ge=0)
    """How late a reading of a sweep may arrive."""


class LeadingBlocks(Block):
    """The blocks that stand before those of the collectors."""

    kafka: Kafka = Field(default_factory=Kafka)
    elasticsearch: ElasticsearchSettings = Field(default_factory=ElasticsearchSettings)


class Settings(LeadingBlocks):
    rules: Rules = Field(default_factory=Rules)
    exceptions: Exceptions = Field(default_factory=Exceptions)
    drift: Drift = Field(default_factory=Drift)
    people: list[Known] = Field(default_factory=list)
    """Names that belong to one person: an approver, an IAM user, a role, a directory user (see the page *Identity*)."""
    owners: OwnersBlock = Field(default_factory=OwnersBlock)
    """Who owns a resource, and so its findings (see the page *Owners*)."""
    detections: Detections = Field(default_factory=Detections)
    correlate: Correlate = Field(default_factory=Correlate)
    tickets: Tickets = Field(default_factory=Tickets)
    redaction: Redaction = Field(default_factory=Redaction)
    worker: Worker = Field(default_factory=Worker)
    clock: Clock = Field(default_factory=Clock)
    sink: SinkRun = Field(default_factory=SinkRun)
    ndjson: NdjsonSettings = Field(default_factory=NdjsonSettings)
    sinks: SinkEntries = Field(default_factory=list)
    """The sinks, any number of each kind: name, kind, and the settings of the kind (for `elasticsearch` and `ndjson`, see
    the blocks of these names). The blocks `elasticsearch` and `ndjson` themselves define sinks of these names."""
    criticality: dict[str, dict[str, Literal["low", "medium", "high", "critical"]]] = Field(
        default={
            "criticality": {one: one for one in ("low", "medium", "high", "critical")},
            "env": {"prod": "high", "production": "high", "dev": "low", "test": "low"},
        }
    )
    """What tags say about a resource's importance: tag, value, level (all lower case)."""

    @property
    def app_ids(self) -> tuple[str, str, str]:
        """Of the stages of the stream, in the order of driftline.pipeline.records.topics.topics_of."""
        return self.worker.app_id, self.correlate.app_id, self.tickets.app_id

    def mistakes(self) -> Iterator[Mistake]:
        names = [one.name for one in self.sinks]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Mistake(("sinks",), f"two sinks are named {name}", "give each its own name")
        for one in self.sinks:
            if (
                isinstance(getattr(self, one.name, None), SinkSettings)
                and one.name in self.model_fields_set
            ):
                yield Mistake(
                    ("sinks", one.name),
                    f"{one.name} is also a block of that name",
                    "write one of them",
                )

    def collector(self, provider: str) -> Any:
        """The block of an installed collector, with its defaults where nothing is written. Raises KeyError for another."""
        written: CollectorSettings | None = getattr(self, provider, None)
        return collector_blocks()[provider]() if written is None else written

    @model_validator(mode="after")
    def _own_groups(self) -> "Settings":
        """Derives the names of consumer groups and changelogs from the prefix, unless they are set."""
        if (prefix := self.kafka.topic_prefix) != DEFAULT_PREFIX:
            for block, name in (
                (self.worker, "assess"),
                (self.correlate, "correlate"),
                (self.tickets, "cases"),
            ):
                if "app_id" not in block.model_fields_set:
                    block.app_id = group_id(name, prefix)
        return self


@cache
def settings_model() -> type[Settings]:
    """The settings with a block for every installed collector, named after its provider. Raises UserError for a package that is no
    collector."""
    blocks: dict[str, Any] = {
        name: (block, Field(default_factory=block)) for name, block in collector_blocks().items()
    }
    bases: Any = (Settings, create_model("Collectors", __base__=LeadingBlocks, **blocks))
    return cast(type[Settings], create_model("Settings", __base__=bases))


def examine(path: Path | None = None, env: Mapping[str, str] | None = None) -> Read[Settings]:
    """The valid part of the settings, with all errors."""
    env = os.environ if env is None else env
    named = path or (Path(env["DRIFTLINE_CONFIG"]) if env.get("DRIFTLINE_CONFIG") else None)
    return read(settings_model(), named or Path("driftline.yaml"), env, needed=named is not None)


def load_settings(path: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """The settings from a file (default: $DRIFTLINE_CONFIG, else ./driftline.yaml if it exists) and the environment.

    Raises UserError with all errors."""
    found = examine(path, env)
    if found.problems:
        raise UserError(*found.problems)
    use_prefix(found.settings.kafka.topic_prefix)
    return found.settings


def reloaded(settings: Settings) -> Settings:
    """Reads the settings again, for a process that keeps running. Raises UserError with every mistake, and if they name the
    topics of another deployment."""
    found = examine()
    if found.problems:
        raise UserError(*found.problems)
    if found.settings.kafka.topic_prefix != settings.kafka.topic_prefix:
        raise UserError(
            "kafka.topic_prefix has changed: a running process keeps its topics", fix="restart it"
        )
    return found.settings


def shown(settings: Settings) -> str:
    """The settings in effect as YAML, with secrets masked."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
