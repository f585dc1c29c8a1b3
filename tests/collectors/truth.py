"""An account whose every flaw is known: what is made in it, and which rules each thing breaks.

Each maker gives {name, name@region or id: the ids of the rules that it breaks, without `aws-`}; one with none is a good twin."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.collectors.moto import ALLOW_ALL, MASTER, Moto, _to_own_host

OTHER = "222222222222"
Truth = dict[str, set[str]]
ALL_FOUR = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)  # fmt: skip
ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-example"}}
SEEMING = {"StringLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}
ROOT = f"arn:aws:iam::{MASTER}:root"


def policy(principal: Any, action: str, resource: Any = "*", condition: Any = None) -> str:
    """One Allow as a resource policy."""
    return document({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
                    | ({"Condition": condition} if condition else {}))  # fmt: skip


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def buckets(moto: Moto) -> Truth:
    s3 = moto.client("s3")
    plain = {"s3-bucket-default-encryption", "s3-bucket-versioning-enabled"}
    bare = plain | {"s3-bucket-public-access-blocked", "s3-bucket-tls-only"}
    public = bare | {"s3-bucket-policy-not-public"}
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    truth: Truth = {}

    def make(name: str, breaks: set[str], *statements: dict[str, Any], region: str = "eu-west-1") -> dict[str, str]:  # fmt: skip
        more: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}  # fmt: skip
        s3.create_bucket(Bucket=name, **more)
        here = [s | {"Resource": s.get("Resource", f"arn:aws:s3:::{name}/*")} for s in statements]
        if here:
            s3.put_bucket_policy(Bucket=name, Policy=document(*here))
        truth[name] = breaks
        return {"Bucket": name}

    def tls(name: str, **more: Any) -> dict[str, Any]:
        return {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}} | more  # fmt: skip

    good = make("good", set(), tls("good"), region="us-east-1")
    s3.put_public_access_block(**good, PublicAccessBlockConfiguration=ALL_FOUR)
    s3.put_bucket_versioning(**good, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(**good, ServerSideEncryptionConfiguration={"Rules": [rule]})
    make("bare", bare, region="us-east-1")
    suspended = make("suspended", bare)
    s3.put_bucket_versioning(**suspended, VersioningConfiguration={"Status": "Suspended"})
    make("public", public, anybody)
    make("for-organization", bare, anybody | {"Condition": ORGANIZATION})
    make("seems-narrow", public, anybody | {"Condition": {"StringLike": {"aws:PrincipalArn": "*"}}})
    make("half-world", public, anybody | {"Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}})  # fmt: skip
    make("one-office", bare, anybody | {"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}})  # fmt: skip
    make("if-it-exists", public, anybody | {"Condition": {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}})  # fmt: skip
    all_but = {"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "NotAction": "s3:DeleteBucket"}
    make("all-but-one", public, all_but)
    away = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}  # fmt: skip
    make("denied-elsewhere", bare, anybody, away)
    make("tls-for-objects", bare, tls("x", Resource="arn:aws:s3:::tls-for-objects/*"))
    make("tls-in-two", bare - {"s3-bucket-tls-only"}, tls("x", Resource="arn:aws:s3:::tls-in-two"), tls("x", Resource="arn:aws:s3:::tls-in-two/*"))  # fmt: skip
    blocked = make("public-but-blocked", bare - {"s3-bucket-public-access-blocked"}, anybody)
    s3.put_public_access_block(**blocked, PublicAccessBlockConfiguration=ALL_FOUR)
    three = make("three-switches", public, anybody)
    s3.put_public_access_block(**three, PublicAccessBlockConfiguration=ALL_FOUR | {"RestrictPublicBuckets": False})  # fmt: skip
    for name, acl, broken in (("acl-read", "public-read", True), ("acl-any-account", "authenticated-read", True), ("acl-logs", "log-delivery-write", False)):  # fmt: skip
        one = make(name, bare | ({"s3-bucket-acl-not-public"} if broken else set()))
        s3.put_bucket_acl(**one, ACL=acl)
    ignored = make("acl-ignored", bare)
    s3.put_bucket_acl(**ignored, ACL="public-read")
    s3.put_public_access_block(**ignored, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    return truth


@contextmanager
def blocked_account(moto: Moto) -> Iterator[None]:
    """The account's own four switches, for a while: they hold for every bucket."""
    control = moto.client("s3control")
    control.meta.events.register("before-sign", _to_own_host)
    control.put_public_access_block(AccountId=MASTER, PublicAccessBlockConfiguration=ALL_FOUR)
    yield
    control.delete_public_access_block(AccountId=MASTER)


def people(moto: Moto) -> Truth:
    """Users; every active key is too old (the test allows them no age)."""
    iam = moto.client("iam")
    truth: Truth = {}

    def make(name: str, *breaks: str) -> dict[str, str]:
        iam.create_user(UserName=name)
        truth[name] = {f"iam-user-{rule}" for rule in breaks}
        return {"UserName": name}

    def password(user: dict[str, str], mfa: bool) -> None:
        iam.create_login_profile(**user, Password="Correct-Horse-1!")
        if mfa:
            made = iam.create_virtual_mfa_device(VirtualMFADeviceName=user["UserName"])
            serial = made["VirtualMFADevice"]["SerialNumber"]
            iam.enable_mfa_device(**user, SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="234567")  # fmt: skip

    make("nothing")
    password(make("with-mfa"), mfa=True)
    password(make("without-mfa", "console-mfa-enabled"), mfa=False)
    iam.create_access_key(**make("old-key", "access-key-rotated"))
    idle = make("inactive-key")
    key = iam.create_access_key(**idle)["AccessKey"]["AccessKeyId"]
    iam.update_access_key(**idle, AccessKeyId=key, Status="Inactive")
    second = make("second-key", "access-key-rotated")
    first = iam.create_access_key(**second)["AccessKey"]["AccessKeyId"]
    iam.update_access_key(**second, AccessKeyId=first, Status="Inactive")
    iam.create_access_key(**second)
    direct, admin = "no-direct-policies", ("no-direct-admin", "no-privilege-escalation")
    iam.put_user_policy(**make("inline-admin", direct, *admin), PolicyName="x", PolicyDocument=ALLOW_ALL)  # fmt: skip
    iam.put_user_policy(**make("inline-reader", direct), PolicyName="x", PolicyDocument=document({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}))  # fmt: skip
    iam.put_user_policy(**make("inline-power", direct, "no-privilege-escalation"), PolicyName="x", PolicyDocument=document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}))  # fmt: skip
    managed = "arn:aws:iam::aws:policy"
    iam.attach_user_policy(
        **make("managed-admin", direct, *admin), PolicyArn=f"{managed}/AdministratorAccess"
    )
    iam.attach_user_policy(**make("managed-reader", direct), PolicyArn=f"{managed}/ReadOnlyAccess")
    iam.create_group(GroupName="admins")
    iam.attach_group_policy(GroupName="admins", PolicyArn=f"{managed}/AdministratorAccess")
    iam.add_user_to_group(GroupName="admins", **make("by-group", *admin))
    iam.update_account_password_policy(MinimumPasswordLength=14, PasswordReusePrevention=5)
    # moto's root user has no device and no key
    return truth | {"account": {"iam-password-policy-strong", "iam-root-mfa-enabled"}}


def policies(moto: Moto) -> Truth:
    iam = moto.client("iam")
    truth: Truth = {}
    admin = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    mfa = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    for name, statement, broken in (
        ("p-admin", admin, True),
        ("p-admin-in-lists", {"Effect": "Allow", "Action": ["s3:*", "*:*"], "Resource": ["*"]}, True),
        ("p-service-admin", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, False),
        ("p-power", {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, False),
        ("p-admin-with-mfa", admin | mfa, False),
    ):  # fmt: skip
        iam.create_policy(PolicyName=name, PolicyDocument=document(statement))
        truth[name] = {"iam-policy-no-full-admin"} if broken else set()
    made = iam.create_policy(PolicyName="p-mended", PolicyDocument=document(admin))["Policy"]["Arn"]
    harmless = document({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"})
    iam.create_policy_version(PolicyArn=made, PolicyDocument=harmless, SetAsDefault=True)
    public, third = "iam-role-trust-not-public", "iam-role-trust-third-party-guarded"
    other = {"AWS": f"arn:aws:iam::{OTHER}:root"}
    outside = {"StringEquals": {"sts:ExternalId": "a-long-one"}}
    for name, principal, condition, breaks in (
        ("r-service", {"Service": "ec2.amazonaws.com"}, None, set()),
        ("r-everybody", {"AWS": "*"}, None, {public}),
        ("r-everybody-by-id", {"AWS": "*"}, outside, {public}),
        ("r-organization", {"AWS": "*"}, ORGANIZATION, set()),
        ("r-any-organization", {"AWS": "*"}, {"StringLike": {"aws:PrincipalOrgID": "o-*"}}, {public}),
        ("r-own", {"AWS": ROOT}, None, set()),
        ("r-other", other, None, {third}),
        ("r-other-by-number", {"AWS": OTHER}, None, {third}),
        ("r-other-by-id", other, outside, set()),
        ("r-other-by-any-id", other, {"StringLike": {"sts:ExternalId": "*"}}, {third}),
    ):  # fmt: skip
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        more: dict[str, Any] = {"Condition": condition} if condition else {}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust | more))
        truth[name] = set(breaks)
    return truth | {"p-mended": set()}


def network(moto: Moto) -> Truth:
    """Groups, machines, volumes and networks in eu-west-1; what AWS makes by itself has its flaws in both regions."""
    ec2 = moto.client("ec2", "eu-west-1")
    ssh, rdp = "ec2-security-group-no-ssh-from-internet", "ec2-security-group-no-rdp-from-internet"
    truth: Truth = {}

    def rule(low: int, high: int, protocol: str = "tcp", *, four: str = "", six: str = "") -> dict[str, Any]:  # fmt: skip
        ports = {} if protocol == "-1" else {"FromPort": low, "ToPort": high}
        more: dict[str, Any] = {"IpRanges": [{"CidrIp": four}]} if four else {}
        return {"IpProtocol": protocol} | ports | more | ({"Ipv6Ranges": [{"CidrIpv6": six}]} if six else {})  # fmt: skip

    world = "0.0.0.0/0"
    for name, breaks, rules in (
        ("g-none", set(), []),
        ("g-ssh", {ssh}, [rule(22, 22, four=world)]),
        ("g-ssh-by-six", {ssh}, [rule(22, 22, six="::/0")]),
        ("g-range", {ssh}, [rule(0, 1024, four=world)]),
        ("g-all-ports", {ssh, rdp}, [rule(0, 65535, four=world)]),
        ("g-all-protocols", {ssh, rdp}, [rule(0, 0, "-1", four=world)]),
        ("g-rdp-udp", {rdp}, [rule(3389, 3389, "udp", four=world)]),
        ("g-halves", {ssh}, [rule(22, 22, four="0.0.0.0/1"), rule(22, 22, four="128.0.0.0/1")]),
        ("g-web", set(), [rule(443, 443, four=world), rule(80, 80, six="::/0")]),
        ("g-office", set(), [rule(22, 22, four="203.0.113.0/24"), rule(3389, 3389, four="10.0.0.0/8")]),
        ("g-around", set(), [rule(23, 3388, four=world)]),
        ("g-ping", set(), [rule(-1, -1, "icmp", four=world)]),
    ):  # fmt: skip
        made = ec2.create_security_group(GroupName=name, Description="x")["GroupId"]
        if rules:
            ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=rules)
        truth[name] = set(breaks)

    def machine(name: str, **options: Any) -> str:
        more = {"MetadataOptions": options} if options else {}
        device = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 1, "Encrypted": True}}]
        made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, BlockDeviceMappings=device, **more)["Instances"][0]["InstanceId"]  # fmt: skip
        truth[made] = {"ec2-instance-imdsv2-required"} if name == "v1" else set()
        return str(made)

    machine("v1", HttpTokens="optional", HttpEndpoint="enabled")
    machine("v2", HttpTokens="required", HttpEndpoint="enabled")
    machine("off", HttpTokens="optional", HttpEndpoint="disabled")
    gone = machine("gone", HttpTokens="optional", HttpEndpoint="enabled")
    ec2.terminate_instances(InstanceIds=[gone])
    for encrypted in (True, False):
        volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=1, Encrypted=encrypted)
        truth[volume["VolumeId"]] = set() if encrypted else {"ec2-volume-encrypted"}
    for volume in ec2.describe_volumes()["Volumes"]:
        truth.setdefault(volume["VolumeId"], set() if volume["Encrypted"] else {"ec2-volume-encrypted"})  # fmt: skip
    # the key that AWS makes for encrypted volumes; moto takes it for the customer's
    for key in moto.client("kms", "eu-west-1").list_keys()["Keys"]:
        truth[key["KeyId"]] = {"kms-key-rotation-enabled"}
    truth |= {
        "ebs-defaults@eu-west-1": {"ec2-ebs-default-encryption"},
        "ebs-defaults@us-east-1": set(),
    }
    moto.client("ec2", "us-east-1").enable_ebs_encryption_by_default()
    return truth | _networks(moto)


def _networks(moto: Moto) -> Truth:
    truth: Truth = {}
    for region in ("us-east-1", "eu-west-1"):
        ec2 = moto.client("ec2", region)
        for vpc in ec2.describe_vpcs()["Vpcs"]:
            truth[vpc["VpcId"]] = {"ec2-vpc-flow-logs-enabled"}
    ec2 = moto.client("ec2", "eu-west-1")
    closed = ""
    for traffic in ("ALL", "REJECT", "ACCEPT"):
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", TrafficType=traffic, LogDestinationType="s3", LogDestination="arn:aws:s3:::bare")  # fmt: skip
        truth[vpc] = {"ec2-vpc-flow-logs-enabled"} if traffic == "ACCEPT" else set()
        closed = vpc
    for region in ("us-east-1", "eu-west-1"):
        found = moto.client("ec2", region).describe_security_groups()["SecurityGroups"]
        for group in [group for group in found if group["GroupName"] == "default"]:
            truth[group["GroupId"]] = {"ec2-security-group-default-closed"}
            if group["VpcId"] == closed:
                every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
                ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=every)
                ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])  # fmt: skip
                truth[group["GroupId"]] = set()
    return truth
