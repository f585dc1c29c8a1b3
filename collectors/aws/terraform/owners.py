"""Of which resource a part is: a policy of a role, a bucket's versioning. By name, in the same account; never by a guess."""

from collections.abc import Iterable

from driftline.collectors.aws.api.partitions import of_region
from driftline.collectors.aws.terraform.code import Code
from driftline.collectors.aws.terraform.document import Resource

BUCKET = "aws_s3_bucket"


class OwnerUnknown(Exception):
    """Why it is not known whose part this is."""


class ResourceOwners:
    """The resources of one file, by what others name them by."""

    def __init__(self, resources: Iterable[Resource], code: Code | None, partition: str) -> None:
        self._code, self._partition = code, partition
        self._named: dict[tuple[str, str, str], list[Resource]] = {}
        self._accounts: dict[str, set[str]] = {}
        self._partitions: dict[str, set[str]] = {}
        for one in resources:
            for attribute in ("name", "id", "bucket", "arn", "url", "key_id"):
                if isinstance(value := one.values.get(attribute), str) and value:
                    self._named.setdefault((one.type, attribute, value), []).append(one)
            arn = one.values.get("arn")
            if isinstance(arn, str) and arn.count(":") >= 5:
                provider = self._provider(one)
                self._partitions.setdefault(provider, set()).add(arn.split(":")[1])
                if account := arn.split(":")[4]:
                    self._accounts.setdefault(provider, set()).add(account)

    def _provider(self, one: Resource) -> str:
        block = self._code.block(one.address) if self._code else None
        return block.provider if block else ""

    def find(self, one: Resource, type_: str, attributes: Iterable[str], name: object) -> str:
        """The ARN of the resource that `one` is a part of. Raises Unowned."""
        found = {
            owner.address: owner
            for attribute in attributes
            for owner in self._named.get((type_, attribute, str(name)), ())
        }
        if not found:
            raise OwnerUnknown(f"its {type_} {name} is not in this workspace")
        arns = {str(owner.values.get("arn") or "") for owner in found.values()}
        if "" in arns:
            raise OwnerUnknown(f"its {type_} {name} has no ARN before it is applied")
        if self._code:
            own = self._provider(one)
            arns = {str(owner.values["arn"]) for owner in found.values() if self._together(own, self._provider(owner))}  # fmt: skip
        if len(arns) != 1:
            raise OwnerUnknown(
                f"it is not known in which account its {type_} {name} is: "
                + ("several have this name" if len(found) > 1 else "another provider made it")
            )
        return arns.pop()

    def _together(self, one: str, other: str) -> bool:
        """Whether two providers work in one account, as far as this file shows."""
        accounts, others = self._accounts.get(one, set()), self._accounts.get(other, set())
        return len(others) <= 1 and (one == other or (accounts == others and len(accounts) == 1))

    def bucket(self, one: Resource, name: str) -> tuple[str, str]:
        """A bucket's ARN, and what was assumed. A bucket's name is unique in its partition."""
        arns = {
            str(owner.values["arn"])
            for attribute in ("bucket", "id")
            for owner in self._named.get((BUCKET, attribute, name), ())
            if owner.values.get("arn")
        }
        if len(arns) == 1:
            return arns.pop(), ""
        partition, assumed = self._partition_of(one)
        arn = f"arn:{partition}:s3:::{name}"
        if arns and (assumed or arn not in arns):
            raise OwnerUnknown(f"it is not known which of the buckets {name} it is of")
        return arn, assumed

    def _partition_of(self, one: Resource) -> tuple[str, str]:
        provider = self._provider(one)
        regions = [one.values.get("region"), self._region(provider)]
        for region in regions:
            if isinstance(region, str) and (partition := of_region(region)):
                return partition, ""
        for known in (self._partitions.get(provider, set()), set().union(*self._partitions.values())):  # fmt: skip
            if len(known) == 1:
                return next(iter(known)), ""
            if known:
                raise OwnerUnknown("it is not known in which partition its bucket is: the plan has resources in several")  # fmt: skip
        return self._partition, f"its partition is not in the plan: taken as {self._partition} (--partition)"  # fmt: skip

    def _region(self, provider: str) -> object:
        return self._code.region(provider) if self._code else None
