"""The list `sinks`: each entry has what all sinks have, and the settings of its kind beside it."""

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
    """How a sink runs. The settings' block is for all of them; an entry of `sinks` may say otherwise for itself."""

    bad_share: float = Field(0.1, gt=0, le=1)
    """A sink stops when more than this share of a thousand findings is refused."""
    session_timeout: Seconds = Field(10, ge=6, le=90)
    """After this silence a sink's partitions go to the others of its group."""
    bind: str = "127.0.0.1"
    """Where its page answers; nowhere but here by default."""
    port: int = Field(0, ge=0, le=65_535)
    """/live and /metrics of the sink; 0: none."""

    def but(self, other: "SinkRun | None") -> "SinkRun":
        """These, with what another block says itself."""
        changed = {name: getattr(other, name) for name in other.model_fields_set} if other else {}
        return self.model_copy(update=changed)


class SinkEntry(SinkSettings):
    """One sink. A subclass adds the settings of its kind."""

    name: SinkName
    """Of the sink; its consumer group is `driftline-sink-NAME`. Another name reads everything anew."""
    kind: str
    """What it is: elasticsearch, ndjson, or what an installed package adds."""
    match: str = ""
    """CEL: which documents it is given; empty: all. See docs/operating.md."""
    start: Literal["all", "now"] = "all"
    """Where a sink that never ran begins: with everything that stands, or with what comes from now on."""
    severities: list[SeverityOverride] = Field(default_factory=list)
    """Other severities for findings of some accounts or tags, before `match` is asked."""
    sink: SinkRun | None = None
    """What is different for this sink from the block `sink`."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from super().mistakes()
        if self.name != self.kind and self.name in _installed().kinds():
            yield Mistake(("name", "kind"), "is the name of another kind", "choose another")
        yield from match_mistakes(self.match)


def _of_its_kind(value: Any) -> Any:
    """An entry as an instance of its kind's class."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return value  # what is wrong with it SinkEntry says
    return _entry(kind).model_validate(value)


def _installed() -> Any:
    """By name: collectors read settings too, and know no sinks."""
    return import_module("driftline.sinks.installed")


@cache
def _entry(kind: str) -> type[SinkEntry]:
    installed = _installed()
    module = installed.module(kind)
    if module is None:
        context = {
            "text": "kind: no such kind of sink", "fields": ("kind",), "fix": hint(kind, installed.kinds()),
        }  # fmt: skip
        raise PydanticCustomError("mistake", "{text}", context)
    return cast(
        type[SinkEntry], create_model(f"{kind}_sink", __base__=(SinkEntry, module.Settings))
    )


SinkEntries = list[SerializeAsAny[Annotated[SinkEntry, BeforeValidator(_of_its_kind)]]]
