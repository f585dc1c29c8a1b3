"""Buckets, access points and the account's own block."""

from typing import Any

from tests.collectors.edge_made import to_own_host
from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import ALL_FOUR, OTHER, ROOT, Truth, buckets, document, policy

TYPES = {"AWS::S3::Bucket", "AWS::S3::AccountPublicAccessBlock", "AWS::S3::AccessPoint"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED = {
    "s3-account-public-access-blocked",  # an account has one block, and it would mend every bucket here
    "s3-bucket-mfa-delete-enabled",  # the simulated AWS does not keep it
}
UNTENDED = {f"s3-bucket-{rule}" for rule in ("access-logged", "lifecycle-configured", "mfa-delete-enabled", "acls-disabled")}  # fmt: skip
"""What a bucket breaks to which nothing was done, of the rules that tests.collectors.truth.buckets does not know."""
BARE = UNTENDED | {
    f"s3-bucket-{rule}" for rule in ("default-encryption", "versioning-enabled", "public-access-blocked", "tls-only")
}  # fmt: skip
CONTROL = "s3-bucket-policy-no-control-to-others"
LOGS = {"Service": "logging.s3.amazonaws.com"}


def build(moto: Moto) -> Truth:
    truth = {name: breaks | UNTENDED for name, breaks in buckets(moto).items()}
    truth["acl-logs"] -= {"s3-bucket-access-logged", "s3-bucket-acls-disabled"}
    truth["all-but-one"] |= {CONTROL}
    s3 = moto.client("s3", "eu-west-1")

    def make(name: str, breaks: set[str], text: str | None = None) -> dict[str, str]:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        if text:
            s3.put_bucket_policy(Bucket=name, Policy=text)
        truth[name] = breaks
        return {"Bucket": name}

    _tended(s3, make)
    _shared(s3, make)
    owned = make("owner-preferred", BARE)
    s3.put_bucket_ownership_controls(**owned, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})  # fmt: skip
    owner = s3.get_bucket_acl(**owned)["Owner"]
    cdn = {"ID": "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0", "Type": "CanonicalUser"}  # fmt: skip
    taking = make("cloudfront-logs", BARE - {"s3-bucket-acls-disabled"})
    s3.put_bucket_acl(**taking, AccessControlPolicy={"Owner": owner, "Grants": [{"Grantee": cdn, "Permission": "FULL_CONTROL"}]})  # fmt: skip
    return (
        truth | _access_points(moto) | {"public-access-block": {"s3-account-public-access-blocked"}}
    )


def _tended(s3: Any, make: Any) -> None:
    """A bucket without a flaw, and the one that takes its logs."""
    make("log-target", BARE - {"s3-bucket-access-logged"}, policy(LOGS, "s3:PutObject", "arn:aws:s3:::log-target/*"))  # fmt: skip
    tls = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::tended", "arn:aws:s3:::tended/*"],
           "Condition": {"Bool": {"aws:SecureTransport": "false"}}}  # fmt: skip
    tended = make("tended", set(), document(tls))
    s3.put_public_access_block(**tended, PublicAccessBlockConfiguration=ALL_FOUR)
    s3.put_bucket_versioning(**tended, VersioningConfiguration={"Status": "Enabled"})
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(**tended, ServerSideEncryptionConfiguration={"Rules": [default]})
    s3.put_bucket_logging(**tended, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "log-target", "TargetPrefix": "x/"}})  # fmt: skip
    s3.put_bucket_ownership_controls(**tended, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})  # fmt: skip
    idle = make("lifecycle-disabled", BARE - {"s3-bucket-mfa-delete-enabled"})
    for bucket, status in ((tended, "Enabled"), (idle, "Disabled")):
        rule = {"ID": "old", "Status": status, "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
        s3.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": [rule]})


def _shared(s3: Any, make: Any) -> None:
    """Buckets whose policies let other accounts in."""
    other = {"AWS": f"arn:aws:iam::{OTHER}:root"}
    make("others-control", BARE | {CONTROL}, policy(other, "s3:*"))
    make("others-change-policy", BARE | {CONTROL}, policy(other, "s3:PutBucketPol*"))
    make("others-all-but-reading", BARE | {CONTROL}, document({"Effect": "Allow", "Principal": other, "NotAction": "s3:Get*", "Resource": "*"}))  # fmt: skip
    make("others-read", BARE, policy(other, "s3:GetObject"))
    make("own-control", BARE, policy({"AWS": ROOT}, "s3:*"))
    make("service-control", BARE, policy({"Service": "config.amazonaws.com"}, "s3:*"))
    allow = {"Effect": "Allow", "Principal": other, "Action": "s3:*", "Resource": "*"}
    deny = {"Effect": "Deny", "NotPrincipal": {"AWS": ROOT}, "Action": ["s3:Put*", "s3:DeleteBucketPolicy"], "Resource": "*"}  # fmt: skip
    make("others-denied-control", BARE, document(allow, deny))
    everybody = make("everybody-restricted", BARE - {"s3-bucket-public-access-blocked"}, policy("*", "s3:*"))  # fmt: skip
    s3.put_public_access_block(**everybody, PublicAccessBlockConfiguration=ALL_FOUR)
    named = make("others-not-restricted", BARE - {"s3-bucket-public-access-blocked"} | {CONTROL}, policy(other, "s3:*"))  # fmt: skip
    s3.put_public_access_block(**named, PublicAccessBlockConfiguration=ALL_FOUR)


def _access_points(moto: Moto) -> Truth:
    control = moto.client("s3control", "eu-west-1")
    control.meta.events.register("before-sign", to_own_host)
    open_, public = "s3-access-point-public-access-blocked", "s3-access-point-policy-not-public"
    none = dict.fromkeys(ALL_FOUR, False)
    truth: Truth = {}
    for name, switches, principal, vpc, breaks in (
        ("ap-blocked", ALL_FOUR, "*", None, set()),
        ("ap-open", none, None, None, {open_}),
        ("ap-public", none, "*", None, {open_, public}),
        ("ap-named", none, {"AWS": ROOT}, None, {open_}),
        ("ap-restricted", none | {"RestrictPublicBuckets": True}, "*", None, {open_}),
        ("ap-only-one-off", ALL_FOUR | {"IgnorePublicAcls": False}, None, None, {open_}),
        ("ap-in-vpc", none, "*", "vpc-0123", set()),
    ):  # fmt: skip
        more = {"VpcConfiguration": {"VpcId": vpc}} if vpc else {}
        control.create_access_point(AccountId=MASTER, Name=name, Bucket="tended", PublicAccessBlockConfiguration=switches, **more)  # fmt: skip
        if principal:
            text = policy(principal, "s3:GetObject", f"arn:aws:s3:eu-west-1:{MASTER}:accesspoint/{name}/object/*")  # fmt: skip
            control.put_access_point_policy(AccountId=MASTER, Name=name, Policy=text)
        truth[name] = breaks
    return truth
