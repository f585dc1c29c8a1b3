"""The excerpt of a finding or alert for tickets. Texts are shortened: a ticket group may have 50,000 members. Pure."""

from collections.abc import Mapping
from typing import Any

from driftline.pipeline.people.identity import who_as

TEXT = 400
"""Maximum length of a sentence or command."""
FIX = 2000
"""Maximum length of each remediation."""
REFERENCES = 5


def _cut(text: Any, most: int = TEXT) -> str:
    text = str(text or "")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def of_finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    """severity, risk and document of a MemberChange."""
    rule, resource = finding["rule"], finding["resource"]
    account = resource.get("cloud_account") or {}
    remediation = finding.get("remediation") or {}
    document = {
        "resource": _cut(resource["name"] or resource["uid"]),
        "uid": resource["uid"],
        "type": resource["type"],
        "region": resource["region"],
        "provider": resource["provider"],
        "account": resource["account"],
        "account_name": _cut(account.get("name")),
        "sentence": _cut(finding.get("sentence")),
        "due_at": finding.get("due_at"),
        "owner": finding.get("owner"),
        "actor": _cut(who_as(finding["actor"])) if finding.get("actor") else "",
        "command": _cut(remediation.get("cli")),
        "link": next(iter(finding.get("links") or ()), ""),
        "rule": rule["id"],
        "title": _cut(rule["title"]),
        "family": rule.get("family") or "",
        "why": _cut(rule.get("why"), FIX),
        "frameworks": rule.get("frameworks") or {},
        "references": (rule.get("references") or [])[:REFERENCES],
        "fix": {way: _cut(text, FIX) for way, text in remediation.items() if text},
        "exception": (finding.get("exception") or {}).get("reason", ""),
    }
    return {
        "severity": rule["severity"],
        "risk": finding["risk"]["score"],
        "document": {name: value for name, value in document.items() if value},
    }


def of_alert(alert: Mapping[str, Any]) -> dict[str, Any]:
    """severity, risk and document of a MemberChange."""
    document = {
        "resource": _cut(alert["title"]),
        "uid": next(iter(alert.get("resources") or ()), ""),
        "sentence": _cut(alert.get("sentence")),
        "actor": _cut(", ".join(alert.get("actors") or ())),
        "rule": alert["rule"],
        "title": _cut(alert["title"]),
        "why": _cut(alert.get("description"), FIX),
        "fix": {"next": _cut(alert["next"], FIX)} if alert.get("next") else {},
    }
    return {
        "severity": alert["severity"],
        "risk": 0,
        "document": {name: value for name, value in document.items() if value},
    }
