"""Base class of settings blocks: strict fields, durations, secrets from files, all errors reported together."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from driftline.pipeline.common import durations, files
from driftline.pipeline.common.errors import InvalidValue

HALF_DAY = 12 * 3600
MOST_SECRET = 64_000
"""Largest size in bytes of a file with a key or a password."""


def _seconds(value: object) -> object:
    found = durations.seconds(value) if isinstance(value, str) else value
    if found is None or isinstance(found, bool):
        raise InvalidValue("expected a duration", "for example 30s, 10m or 6h")
    return found


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A number of seconds, or a string with a unit: 500ms, 30s, 10m, 6h, 1d."""


def is_duration(field: FieldInfo) -> bool:
    return any(mark in field.metadata for mark in get_args(Seconds)[1:])


def matching(form: str, words: str) -> AfterValidator:
    """A string that must match a regular expression, which the error message describes in words."""

    def check(value: str) -> str:
        if not re.fullmatch(form, value):
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


TopicName = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "1 to 100 letters, digits, dots, _ and -, beginning with a letter or digit (write for example acme.)")]  # fmt: skip
"""What a topic's or a consumer group's name may begin with."""


class Mistake(NamedTuple):
    """An error that involves several fields. Reported at the first one, and only if each field is valid by itself."""

    fields: tuple[str, ...]
    text: str
    fix: str = ""
    """The next step."""


class Block(BaseModel):
    """A settings block. Subclasses check the combination of fields in `mistakes`."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    def mistakes(self) -> Iterator[Mistake]:
        yield from ()

    @model_validator(mode="after")
    def _whole(self) -> "Block":
        files = [*self._secret_files()]
        unread = {mistake.fields[0] for mistake in files}
        found = files + [m for m in self.mistakes() if unread.isdisjoint(m.fields)]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, [*map(_detail, found)])
        return self

    def _secret_files(self) -> Iterator[Mistake]:
        """Fills every secret field from its file: `password` from `password_file`."""
        for name in secrets_of(type(self)):
            path = getattr(self, f"{name}_file", None)
            if path is None or getattr(self, name) is not None:
                continue
            text, problem = _read(path)
            if (
                problem
            ):  # never include the path: it may be the secret itself, written there by mistake
                yield Mistake(
                    (f"{name}_file",), problem, fix="write the path of a file that holds the secret"
                )
            setattr(self, name, SecretStr(text))


class SinkSettings(Block):
    """The settings of one kind of sink. Secrets are `SecretStr` fields, each with a `NAME_file` field."""

    def secret_addresses(self) -> Iterator[tuple[str, str]]:
        """Field and URL of every address to which secrets are sent: `config check` warns if it is not encrypted."""
        yield from ()


class EventSettings(Block):
    """How change events of a provider are read, and resources again that they name."""

    session_timeout: Seconds = Field(10, ge=6, le=90)
    """After this silence the wishes to read again of a `collect reads` go to the others."""
    tell: Seconds = Field(10, gt=0)
    """Time between two words on how far the events have come."""
    bind: str = "127.0.0.1"
    """Where the page answers; nowhere but here by default."""
    port: int = Field(0, ge=0, le=65_535)
    """/live and /metrics of `collect events` and `collect reads`; 0: none."""

    @property
    def sources(self) -> list[str]:
        """The sources of change events that are configured, by their names in ticks without the provider's."""
        return []


class CollectorSettings(Block):
    """The settings of one provider, a block named after it. A subclass adds what is read there, and as whom."""

    concurrency: int = Field(16, ge=1, le=256)
    """Calls at the same time, over all accounts."""
    interval: Seconds = Field(6 * 3600, gt=0)
    """Time from one sweep's start to the next."""
    events: EventSettings = Field(default_factory=EventSettings)
    """Change events."""

    def mistakes(self) -> Iterator[Mistake]:
        if self.interval > HALF_DAY:
            yield Mistake(
                ("interval",),
                "more than 12h",
                fix="findings must be confirmed within 24 h: use 12h or less",
            )


B = TypeVar("B", bound=Block)


def renewed(block: B) -> B | None:
    """The block with its secrets read again from their files; None if nothing has changed or a file cannot be read."""
    new: dict[str, SecretStr] = {}
    for name in secrets_of(type(block)):
        path, known = getattr(block, f"{name}_file", None), getattr(block, name)
        text, problem = _read(path) if path is not None else ("", "none")
        if not problem and (known is None or known.get_secret_value() != text):
            new[name] = SecretStr(text)
    return block.model_copy(update=new) if new else None


def secrets_of(model: type[BaseModel]) -> list[str]:
    """The names of a block's secret fields."""
    return [n for n, f in model.model_fields.items() if "SecretStr" in str(f.annotation)]


def _detail(mistake: Mistake) -> InitErrorDetails:
    context = {"text": mistake.text, "fields": mistake.fields, "fix": mistake.fix}
    kind = PydanticCustomError("mistake", "{text}", context)
    return InitErrorDetails(type=kind, loc=mistake.fields[:1], input=None)


def _read(path: Path) -> tuple[str, str]:
    """The content of a file, and an error message or empty."""
    try:
        text = files.read_text(path, MOST_SECRET).strip()
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    except ValueError:
        return "", "contains no text"
    return text, "" if text else "is empty"


def authorities(field: str, path: Path | None) -> Iterator[Mistake]:
    """Checks a file of trusted certificates."""
    if path is None:
        return
    try:
        files.check_regular(path)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        yield Mistake((field,), "contains no certificates", fix="write the path of a PEM file")
    except (OSError, ValueError) as error:
        yield Mistake((field,), f"cannot be read: {getattr(error, 'strerror', None) or 'no path'}")


def own_certificate(
    certificate: Path | None, key: Path | None, password: SecretStr | None
) -> Iterator[Mistake]:
    """Checks that the client's certificate and key belong together."""
    fields = ("certificate_file", "key_file", "key_password")
    if certificate is None:
        if key is not None:
            yield Mistake(
                fields[1::-1], "needs certificate_file", fix="write the path of a PEM file"
            )
        return
    try:
        # never prompts at the terminal: an encrypted key without a password is an error
        secret = password.get_secret_value() if password else ""
        for path in (certificate, key):
            if path is not None:
                files.check_regular(path)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: secret)
    except ssl.SSLError:
        where = "key_file" if key else "certificate_file"
        yield Mistake(
            (where, *fields),
            "certificate and key cannot be used",
            fix="check that both are PEM, belong together, and that key_password is the key's",
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no path"
        missing = "key_file" if key and certificate.exists() else "certificate_file"
        yield Mistake((missing,), f"cannot be read: {why}")


def address(field: str, url: str, *, port: bool = False) -> Iterator[Mistake]:
    """Checks that a URL uses http(s) and contains no secret. Messages never repeat its value."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        named, secret = parts.port, parts.username is not None or parts.password is not None
    except ValueError:
        good, named, secret = False, None, False
    example = "https://host.example:9200" if port else "https://host.example/path"
    if secret:
        yield Mistake(
            (field,), "must not contain a user or password", fix="use the settings for them"
        )
    elif not good or (port and named is None):
        what = "scheme, host and port" if port else "scheme and host"
        yield Mistake((field,), f"needs {what}", fix=f"write for example {example}")


def on_loopback(host: str | None) -> bool:
    """Whether the URL refers to this machine."""
    return host in ("localhost", "::1") or (host or "").startswith("127.")
