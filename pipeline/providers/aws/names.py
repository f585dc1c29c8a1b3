"""ARNs, and the consoles of AWS's partitions."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from driftline.pipeline.providers.provider import ResourceNames

DOMAINS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
"""The console's host for each partition with a public console."""


def _steps(uid: str) -> list[str]:
    return re.split(r"[:/]", uid.split(":", 5)[-1])


def _last(name: str) -> str:
    return re.split(r"[:/]", name)[-1] or name if name.startswith(("arn:", "https:")) else name


def _origin(resource: Mapping[str, Any]) -> str | None:
    domain = DOMAINS.get(str(resource["uid"]).split(":")[1] if ":" in resource["uid"] else "")
    return domain and f"https://{domain}/"


NAMES = ResourceNames(
    _steps, _last, files("driftline.pipeline.providers") / "aws" / "consoles.yaml", _origin
)
