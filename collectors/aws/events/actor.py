"""Who did it: CloudTrail's userIdentity as an Actor. Pure.

Fields: docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.model import Actor, Tool

_SSO_ROLE = re.compile(
    r":role/(?:aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?)?AWSReservedSSO_"
)
_TOOLS: tuple[tuple[re.Pattern[str], Tool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), tool)  # type: ignore[misc]
    for pattern, tool in (
        (r"terraform|opentofu|hashicorp", "terraform"),
        (r"^cloudformation\.amazonaws\.com", "cloudformation"),
        (r"console\.amazonaws\.com|signin\.amazonaws\.com|^aws internal$|^\[?s3console/|mozilla/", "console"),
        (r"aws-cli/", "cli"),
        (r"^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$", "service"),
        (r"boto3/|botocore/|aws-sdk-|aws-sdk/|pulumi|aws-cdk", "sdk"),
    )
)  # fmt: skip
_TYPES = {
    "IAMUser": "user", "Root": "root", "AssumedRole": "role", "Role": "role", "FederatedUser": "federated",
    "SAMLUser": "federated", "WebIdentityUser": "federated", "Directory": "federated", "IdentityCenterUser": "user",
    "AWSAccount": "account", "AWSService": "service",
}  # fmt: skip


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def actor(record: Mapping[str, Any]) -> Actor:
    """The actor of a CloudTrail record. What the record does not say stays unknown, never guessed."""
    who = _map(record.get("userIdentity"))
    context = _map(who.get("sessionContext"))
    issuer = _map(context.get("sessionIssuer"))
    source = _text(context.get("sourceIdentity")) or _text(who.get("sourceIdentity"))
    type = _TYPES.get(str(who.get("type", "")), "unknown")
    invoked = _text(who.get("invokedBy"))
    if not who.get("type"):  # a call of AWS's own, or what nobody signed
        type = "service" if invoked else "unknown"
    if type == "account" and who.get("accountId") in ("ANONYMOUS_PRINCIPAL", "anonymous"):
        type = "anonymous"
    issued_by = _text(issuer.get("arn"))
    own = _text(who.get("arn")) or _text(who.get("principalId")) or _text(who.get("userName"))
    id = source or issued_by or own or invoked or _text(who.get("accountId")) or "unknown"
    key = _text(who.get("accessKeyId"))
    principal = _text(who.get("principalId")) or ""
    session_name = principal.partition(":")[2] or None
    name = _text(who.get("userName")) or _text(issuer.get("userName"))
    if issued_by and _SSO_ROLE.search(issued_by):
        name = session_name or name  # Identity Center writes the person there
    return Actor(
        id=id, type=type, name=source or name or (session_name if type == "role" else None),
        account=_text(who.get("accountId")) or _text(issuer.get("accountId")),
        session=key if key and not key.startswith("AKIA") else None, session_name=session_name, issuer=issued_by,
        source_identity=source, mfa=_mfa(context), invoked_by=invoked, tool=tool(record),
    )  # fmt: skip


def _mfa(context: Mapping[str, Any]) -> bool | None:
    said = _map(context.get("attributes")).get("mfaAuthenticated")
    if isinstance(said, bool):
        return said
    return {"true": True, "false": False}.get(str(said).lower())


def tool(record: Mapping[str, Any]) -> Tool:
    """By what the call was made, as far as the user agent says."""
    if record.get("sessionCredentialFromConsole") in (True, "true"):
        return "console"
    agent = _text(record.get("userAgent")) or ""
    for pattern, found in _TOOLS:
        if pattern.search(agent):
            return found
    return "service" if _map(record.get("userIdentity")).get("invokedBy") else "unknown"
