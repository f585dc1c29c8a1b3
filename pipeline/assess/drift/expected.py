"""Expected changes: routine changes by people and pipelines. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.model.base import ProviderName
from driftline.pipeline.model.stream import Tool
from driftline.pipeline.people.identity import NOBODY_MAPPED, vouched_names
from driftline.pipeline.providers.installed import known_tools, vouched_tools

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Window(BaseModel):
    """A weekly time window, in UTC."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    days: list[Day] = Field(default_factory=lambda: list(DAYS))
    """On which it begins."""
    begin: time
    """HH:MM."""
    end: time
    """HH:MM; if not after `begin`, on the next day."""

    @field_validator("begin", "end", mode="before")
    @classmethod
    def _minutes(cls, value: object) -> object:
        if not isinstance(value, str | time):
            raise ValueError("is not a time of day (write '22:30', in quotes)")
        return value

    def holds(self, at: datetime) -> bool:
        """Whether a time (UTC) is in it."""
        begins = at.date() if at.time() >= self.begin else at.date() - timedelta(days=1)
        if DAYS[begins.weekday()] not in self.days:
            return False
        if self.begin < self.end:
            return self.begin <= at.time() < self.end
        return at.time() >= self.begin or at.time() < self.end


class Expected(BaseModel):
    """Expected changes: all conditions must match; an empty list matches anything."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    actors: list[str] = Field(default_factory=list)
    """Ids of actors, or of the persons behind them; * matches any text. A caller's claims (source identity, session name) are not ids."""
    tools: list[Tool] = Field(default_factory=list)
    """Tools used. All except those that the provider itself reports (`cloudformation`, `service`) are derived from the
    caller's user agent and require `actors`."""
    accounts: list[str] = Field(default_factory=list)
    """Of the resource."""
    providers: list[ProviderName] = Field(default_factory=list)
    """Of the resource: two providers may use the same account id."""
    types: list[str] = Field(default_factory=list)
    """Of the resource."""
    tags: dict[str, str] = Field(default_factory=dict)
    """The resource must have all of these tags. Anyone who may tag a resource can add them: list `actors` too, unless everyone who may tag is trusted."""
    windows: list[Window] = Field(default_factory=list)
    """When it was done."""

    @model_validator(mode="after")
    def _claimed(self) -> "Expected":
        if unknown := [tool for tool in self.tools if tool not in known_tools()]:
            raise ValueError(f"tools: no tool {unknown[0]!r} ({hint(unknown[0], known_tools())})")
        claimed = [tool for tool in self.tools if tool not in vouched_tools("")]
        if claimed and not self.actors:
            raise ValueError(
                f"tools: {claimed[0]} without actors (it is derived from the user agent, which the caller chooses: list the"
                " actors who use it)"
            )
        return self

    def fits(self, candidate: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
        """Whether a candidate change of a drift matches."""
        actor = candidate["actor"]
        names = vouched_names(actor, NOBODY_MAPPED.of(resource.get("provider", "")))
        return (
            (
                not self.actors
                or any(matches(pattern, id) for pattern in self.actors for id in names)
            )
            and (not self.tools or self._made_with(actor.get("tool", "unknown"), resource))
            and self._about(resource)
            and (
                not self.windows
                or any(w.holds(datetime.fromisoformat(candidate["at"])) for w in self.windows)
            )
        )

    def _made_with(self, tool: str, resource: Mapping[str, Any]) -> bool:
        vouched = vouched_tools(resource.get("provider", ""))
        return tool in self.tools and (bool(self.actors) or tool in vouched)

    def _about(self, resource: Mapping[str, Any]) -> bool:
        return (
            (not self.accounts or resource["account"] in self.accounts)
            and (not self.providers or resource["provider"] in self.providers)
            and (not self.types or resource["type"] in self.types)
            and all(resource["tags"].get(key) == value for key, value in self.tags.items())
        )


def expected(drift: Mapping[str, Any], known: Sequence[Expected]) -> bool | None:
    """Whether a drift is expected: every change that may have caused it matches. None while the cause is pending."""
    if drift["attribution"] == "pending":
        return None
    causes: Iterable[Mapping[str, Any]] = drift["candidates"]
    if drift["attribution"] == "attributed":
        made = {change.get("change") for change in drift.get("changes", ())} - {None}
        causes = [one for one in causes if one.get("change") in made] or drift["candidates"][:1]
    return bool(causes) and all(
        any(one.fits(cause, drift["resource"]) for one in known) for cause in causes
    )
