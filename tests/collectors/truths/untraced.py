"""An account that has trails, of which none records everything."""

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::CloudTrail::AccountSettings"}
NEVER_FAILED: set[str] = set()
# one account has one answer: the module `cloudtrail` shows the other
NEVER_PASSED = {f"cloudtrail-account-{what}-recorded" for what in ("management", "s3-writes", "s3-reads")}  # fmt: skip


def build(moto: Moto) -> Truth:
    moto.client("s3").create_bucket(Bucket="bare")
    east, west = moto.client("cloudtrail"), moto.client("cloudtrail", "eu-west-1")
    objects = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]
    everything = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": objects}
    for client, name, wide, started, changes in (
        (east, "one-region", False, True, {}),
        (east, "stopped", True, False, {}),
        (west, "writes", True, True, {"ReadWriteType": "WriteOnly", "DataResources": []}),
        (west, "one-bucket", True, True, {"IncludeManagementEvents": False, "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::bare/"]}]}),
    ):  # fmt: skip
        client.create_trail(Name=name, S3BucketName="bare", IsMultiRegionTrail=wide)
        if started:
            client.start_logging(Name=name)
        client.put_event_selectors(TrailName=name, EventSelectors=[everything | changes])
    return {"cloudtrail": set(NEVER_PASSED)}
