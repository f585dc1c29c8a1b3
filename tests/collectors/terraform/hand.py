"""Plans made by hand: whole ones, as `terraform show -json` of Terraform 1.11 would write them, of resources with what code
sets of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driftline.collectors.aws.terraform import read
from driftline.collectors.declared import DeclaredResources

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "111111111111"


def resource(type_: str, name: str, values: dict[str, Any], *unset: str, **more: Any) -> dict[str, Any]:  # fmt: skip
    """A resource whose code sets every value but `unset`, its id and its ARN, as constants; `expressions` say more."""
    expressions = {key: {"constant_value": value} for key, value in values.items() if key not in ("id", "arn", *unset)}  # fmt: skip
    return {
        "address": f"{type_}.{name}", "mode": "managed", "type": type_, "name": name, "values": values,
        "provider": more.pop("provider", "aws"), "expressions": expressions | more.pop("expressions", {}), **more,
    }  # fmt: skip


def plan(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole plan that changes nothing."""
    named = [{key: one[key] for key in ("address", "mode", "type", "name")} for one in resources]
    about = list(zip(named, resources, strict=True))
    return {
        "format_version": "1.2", "terraform_version": "1.11.4", "complete": True, "errored": False,
        "planned_values": {"root_module": {"resources": [name | {"values": one["values"], "sensitive_values": one.get("sensitive_values", {})} for name, one in about]}},
        "resource_changes": [name | {"change": {"actions": ["no-op"], **one.get("change", {})}} for name, one in about],
        "resource_drift": [name | {"change": {"actions": ["update"], **one["drift"]}} for name, one in about if "drift" in one],
        "prior_state": {"values": {"root_module": {"resources": []}}},
        "configuration": {
            "provider_config": {"aws": {"name": "aws", "expressions": {"region": {"constant_value": "eu-west-1"}}}},
            "root_module": {"resources": [name | {"provider_config_key": one["provider"], "expressions": one["expressions"]} for name, one in about]},
        },
    } | more  # fmt: skip


def told(tmp_path: Path, data: Any, **more: Any) -> DeclaredResources:
    path = tmp_path / "plan.json"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return read(path, "main", more.pop("ignored", ()), NOW, **more)


def expected(found: DeclaredResources) -> dict[str, dict[str, Any]]:
    return {record.uid: record.expect for record in found.records}
