"""Filters for findings and alerts, the same for every store. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftline.pipeline.model import SEVERITIES

LEAST = 8
"""Minimum length of an abbreviated id."""


@dataclass(frozen=True)
class WantedFindings:
    """Empty asks for all."""

    statuses: Sequence[str] = ()
    severities: Sequence[str] = ()
    accounts: Sequence[str] = ()
    """Ids or names."""
    regions: Sequence[str] = ()
    types: Sequence[str] = ()
    rules: Sequence[str] = ()
    resource: str = ""
    """Part of a resource's uid or name, case-insensitive."""
    owners: Sequence[str] = ()
    """Ids of owners."""

    def takes(self, finding: Mapping[str, Any]) -> bool:
        """Whether a finding (model.Finding) matches. Ended findings never do."""
        rule, resource = finding["rule"], finding["resource"]
        account = resource.get("cloud_account") or {}
        own = {resource["account"], account.get("name", resource["account"])}
        text = self.resource.casefold()
        return bool(
            not finding["retired"]
            and _in(self.statuses, finding["status"])
            and _in(self.severities, rule["severity"])
            and (not self.accounts or own & set(self.accounts))
            and _in(self.regions, resource["region"])
            and _in(self.types, resource["type"])
            and _in(self.rules, rule["id"])
            and _in(self.owners, (finding.get("owner") or {}).get("id", ""))
            and (text in resource["uid"].casefold() or text in resource["name"].casefold())
        )


@dataclass(frozen=True)
class WantedAlerts:
    """Empty asks for all."""

    states: Sequence[str] = ()
    severities: Sequence[str] = ()
    rules: Sequence[str] = ()
    about: str = ""
    """Part of a resource's uid or an actor's id, case-insensitive."""
    since: str = ""
    """Only alerts with events at or after this time (RFC 3339, UTC)."""

    def takes(self, alert: Mapping[str, Any]) -> bool:
        """Whether an alert (model.Alert) matches."""
        text = self.about.casefold()
        return bool(
            _in(self.states, alert["state"])
            and _in(self.severities, alert["severity"])
            and _in(self.rules, alert["rule"])
            and alert["last"] >= self.since
            and any(text in one.casefold() for one in ("", *alert["resources"], *alert["actors"]))
        )


def order(finding: Mapping[str, Any]) -> tuple[int, int, str]:
    """Worst first."""
    return -SEVERITIES.index(finding["rule"]["severity"]), -finding["risk"]["score"], finding["id"]


def _in(wanted: Sequence[str], value: str) -> bool:
    return not wanted or value in wanted


def named(documents: Sequence[dict[str, Any]], id: str) -> list[dict[str, Any]]:
    """Documents with this id, or else those whose id begins with it."""
    return [one for one in documents if one["id"] == id] or [
        one for one in documents if one["id"].startswith(id)
    ]
