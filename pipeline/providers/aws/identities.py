"""AWS's identities: users and roles of IAM, users of Identity Center, sessions."""

import re
from collections.abc import Mapping
from typing import Any

from driftline.pipeline.providers.provider import Identities

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""In place of a name that does not exist (people type passwords there) or that is confidential."""
CHOSEN = re.compile(
    r"^(arn:[a-z-]+:sts::\d*:(?:assumed-role/[^/]+|federated-user)/|(?:AROA[0-9A-Z]+|\d{12}):).+$"
)
"""A session by its ARN, or by its unique id (which is all that another account sees): the caller chose what follows
the role."""
DIRECTORY_ROLE = re.compile(
    r":role/aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?AWSReservedSSO_[^/]+$"
)
"""Roles of Identity Center. Only Identity Center opens their sessions, and it names them after its user. (Nobody else
can create a role below that path; the bare name is available to anyone.)"""


def _derive(actor: Mapping[str, Any]) -> dict[str, Any] | None:
    """The person of an actor written by an older version, without `person`."""
    issuer, name = actor.get("issuer") or "", actor.get("session_name")
    source = actor.get("source_identity")
    if issuer and DIRECTORY_ROLE.search(issuer) and name:
        return _with_claim({"id": name, "kind": "directory_user", "name": name}, source)
    if ":user/" in issuer:  # a session opened by a user without a role
        return _with_claim(
            {"id": issuer, "kind": "user", "name": issuer.rsplit("/", 1)[-1]}, source or name
        )
    return None


def _with_claim(person: dict[str, Any], claim: str | None) -> dict[str, Any]:
    return person | ({"claimed": claim} if claim else {})


def _derive_link(id: str) -> dict[str, Any] | None:
    if ":user/" in id or id.endswith(":root"):
        return {
            "id": id,
            "kind": "root" if id.endswith(":root") else "user",
            "name": id.rsplit("/", 1)[-1],
        }
    return None


def _differ(role: str, given: str) -> bool:
    return ":role/" in role and ":role/" in given and role.casefold() != given.casefold()


IDENTITIES = Identities(
    chosen=(CHOSEN,),
    derive=_derive,
    derive_link=_derive_link,
    differ=_differ,
    words={"directory_user": "user of Identity Center"},
)
