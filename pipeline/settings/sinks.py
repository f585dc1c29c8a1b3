"""The list `sinks`: each entry has the common settings and those of its kind."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, SerializeAsAny, create_model
from pydantic_core import PydanticCustomError

from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.settings.base import Block, Mistake, Seconds, SinkSettings, matching
from driftline.pipeline.settings.match_text import match_mistakes
from driftline.pipeline.settings.severities import SeverityOverride

SinkName = Annotated[str, matching(r"[a-z0-9][a-z0-9_-]{0,62}", "1 to 63 lower-case letters, digits, _ and -, beginning with a letter or digit (write for example soc-elastic)")]  # fmt: skip


class SinkRun(Block):
    """How a sink runs. The settings block applies to all sinks; an entry of `sinks` may override it."""

    bad_share: float = Field(0.1, gt=0, le=1)
    """A sink stops if more than this share of a thousand findings is refused."""
    session_timeout: Seconds = Field(10, ge=6, le=90)
    """When a sink has been silent for this long, its partitions are reassigned within its group."""
    bind: str = "127.0.0.1"
    """Address to listen on; loopback by default."""
    port: int = Field(0, ge=0, le=65_535)
    """Port for /live and /metrics of the sink; 0: disabled."""

    def but(self, other: "SinkRun | None") -> "SinkRun":
        """These settings, overridden by those set in another block."""
        changed = {name: getattr(other, name) for name in other.model_fields_set} if other else {}
        return self.model_copy(update=changed)


class SinkEntry(SinkSettings):
    """A sink. Subclasses add the settings of their kind."""

    name: SinkName
    """Name of the sink. Its consumer group is `driftline-sink-NAME`, so a renamed sink reads everything again."""
    kind: str
    """One of the installed kinds; the message about an unknown kind lists them."""
    match: str = ""
    """CEL expression that selects documents; empty: all. See docs/operating.md."""
    start: Literal["all", "now"] = "all"
    """Where a sink that has never run begins: with all current documents, or only with new ones."""
    severities: list[SeverityOverride] = Field(default_factory=list)
    """Severity overrides for accounts or tags, applied before `match`."""
    sink: SinkRun | None = None
    """Settings of this sink that differ from the block `sink`."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from super().mistakes()
        if self.name != self.kind and self.name in _installed().kinds():
            yield Mistake(("name", "kind"), "is the name of another kind", "choose another")
        yield from match_mistakes(self.match)


def _of_its_kind(value: Any) -> Any:
    """Converts an entry to the class of its kind."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return value  # SinkEntry reports the error
    return _entry(kind).model_validate(value)


def _installed() -> Any:
    """Imported by name, because collectors read settings too and must not import sinks."""
    return import_module("driftline.sinks.installed")


@cache
def _entry(kind: str) -> type[SinkEntry]:
    installed = _installed()
    module = installed.module(kind)
    if module is None:
        context = {
            "text": "kind: unknown kind of sink", "fields": ("kind",), "fix": hint(kind, installed.kinds()),
        }  # fmt: skip
        raise PydanticCustomError("mistake", "{text}", context)
    return cast(
        type[SinkEntry], create_model(f"{kind}_sink", __base__=(SinkEntry, module.Settings))
    )


SinkEntries = list[SerializeAsAny[Annotated[SinkEntry, BeforeValidator(_of_its_kind)]]]
