"""AWS's own managed policies: the statements of theirs that matter here, as AWS has published them (managed.json, which
`python -m tests.rules.managed` writes)."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

ARN = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.+)")


@cache
def _known() -> tuple[dict[str, Any], frozenset[str]]:
    data = msgspec.json.decode((files(__package__) / "managed.json").read_bytes())
    return data["policies"], frozenset(data["harmless"])


def is_aws(arn: str) -> bool:
    """Whether a policy is AWS's own."""
    return ARN.fullmatch(arn) is not None


def is_services(arn: str) -> bool:
    """Whether AWS has made it for roles that its services take."""
    found = ARN.fullmatch(arn)
    return found is not None and found[1].startswith(("service-role/", "aws-service-role/"))


def document(arn: str) -> dict[str, Any] | None:
    """What of one of AWS's policies matters here; None where it is not known."""
    found = ARN.fullmatch(arn)
    policies, harmless = _known()
    name = found[1] if found else ""
    if name in policies:
        return {"Statement": policies[name]}
    return {"Statement": []} if name in harmless else None
