"""Writes pipeline/rulebook/aws/identity/managed.json from the copy of AWS's managed policies that moto carries: of each
policy the statements about actions that some question here asks of. `python -m tests.rules.managed`."""

import json
from pathlib import Path
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from driftline.pipeline.rulebook.aws.identity.allowed import Allowed
from driftline.pipeline.rulebook.aws.identity.judges import DECRYPTS, EVERY_KEY
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.ways import EVERY_ROLE, PASS, ways
from driftline.pipeline.rulebook.aws.statement import covers, many

PATH = Path(__file__).parents[2] / "pipeline/rulebook/aws/identity/managed.json"


def published() -> dict[str, Any]:
    """Every policy's document by its path and name, but for those that only services' own roles can have."""
    data = json.loads(aws_managed_policies_data)
    return {
        f"{one['Path'].strip('/')}/{name}".lstrip("/"): one["Document"]
        for name, one in data.items()
        if one["Path"] != "/aws-service-role/"
    }


def relevant() -> dict[str, set[tuple[str, str]]]:
    """Actions that are asked of, in small letters, with what they are asked of: targets, and services to pass to."""
    asked: dict[str, set[tuple[str, str]]] = {}
    for way in ways():
        for action, target in way.needs.items():
            asked.setdefault(action.lower(), set()).add((target, ""))
        asked.setdefault(PASS, set()).update((EVERY_ROLE, service) for service in way.passes)
    return asked | {action: {(EVERY_KEY, "")} for action in DECRYPTS}


def made() -> str:
    """What the file ought to hold."""
    asked = relevant()
    kept = {name: list(_kept(document, asked)) for name, document in published().items()}
    some = {name: statements for name, statements in kept.items() if statements}
    lines = [
        f"  {json.dumps(name)}: {json.dumps(some[name], sort_keys=True)}" for name in sorted(some)
    ]
    harmless = [f"  {json.dumps(name)}" for name in sorted(kept.keys() - some.keys())]
    return '{\n "policies": {\n' + ",\n".join(lines) + '\n },\n "harmless": [\n' + ",\n".join(harmless) + "\n ]\n}\n"  # fmt: skip


def _kept(document: Any, asked: dict[str, set[tuple[str, str]]]) -> Any:
    services = {action.split(":")[0] for action in asked}
    for one in many(document["Statement"]):
        if "Action" in one:  # most are about other services
            one = one | {
                "Action": [
                    a
                    for a in many(one["Action"])
                    if a.split(":")[0] in services or "*" in a.split(":")[0]
                ]
            }
        alone = Allowed({"": {"Statement": one | {"Effect": "Allow"}}}, Holder("111111111111"))
        if one["Effect"] == "Deny":
            open_ = {action for action in asked if alone.allows[0].acts(action)}
        else:
            open_ = {a for a, how in asked.items() if any(alone.on(a, *each) for each in how)}
        if not open_:
            continue
        actions = [a for a in many(one.get("Action")) if any(covers(a.lower(), x) for x in open_)]
        yield {k: v for k, v in one.items() if k != "Sid"} | ({"Action": actions} if "Action" in one else {})  # fmt: skip


if __name__ == "__main__":
    PATH.write_text(made())
