"""What AWS's audit events tell detections: who signs in, which user a call is about, whom a policy lets in. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from driftline.pipeline.model import Change
from driftline.pipeline.providers.aws.identities import HIDDEN
from driftline.pipeline.providers.provider import EventFields
from driftline.pipeline.rulebook.aws.resource_policy import allows_cross_account

SIGN_IN = "signin.amazonaws.com"
DOCUMENTS = (
    "assumeRolePolicyDocument",
    "policyDocument",
    "policy",
    "bucketPolicy",
    "resourcePolicy",
    "policyText",
)
"""Request parameters that set a policy."""


def of_change(
    record: Change, actor: Mapping[str, Any], id_of: Callable[[str], str]
) -> dict[str, Any]:
    """Returns `login`, `subject` and `foreign`, where the event has them. `id_of`: from a name to a person's id."""
    own: dict[str, Any] = {}
    if name := login(record, actor):
        own["login"] = name
    if record.type == "AWS::IAM::User":
        own["subject"] = id_of(record.uid)
    if (others := foreign(record.raw.get("requestParameters"), record.account)) is not None:
        own["foreign"] = others
    return own


def of_example(event: Mapping[str, Any], account: str | None) -> dict[str, Any]:
    """Returns `login` and `subject` of an example, where its event has them."""
    uid, name = event["driftline"].get("uid"), user_named(event, account)
    subject = {"subject": uid} if ":user/" in str(uid) else {}
    return subject | ({"login": name} if name else {})


def user_named(raw: Mapping[str, Any], account: str | None) -> str | None:
    """Returns the IAM user that an IAM call names, in the form of `login`, whether or not a sweep has seen it."""
    asked = raw.get("requestParameters")
    name = asked.get("userName") if isinstance(asked, dict) else None
    known = raw.get("eventSource") == "iam.amazonaws.com" and isinstance(name, str) and name and HIDDEN not in name  # fmt: skip
    return f"{account} {name}" if known else None


def names(record: Change) -> list[str]:
    """Returns the user's name, if the call is about one."""
    known = user_named(record.raw, record.account)
    return [str(record.raw["requestParameters"]["userName"])] if known else []


def login(record: Change, actor: Mapping[str, Any]) -> str | None:
    """Returns the user of a sign-in, in the same form for failures and successes: account and name for an IAM user (a
    failed sign-in does not include the path), the identity for others, whatever the map of people calls it. None if AWS
    hides it."""
    own = record.actor
    if record.service != SIGN_IN:
        return user_named(record.raw, record.account)
    if own.type == "root":
        return f"{own.account} root user"
    if own.type == "user" and ":user/" in own.id and actor["person"]["kind"] != "directory_user":
        return f"{own.account} {own.id.rpartition('/')[2]}"
    person = own.person.id if own.person else str(actor["person"]["id"])
    return None if own.is_nobody else person


def foreign(parameters: Any, account: str) -> bool | None:
    """Returns whether a policy set by a request grants access to another account or to everyone. None if the request
    sets no policy, or if that cannot be determined."""
    for document in _documents(parameters if isinstance(parameters, dict) else {}):
        try:
            document = orjson.loads(document) if isinstance(document, str) else document
            if isinstance(document, dict):
                return allows_cross_account(document, account)
        except ValueError:  # not JSON, not a resource policy, or not understood
            continue
    return None


def _documents(parameters: Mapping[str, Any]) -> Iterator[Any]:
    """Returns the policies that a request may set."""
    yield from (parameters[name] for name in DOCUMENTS if name in parameters)
    if isinstance(attributes := parameters.get("attributes"), dict):
        yield attributes.get("Policy")
    if parameters.get("attributeName") == "Policy":
        yield parameters.get("attributeValue")


FIELDS = EventFields(of_change, names, of_example)
