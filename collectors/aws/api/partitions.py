"""AWS's partitions, from the data that botocore carries: which there are, which one a region is of, where each answers
for its global services."""

import re
from functools import cache
from typing import NamedTuple

from botocore.loaders import Loader

DEFAULT = "aws"


class AwsPartition(NamedTuple):
    id: str
    """As ARNs name it: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`, `aws-iso`, …"""
    home: str
    """The region where global services (IAM, Organizations, STS) answer."""
    regions: frozenset[str]
    pattern: re.Pattern[str]
    """How its regions are named: newer ones than botocore knows too."""


@cache
def partitions() -> dict[str, AwsPartition]:
    """Every partition by its id."""
    found = Loader().load_data("partitions")["partitions"]
    return {
        one["id"]: AwsPartition(
            one["id"], one["outputs"]["implicitGlobalRegion"], frozenset(one["regions"]), re.compile(one["regionRegex"])
        )
        for one in found
    }  # fmt: skip


@cache
def of_region(region: str) -> str | None:
    """The partition of a region; None for what is no region's name that botocore understands."""
    for one in partitions().values():
        if region in one.regions or one.pattern.fullmatch(region):
            return one.id
    return None


def home(partition: str) -> str:
    """Where a partition's global services answer; of an unknown one, where `aws` does."""
    known = partitions()
    return known.get(partition, known[DEFAULT]).home
