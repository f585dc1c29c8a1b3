"""A simulated AWS organization (moto): three accounts, two regions, compliant and faulty resources in known places."""

import json
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from driftline.pipeline.demo.truth import (
    BLOCK,
    ENCRYPTED,
    MFA,
    RDP,
    ROTATION,
    SSH,
    TRUST,
    VERSIONS,
    Statuses,
)
from driftline.pipeline.local.process import Child, answers, free_port, wait_until

REGIONS = ("us-east-1", "eu-west-1")
READER = "DriftlineReader"
TYPES = ("AWS::S3::Bucket", "AWS::IAM::User", "AWS::IAM::Role", "AWS::IAM::AccountSummary", "AWS::KMS::Key",
         "AWS::EC2::SecurityGroup", "AWS::EC2::Volume", "AWS::EC2::VPC", "AWS::EC2::EBSDefaults")  # fmt: skip
"""The types of resources in the organization; the collector reads only these."""
GROUPS, KEYS, VOLUMES = 20, 2, 8
"""Per region and account."""
BUCKETS, USERS, ROLES = 7, 6, 5
"""In each account."""
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NO_BUCKETS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Resource": "*", "NotAction": ["s3:*"]}]}  # fmt: skip
BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def world(port: int) -> list[dict[str, Any]]:
    """Ingress from everywhere to one port."""
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]  # fmt: skip


def trusting(principal: dict[str, str]) -> str:
    """A role's trust policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def anybody_reads(bucket: str) -> str:
    """A bucket policy that lets everyone read its objects."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Estate:
    """The running organization. `truth` has the expected findings."""

    def __init__(self, folder: Path, env: dict[str, str], clock: Callable[[], float]) -> None:
        self.port = free_port()
        command = [sys.executable, "-P", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]  # fmt: skip
        self.child = Child(command, folder / "moto.txt", env)
        wait_until(lambda: answers(self.port), 60, self.child, "the simulated AWS", clock)
        self.management = "123456789012"
        self.accounts = [self.management]
        self.truth: Statuses = {}
        self._turn = threading.Lock()
        """Creating a client is not thread-safe."""
        self._keys: dict[str, dict[str, str]] = {
            self.management: {"aws_access_key_id": "demo", "aws_secret_access_key": "demo"}
        }
        self.collector: dict[str, str] = {}
        """The environment of the collector."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, account: str | None = None, region: str = REGIONS[0]) -> Any:
        """A client with administrator rights in an account."""
        with self._turn:
            return boto3.client(
                service,
                region_name=region,
                endpoint_url=self.url,
                **self._keys[account or self.management],
                config=Config(
                    inject_host_prefix=False, retries={"max_attempts": 2}, read_timeout=300
                ),
            )  # type: ignore[call-overload]

    def build(self, tell: Callable[[str], None]) -> int:
        """Creates everything; returns the number of resources."""
        organizations = self.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        for name in ("production", "sandbox"):
            status = organizations.create_account(AccountName=name, Email=f"{name}@example.com")
            self.accounts.append(status["CreateAccountStatus"]["AccountId"])
        tell("accounts: " + ", ".join(self.accounts))
        self._enter()
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(self._global, account) for account in self.accounts]
            jobs += [pool.submit(self._regional, a, r) for a in self.accounts for r in REGIONS]
            return sum(job.result() for job in jobs)

    def _enter(self) -> None:
        """An administrator for the demo and a reader for the collector, with roles for both in each account."""
        iam = self.client("iam")
        for name in ("administrator", "driftline"):
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(ALL))
            id, secret = key["AccessKeyId"], key["SecretAccessKey"]
            if name == "administrator":
                self._keys[self.management] = {"aws_access_key_id": id, "aws_secret_access_key": secret}  # fmt: skip
            else:
                self.collector = {
                    "AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": self.url,
                    "AWS_DEFAULT_REGION": REGIONS[0], "AWS_EC2_METADATA_DISABLED": "true",
                }  # fmt: skip
        trust = trusting({"AWS": f"arn:aws:iam::{self.management}:root"})
        for account in self.accounts[1:]:
            self._keys[account] = self._assumed(account, "Administrator")
            iam = self.client("iam", account)
            for role in ("Administrator", READER):
                iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
                iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(ALL))
            self._keys[account] = self._assumed(account, "Administrator")

    def _assumed(self, account: str, role: str) -> dict[str, str]:
        given = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="demo"
        )["Credentials"]
        return {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"]}  # fmt: skip

    def expect(self, rule: str, uid: str, *, bad: bool) -> None:
        """Records a new resource and the expected result of a rule."""
        self.truth[rule, uid] = "open" if bad else "clear"

    def _global(self, account: str) -> int:
        s3, iam = self.client("s3", account), self.client("iam", account)
        for number in range(BUCKETS):
            name = self.bucket(account, number)
            s3.create_bucket(Bucket=name)
            if number % 3:
                s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=BLOCKED)
            if number % 2:
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            self.expect(BLOCK, f"arn:aws:s3:::{name}", bad=number % 3 == 0)
            self.expect(VERSIONS, f"arn:aws:s3:::{name}", bad=number % 2 == 0)
        for number in range(USERS):
            uid = iam.create_user(UserName=f"user-{number}")["User"]["Arn"]
            if number % 2:
                iam.create_login_profile(UserName=f"user-{number}", Password="not-a-secret-1A!")  # noqa: S106 - of nobody
                self.expect(MFA, uid, bad=True)
        for number in range(ROLES):
            bad = number == ROLES - 1
            trust = trusting({"AWS": "*"} if bad else {"Service": "ec2.amazonaws.com"})
            uid = iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=trust)["Role"]["Arn"]  # fmt: skip
            self.expect(TRUST, uid, bad=bad)
        return BUCKETS + USERS + ROLES

    def _regional(self, account: str, region: str) -> int:
        ec2, kms = self.client("ec2", account, region), self.client("kms", account, region)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        mine = f"arn:aws:ec2:{region}:{account}"
        for number in range(GROUPS):
            group = ec2.create_security_group(
                GroupName=f"group-{number}", Description="demo", VpcId=vpc
            )["GroupId"]
            for rule, port, open_ in ((SSH, 22, 0), (RDP, 3389, 1)):
                if number == open_:
                    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=world(port))
                self.expect(rule, f"{mine}:security-group/{group}", bad=number == open_)
        key: dict[str, Any] = {}
        for number in range(KEYS):
            key = kms.create_key()["KeyMetadata"]
            if number:
                kms.enable_key_rotation(KeyId=key["KeyId"])
            self.expect(ROTATION, key["Arn"], bad=number == 0)
        for number in range(VOLUMES):
            # with an explicit key, otherwise moto creates a customer key
            how = {"Encrypted": True, "KmsKeyId": key["Arn"]} if number % 2 else {}
            volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=1, **how)
            self.expect(ENCRYPTED, f"{mine}:volume/{volume['VolumeId']}", bad=number % 2 == 0)
        return GROUPS + KEYS + VOLUMES

    @staticmethod
    def bucket(account: str, number: int) -> str:
        return f"data-{account}-{number}"

    def group(self, account: str, region: str, name: str) -> str:
        """A security group's id."""
        found = self.client("ec2", account, region).describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [name]}]
        )
        return str(found["SecurityGroups"][0]["GroupId"])

    def enforce(self, *, on: bool) -> None:
        """Whether permissions are enforced from now on."""
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.url}/moto-api/reset-auth",
            data=b"0" if on else b"inf",
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        urllib.request.urlopen(request, timeout=10).read()  # noqa: S310

    def permit(self, account: str, *, buckets: bool) -> None:
        """Allows the reader of an account everything, or everything except buckets."""
        policy = ALL if buckets else NO_BUCKETS
        self.client("iam", account).put_role_policy(
            RoleName=READER, PolicyName="all", PolicyDocument=json.dumps(policy)
        )
