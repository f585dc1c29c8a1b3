"""The output that `terraform show -json` would have for the demo's role."""

import json
from pathlib import Path
from typing import Any


def plan(folder: Path, arn: str, trust: dict[str, Any]) -> Path:
    """Writes a plan at the applied commit to a file."""
    values = {
        "arn": arn,
        "name": arn.rsplit("/", 1)[-1],
        "assume_role_policy": json.dumps(trust),
        "max_session_duration": 3600,
    }
    role = {
        "address": "aws_iam_role.demo",
        "mode": "managed",
        "type": "aws_iam_role",
        "name": "demo",
        "values": values,
    }
    named = {key: role[key] for key in ("address", "mode", "type", "name")}
    set_ = ("name", "assume_role_policy", "max_session_duration")
    block = named | {
        "provider_config_key": "aws",
        "expressions": {key: {"constant_value": values[key]} for key in set_},
    }
    path = folder / "plan.json"
    path.write_text(
        json.dumps(
            {
                "format_version": "1.2",
                "complete": True,
                "errored": False,
                "planned_values": {"root_module": {"resources": [role]}},
                "resource_changes": [named | {"change": {"actions": ["no-op"]}}],
                "configuration": {"root_module": {"resources": [block]}},
            }
        )
    )
    return path


def trusts(account: str) -> dict[str, Any]:
    """A statement that allows access from another account."""
    return {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
    }
