"""Settings: one `driftline.yaml`, overridden by the environment (`DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS`).

Every mistake is told at once, with its place. Secrets come from the environment or from files, and are never printed."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from pipeline.errors import UserError
from pipeline.rulebook import Override
from pipeline.rulebook.source import Source, nearest
from pipeline.topics import APP_ID

PREFIX = "DRIFTLINE_"
RESERVED = {"CONFIG", "DEBUG", "CACHE"}
"""Variables of ours that are no settings."""
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
HALF_DAY = 12 * 3600


def _seconds(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError("is no duration (write for example 30s, 10m or 6h)")
        return float(match[1]) * _UNITS[match[2]]
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="after")
    def _read_secret_files(self) -> "Block":
        """`password_file` fills `password`, for every secret field."""
        for name in type(self).model_fields:
            path = getattr(self, f"{name}_file", None)
            if isinstance(path, Path) and getattr(self, name) is None:
                try:
                    setattr(self, name, SecretStr(path.read_text().strip()))
                except OSError as error:
                    raise ValueError(
                        f"{name}_file cannot be read: {error.strerror} ({path})"
                    ) from None
        return self


class OAuth(Block):
    """OAUTHBEARER by the client credentials grant."""

    token_url: str
    client_id: str
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    scope: str = ""


class Kafka(Block):
    bootstrap_servers: str = "127.0.0.1:9092"
    """Brokers, as host:port, with commas between."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    oauth: OAuth | None = None
    ca_file: Path | None = None
    """Certificates of the authorities to trust, PEM. Default: the system's."""
    certificate_file: Path | None = None
    """The client's own certificate, for mutual TLS, PEM."""
    key_file: Path | None = None
    key_password: SecretStr | None = None
    key_password_file: Path | None = None
    replication: int = Field(3, ge=1)
    """Copies of each topic; never more than there are brokers."""

    @model_validator(mode="after")
    def _whole(self) -> "Kafka":
        sasl = self.security_protocol.startswith("SASL")
        if sasl and self.sasl_mechanism is None:
            raise ValueError(f"{self.security_protocol} needs sasl_mechanism")
        if self.sasl_mechanism is not None and not sasl:
            raise ValueError("sasl_mechanism needs security_protocol SASL_SSL or SASL_PLAINTEXT")
        if self.sasl_mechanism == "OAUTHBEARER" and self.oauth is None:
            raise ValueError("OAUTHBEARER needs the block oauth")
        password = self.sasl_password or self.sasl_password_file
        if sasl and self.sasl_mechanism != "OAUTHBEARER" and not (self.sasl_username and password):
            raise ValueError("needs sasl_username and sasl_password (or sasl_password_file)")
        return self


class Elasticsearch(Block):
    url: str = "http://127.0.0.1:9200"
    """One address, or several with commas between."""
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    ca_file: Path | None = None
    namespace: str = Field("default", pattern=r"^[a-z0-9_]{1,100}$")
    """The data stream's namespace."""


class Aws(Block):
    accounts: list[str] = Field(default_factory=list)
    """Empty: the caller's own. `[all]`: every account of the organization."""
    regions: list[str] = Field(default_factory=list)
    """Empty: every region that is enabled."""
    role_name: str = "DriftlineReader"
    """The role taken in every other account."""
    external_id: str | None = None
    requests_per_second: float = Field(20, gt=0)
    """The most calls a second in one account, retries included."""
    concurrency: int = Field(16, ge=1, le=256)
    """Calls at the same time, over all accounts."""
    interval: Seconds = 6 * 3600
    """Time from one sweep's start to the next."""

    @model_validator(mode="after")
    def _often_enough(self) -> "Aws":
        if self.interval > HALF_DAY:
            raise ValueError(
                "interval: more than 12h (findings must be confirmed within 24 h: write 12h or less)"
            )
        return self


class Rules(Block):
    builtin: bool = True
    """Whether the rules that come with Driftline are used."""
    paths: list[Path] = Field(default_factory=list)
    """Folders of your own rules."""
    overrides: list[Override] = Field(default_factory=list)
    """Changes to rules: switch off, another severity, other parameters; later ones win."""


class Redaction(Block):
    key: SecretStr | None = None
    key_file: Path | None = None


class Worker(Block):
    app_id: str = APP_ID
    """The consumer group, and the beginning of the changelog topic's name."""
    state_dir: Path = Path("/var/lib/driftline")
    session_timeout: Seconds = Field(10, ge=2, le=300)
    """After this silence a worker's partitions go to the others."""
    bind: str = "127.0.0.1"
    port: int = Field(6066, ge=0, le=65_535)
    """/live, /ready and /metrics; 0 takes a free one."""
    bad_share: float = Field(0.1, gt=0, le=1)
    """The worker stops when more than this share of a thousand records is bad."""


class Clock(Block):
    interval: Seconds = Field(30, gt=0)
    lateness: Seconds = Field(120, ge=0)
    """How late a sweep's reading may arrive."""


class Sink(Block):
    bad_share: float = Field(0.1, gt=0, le=1)
    """A sink stops when more than this share of a thousand findings is refused."""
    port: int = Field(0, ge=0, le=65_535)
    """/metrics of the sink on loopback; 0: none."""


class Ndjson(Block):
    path: Path = Path("findings.ndjson")
    """The file that `driftline sink ndjson` appends to."""


class Settings(Block):
    kafka: Kafka = Field(default_factory=Kafka)
    elasticsearch: Elasticsearch = Field(default_factory=Elasticsearch)
    aws: Aws = Field(default_factory=Aws)
    rules: Rules = Field(default_factory=Rules)
    redaction: Redaction = Field(default_factory=Redaction)
    worker: Worker = Field(default_factory=Worker)
    clock: Clock = Field(default_factory=Clock)
    sink: Sink = Field(default_factory=Sink)
    ndjson: Ndjson = Field(default_factory=Ndjson)
    criticality: dict[str, dict[str, Literal["low", "medium", "high", "critical"]]] = Field(
        default={
            "criticality": {
                "low": "low",
                "medium": "medium",
                "high": "high",
                "critical": "critical",
            },
            "env": {"prod": "high", "production": "high", "dev": "low", "test": "low"},
        }
    )
    """What tags say about a resource's worth: tag, value, level (all lower case)."""


def load_settings(path: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file (default: $DRIFTLINE_CONFIG, else ./driftline.yaml if there) and the environment.

    Raises UserError with every mistake."""
    env = os.environ if env is None else env
    named = path or (Path(env["DRIFTLINE_CONFIG"]) if env.get("DRIFTLINE_CONFIG") else None)
    file = named or Path("driftline.yaml")
    source = Source(file, None if named or file.exists() else "{}")
    if source.problems:
        raise UserError(*source.problems)
    data = source.data if source.data is not None else {}
    if not isinstance(data, dict):
        raise UserError(f"{file}:1:1: not settings (write blocks: kafka, elasticsearch, aws, …)")
    origins: dict[tuple[str, ...], str] = {}
    for variable, value in sorted(env.items()):
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX) not in RESERVED:
            where = tuple(variable.removeprefix(PREFIX).lower().split("__"))
            _put(data, where, value)
            origins[where] = variable
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise UserError(
            *(_told(source, origins, problem) for problem in error.errors(include_url=False))
        ) from None


def _put(data: dict[str, Any], where: tuple[str, ...], value: str) -> None:
    for step in where[:-1]:
        below = data.get(step)
        data[step] = below = below if isinstance(below, dict) else {}
        data = below
    data[where[-1]] = yaml.safe_load(value) if value[:1] in "[{" and value else value


def _told(source: Source, origins: Mapping[tuple[str, ...], str], problem: Any) -> str:
    loc: tuple[str | int, ...] = problem["loc"]
    named = ".".join(str(step) for step in loc)
    words = tuple(str(step) for step in loc)
    variable = next((v for where, v in origins.items() if words[: len(where)] == where), None)
    place = f"environment {variable}" if variable else source.at(*loc)
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown setting {named!r}{nearest(words[-1], _known(loc[:-1]))}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {named}: {message[0].lower()}{message[1:]}"


def _known(where: tuple[str | int, ...]) -> list[str]:
    block: Any = Settings
    for step in where:
        if not isinstance(step, str) or step not in getattr(block, "model_fields", {}):
            return []
        block = block.model_fields[step].annotation
        block = next((a for a in getattr(block, "__args__", ()) if a is not type(None)), block)
    return list(getattr(block, "model_fields", {}))


def shown(settings: Settings) -> str:
    """The settings in force as YAML, secrets masked."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
