"""Common properties of all records: unknown fields are preserved, times are RFC 3339 UTC with microseconds."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
)

from driftline.pipeline.common import plugins

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(time: datetime) -> str:
    """2026-11-24T12:00:00.000000Z: fixed length, so that text order equals time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def micros(time: datetime) -> int:
    """Microseconds since 1970, exactly (timestamp() is a float and would round)."""
    delta = time - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@lru_cache(4096)  # a sweep repeats a few times over and over
def from_micros(value: int) -> str:
    """Formats microseconds since 1970 as RFC 3339."""
    seconds, rest = divmod(value, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:06d}Z"


def _utc(time: datetime) -> datetime:
    """The time in UTC. Raises ValueError if it is outside the range in which durations can be added."""
    try:
        time = time.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time between 1970 and 9000") from None
    if not 1970 <= time.year <= 9000:
        raise ValueError("expected a time between 1970 and 9000")
    return time


Time = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]

PROVIDERS = "driftline.providers"
"""The entry points of providers (driftline.pipeline.providers); their names are the providers' names."""


def _installed(name: str) -> str:
    if name not in plugins.installed(PROVIDERS):
        raise ValueError(f"no provider {name} is installed")
    return name


ProviderName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{1,31}$", examples=["aws", "azure", "gcp"]),
    AfterValidator(_installed),
]
"""A provider as records, ids and settings name it."""


class Record(BaseModel):
    """Base class of records. Fields unknown to this version are preserved and written again."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    def encode(self) -> bytes:
        """The record as JSON bytes, without absent optional values."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


@lru_cache(4096)  # resources and parts from one listing have the same time
def to_micros(text: str) -> int | None:
    """Microseconds since 1970 for the fixed format (27 characters, UTC); None for any other text."""
    if len(text) != 27 or text[26] != "Z":
        return None
    try:
        return micros(datetime.fromisoformat(text))
    except ValueError:
        return None
