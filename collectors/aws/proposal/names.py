"""Interprets names in botocore's service models: plurals, spellings, prefixes of IAM actions, lists and tags by their fields."""

import re
from functools import cache
from importlib.resources import files
from json import loads
from typing import Any

from driftline.collectors.aws.permissions import PREFIXES
from driftline.collectors.aws.shapes import service_model


@cache
def _iam() -> dict[str, Any]:
    """IAM actions by prefix, if the development environment has them (cfn-lint, a dependency of moto)."""
    try:
        found: dict[str, Any] = loads((files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text())  # fmt: skip
    except ModuleNotFoundError:
        return {}
    return found


def lists_of(model: Any, operation: str) -> dict[str, Any]:
    """The lists in an operation's response: name to the shape of an element."""
    output = model.operation_model(operation).output_shape
    members = output.members.items() if output else ()
    return {name: shape.member for name, shape in members if shape.type_name == "list"}


def pairs(path: str, shape: Any) -> str:
    """The JMESPath of tags, for a map or [{Key, Value}]."""
    if shape.type_name != "list" or shape.member.type_name != "structure":
        return path
    names = {name.lower(): name for name in shape.member.members}
    key, value = names.get("key") or names.get("tagkey"), names.get("value") or names.get("tagvalue")  # fmt: skip
    if (key, value) == ("Key", "Value") or not (key and value):
        return path
    return f"{path}[].{{Key: {key}, Value: {value}}}"


def iam_prefix(service: str, operation: str) -> str:
    """The prefix of an operation's IAM action."""
    model, known = service_model(service), _iam()
    for prefix in (PREFIXES.get(service, service), model.signing_name, model.endpoint_prefix):
        if operation.lower() in known.get(prefix, {}).get("Actions", ()):
            return str(prefix)
    return str(PREFIXES.get(service, service if not known else model.signing_name))


def plurals(thing: str) -> set[str]:
    return {thing, f"{thing}s", f"{thing}es", re.sub(r"y$", "ies", thing)}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().strip("_")


def camel(name: str) -> str:
    """The name of a parameter in CloudTrail."""
    return name[:1].lower() + name[1:]
