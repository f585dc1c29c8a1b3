"""Reads the actor of a CloudTrail record from its userIdentity. Pure.

Fields: docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""

import re
from collections.abc import Mapping
from typing import Any

from driftline.collectors.aws.api.partitions import DEFAULT, of_region
from driftline.pipeline.model import Actor, Person, Tool
from driftline.pipeline.providers.aws.identities import DIRECTORY_ROLE, HIDDEN

_TOOLS: tuple[tuple[re.Pattern[str], Tool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), tool)
    for pattern, tool in (
        (r"terraform|opentofu|hashicorp", "terraform"),
        (r"^cloudformation\.amazonaws\.com", "cloudformation"),
        (r"console\.amazonaws\.com|signin\.amazonaws\.com|^aws internal$|^\[?s3console/|mozilla/", "console"),
        (r"aws-cli/", "cli"),
        (r"^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$", "service"),
        (r"boto3/|botocore/|aws-sdk-|aws-sdk/|pulumi|aws-cdk", "sdk"),
    )
)  # fmt: skip
_VOUCHED = ("cloudformation", "service")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?|AWS Internal")
ANONYMOUS = "Anonymous"
"""The principal of an unsigned call."""
SIGN_IN = "signin.amazonaws.com"
ASKED = frozenset({"CredentialChallenge", "PasswordRecoveryRequested"})
"""Steps of a sign-in that prove nothing: someone entered a user name."""
DIRECTORY_STEPS = ASKED | {"CredentialVerification", "UserAuthentication"}
"""Steps of a sign-in to Identity Center. Newer events identify the user by id (`onBehalfOf`), older ones by name. The type
is `IdentityCenterUser`, or `Unknown` in older events, whose principal is the account."""
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
    """Returns the actor of a CloudTrail record. What the record does not contain remains unknown and is never guessed."""
    who = _without_hidden(_map(record.get("userIdentity")))
    context = _map(who.get("sessionContext"))
    issuer = _map(context.get("sessionIssuer"))
    source = _text(context.get("sourceIdentity")) or _text(who.get("sourceIdentity"))
    type = _TYPES.get(str(who.get("type", "")), "unknown")
    invoked = _text(who.get("invokedBy"))
    if not who.get("type"):  # a call by an AWS service, or an unsigned one
        type = "service" if invoked else "unknown"
    if type == "account" and who.get("accountId") in ("ANONYMOUS_PRINCIPAL", "anonymous"):
        type = "anonymous"
    if type == "unknown" and who.get("principalId") == ANONYMOUS:
        type = "anonymous"
    issued_by = _text(issuer.get("arn"))
    user, directory = _user_name(record, who), _directory_name(record, who)
    own = _directory_id(who) if who.get("type") in ("IdentityCenterUser", "Unknown") else None
    if type == "unknown" and (own or directory):
        type = "user"
    principal = _principal(who)
    own = own or _text(who.get("arn")) or _user_arn(record, who, user)
    own = own or principal or user
    id = issued_by or own or invoked or _text(who.get("accountId")) or "unknown"
    key = _text(who.get("accessKeyId"))
    session_name = (principal or "").partition(":")[2] or None
    name = user or _text(issuer.get("userName"))
    person = _person(who, context, type, id, session_name, source, directory)
    if not_proven(record) or _only_asked(record):  # the identity is only a claim
        person = Person(id=person.id, kind="unknown", claimed=person.id if own else None)
    if person.kind == "directory_user":
        name = person.name or name
    return Actor(
        id=id, type=type, name=name or (session_name if type == "role" else None),
        account=_text(who.get("accountId")) or _text(issuer.get("accountId")),
        session=key if key and not key.startswith("AKIA") else None, session_name=session_name, issuer=issued_by,
        source_identity=source, mfa=_mfa(context), invoked_by=invoked, tool=tool(record),
        source_ip=_text(record.get("sourceIPAddress")), person=person,
    )  # fmt: skip


def _without_hidden(who: Mapping[str, Any]) -> Mapping[str, Any]:
    """Removes the values that AWS hides. If the user name is hidden, the principal id is removed as well."""
    hidden = {key for key, value in who.items() if isinstance(value, str) and HIDDEN in value}
    hidden |= {"principalId"} if "userName" in hidden else set()
    return {key: value for key, value in who.items() if key not in hidden} if hidden else who


def _principal(who: Mapping[str, Any]) -> str | None:
    """Returns the principal id, unless it is only the account's."""
    id = _text(who.get("principalId"))
    return None if id in (who.get("accountId"), ANONYMOUS) else id


def _user_name(record: Mapping[str, Any], who: Mapping[str, Any]) -> str | None:
    """Returns the user name. Steps of a sign-in to Identity Center may have it in additionalEventData."""
    beside = _without_hidden(_map(record.get("additionalEventData"))) if _is_step(record) else {}
    return _text(who.get("userName")) or _text(beside.get("UserName"))


def _directory_name(record: Mapping[str, Any], who: Mapping[str, Any]) -> str | None:
    """Returns the name of an Identity Center user if a step of a sign-in does not contain the id."""
    known = _directory_id(who) or who.get("type") not in ("Unknown", "IdentityCenterUser")
    return None if known or not _is_step(record) else _user_name(record, who)


def _is_step(record: Mapping[str, Any]) -> bool:
    return record.get("eventSource") == SIGN_IN and record.get("eventName") in DIRECTORY_STEPS


def _only_asked(record: Mapping[str, Any]) -> bool:
    """Returns whether the record is a step of a sign-in that proves nothing."""
    return record.get("eventSource") == SIGN_IN and record.get("eventName") in ASKED


def not_proven(record: Mapping[str, Any]) -> bool:
    """Returns whether the record is a failed sign-in, whose identity is only what someone entered."""
    if record.get("eventSource") != SIGN_IN:
        return False
    said = (_map(record.get("responseElements")), _map(record.get("serviceEventDetails")))
    return any(value == "Failure" for one in said for value in one.values())


def _user_arn(record: Mapping[str, Any], who: Mapping[str, Any], user: str | None) -> str | None:
    """Returns the ARN of an IAM user from a sign-in that contains only the name. It lacks the user's path."""
    account = _text(who.get("accountId"))
    if who.get("type") != "IAMUser" or user is None or account is None:
        return None
    partition = of_region(str(record.get("awsRegion") or "")) or DEFAULT
    return f"arn:{partition}:iam::{account}:user/{user}"


def _person(
    who: Mapping[str, Any], context: Mapping[str, Any], type: str, id: str, session: str | None, source: str | None,
    named: str | None,
) -> Person:  # fmt: skip
    """Returns the person behind the call if AWS vouches for it, else the session itself with the kind `unknown`."""
    issuer, claim = _map(context.get("sessionIssuer")), source or session
    role = _text(issuer.get("arn")) or ""
    if type == "service":
        return Person(id=id, kind="service")
    if type == "root":
        return Person(id=id, kind="root", claimed=source)
    if session and DIRECTORY_ROLE.search(role):
        return Person(id=session, kind="directory_user", name=session, claimed=source)
    if directory := _directory_id(who):
        kept = source or (session if role else None)
        return Person(
            id=directory,
            kind="directory_user",
            name=_text(who.get("userName")) or "",
            claimed=kept,
        )
    if named:
        return Person(id=named, kind="directory_user", name=named, claimed=source)
    if ":user/" in role:  # a session that a user opened without assuming a role
        return Person(id=role, kind="user", name=role.rsplit("/", 1)[-1], claimed=claim)
    if role.endswith(":root"):
        return Person(id=role, kind="root", claimed=claim)
    if (
        context.get("ec2RoleDelivery") and session
    ):  # the instance's own session: EC2 opened and named it
        return Person(id=f"{role}/{session}", kind="workload", name=session, claimed=source)
    if subject := _subject(who, context):
        return Person(id=subject, kind="federated", name=subject.rpartition("#")[2], claimed=claim)
    if type == "user" and (own := _text(who.get("arn"))):
        return Person(id=own, kind="user", name=_text(who.get("userName")) or "", claimed=source)
    own = _text(who.get("arn")) or (f"{role}/{session}" if role and session else id)
    return Person(id=own, kind="unknown", claimed=claim)


def _directory_id(who: Mapping[str, Any]) -> str | None:
    """Returns the Identity Center user on whose behalf the call was made: identity store and user id."""
    behalf = _map(who.get("onBehalfOf"))
    user, store = _text(behalf.get("userId")), _text(behalf.get("identityStoreArn"))
    if user is None:
        return None
    return f"{store}/user/{user}" if store else user


def _subject(who: Mapping[str, Any], context: Mapping[str, Any]) -> str | None:
    """Returns the subject authenticated by an identity provider: `provider#subject`."""
    if who.get("type") in ("SAMLUser", "WebIdentityUser"):
        provider, name = _text(who.get("identityProvider")), _text(who.get("userName"))
        return f"{provider}#{name}" if provider and name else None
    web = _map(context.get("webIdFederationData"))
    provider = _text(web.get("federatedProvider"))
    for key, value in _map(web.get("attributes")).items():
        if provider and str(key).rpartition(":")[2] == "sub" and _text(value):
            return f"{provider}#{value}"
    return None


def _mfa(context: Mapping[str, Any]) -> bool | None:
    said = _map(context.get("attributes")).get("mfaAuthenticated")
    if isinstance(said, bool):
        return said
    return {"true": True, "false": False}.get(str(said).lower())


def by_aws(record: Mapping[str, Any]) -> bool:
    """Returns whether an AWS service made the call, by fields that a caller cannot set (unlike the user agent)."""
    written = (_map(record.get("userIdentity")).get("invokedBy"), record.get("sourceIPAddress"))
    return any(isinstance(one, str) and _SERVICE.fullmatch(one) for one in written)


def tool(record: Mapping[str, Any]) -> Tool:
    """Returns the tool that made the call, as far as the user agent shows."""
    if record.get("sessionCredentialFromConsole") in (True, "true"):
        return "console"
    agent = _text(record.get("userAgent")) or ""
    for pattern, found in _TOOLS:
        if pattern.search(agent):
            return found if found not in _VOUCHED or by_aws(record) else "unknown"
    return "service" if _map(record.get("userIdentity")).get("invokedBy") else "unknown"
