"""The service models that botocore carries, without what no row calls: sixty services take a third of the memory, and
a region's clients half of the time."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader

from driftline.collectors.aws.row import kinds

OURS = {
    "cloudtrail": {"LookupEvents"},
    "ec2": {"DescribeRegions"},
    "organizations": {
        "DescribeOrganization",
        "ListAccounts",
        "ListAccountsForParent",
        "ListOrganizationalUnitsForParent",
        "ListRoots",
    },
    "s3": {
        "GetObject",
        "HeadBucket",
        "ListObjectsV2",
    },  # HeadBucket: botocore's own, where a bucket has moved
    "sqs": {"ChangeMessageVisibilityBatch", "DeleteMessageBatch", "ReceiveMessage"},
    "sts": {"AssumeRole", "GetCallerIdentity"},
}
"""Operations that are called beside the rows'."""


class SlimLoader(Loader):
    """Loads a service model with the operations that are called, their shapes, and no documentation."""

    def __init__(self) -> None:
        super().__init__()
        self._slim: dict[tuple[str, str, str | None], Any] = {}

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        operations = called().get(service_name)
        if operations is None or type_name != "service-2":
            return super().load_service_model(service_name, type_name, api_version)
        key = (service_name, type_name, api_version)
        if (
            key not in self._slim
        ):  # by a loader that is forgotten: botocore's own keeps what it reads
            whole = Loader().load_service_model(service_name, type_name, api_version)
            self._slim[key] = slim(whole, operations)
        return self._slim[key]


@cache
def called() -> dict[str, set[str]]:
    """The operations by service."""
    out = {service: set(operations) for service, operations in OURS.items()}
    for kind in kinds().values():
        for service, operation, _ in kind.calls():
            out.setdefault(service, set()).add(operation)
    return out


def slim(model: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """A service model's part that some of its operations need."""
    chosen = {name: _plain(model["operations"][name]) for name in operations}
    shapes: dict[str, Any] = {}
    waiting = list(_shapes(chosen))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _plain(model["shapes"][name])
            waiting += _shapes(shapes[name])
    rest = {key: value for key, value in model.items() if key != "documentation"}
    return rest | {"operations": chosen, "shapes": shapes}


def _shapes(value: Any) -> Iterator[str]:
    """The names of shapes that a piece of a model refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for item in value.values():
            yield from _shapes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _shapes(item)


def _plain(value: Any) -> Any:
    """A piece of a model without its documentation (a member of that name stays: it is no text)."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if not (key == "documentation" and isinstance(item, str))
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value
