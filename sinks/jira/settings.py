"""The settings of a sink of the kind `jira`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from driftline.pipeline.settings.base import Mistake, Seconds, address, matching
from driftline.pipeline.settings.connections import HttpSettings
from driftline.sinks.tickets.destination import Policy
from driftline.sinks.tickets.templates import template_mistakes


class JiraSettings(HttpSettings):
    """Which project of which Jira, and how tickets look there."""

    url: str = "http://127.0.0.1:2990"
    """The site: https://example.atlassian.net."""
    deployment: Literal["cloud", "data_center"] = "cloud"
    """Jira Cloud (REST v3), or Data Center (REST v2)."""
    email: str | None = None
    """Cloud: whose API token it is."""
    token: SecretStr | None = None
    """Cloud: the API token; Data Center: a personal access token."""
    token_file: Path | None = None
    project: Annotated[str, matching(r"[A-Z][A-Z0-9_]{1,99}", "a project key, as SEC")] = "SEC"
    issue_type: str = "Task"
    labels: list[Annotated[str, matching(r"\S{1,255}", "a label without spaces")]] = Field(
        default_factory=list
    )
    """Beside those that every ticket has."""
    priorities: dict[str, str] = Field(
        default={
            "critical": "Highest",
            "high": "High",
            "medium": "Medium",
            "low": "Low",
            "informational": "Lowest",
        }
    )
    """By severity; empty: priorities are not written."""
    assignees: dict[str, str] = Field(default_factory=dict)
    """By owner: an account id (Cloud) or user name (Data Center). `*`: of every other owner."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """More fields, as Jira's API takes them. A text `= …` is CEL over the ticket (`document`): `= document.rule`."""
    policies: dict[str, Policy] = Field(default={"assignee": "initial"})
    """By field: `ours` (written until a person changes it; the default), `initial` (written at creation only), `theirs` (never written)."""
    done: list[str] = Field(default_factory=list)
    """Names of the statuses that tickets are closed to, the best first; empty: any of the category Done."""
    reopened: list[str] = Field(default_factory=list)
    """Names of the statuses that tickets are reopened to; empty: any that is not of the category Done."""
    resolutions: dict[str, str] = Field(
        default={
            "fixed": "Done",
            "deleted": "Done",
            "accepted": "Won't Do",
            "moved": "Done",
            "duplicate": "Duplicate",
        }
    )
    """By reason, where the transition asks for a resolution."""
    transition_fields: dict[str, Any] = Field(default_factory=dict)
    """More fields of transitions, written where the transition's screen has them."""
    lookup_for: Seconds = Field(600, ge=30)
    """After a creation of which nobody knows whether it was done: how long the ticket is searched for before it is created again.
    Longer than Jira's search ever lags."""

    @property
    def encrypted(self) -> bool:
        return self.url.startswith("https:")

    def mistakes(self) -> Iterator[Mistake]:
        yield from address("url", self.url, port=False)
        if self.deployment == "cloud" and bool(self.email) != bool(self.token):
            yield Mistake(
                ("email", "token", "token_file"), "email and token need each other", "write both"
            )
        if self.deployment == "data_center" and self.email:
            yield Mistake(
                ("email", "deployment"),
                "is only of Jira Cloud",
                "remove it, or write deployment: cloud",
            )
        yield from template_mistakes("fields", self.fields)
        yield from super().mistakes()

    def secret_addresses(self) -> Iterator[tuple[str, str]]:
        """See SinkSettings."""
        yield from super().secret_addresses()
        if self.token:
            yield "url", self.url
