"""A simulated AWS organization (moto): three accounts, two regions, good and bad resources in known places."""

import json
import os
import sys
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from pipeline.local.process import Child, answers, free_port, wait_until

REGIONS = ("us-east-1", "eu-west-1")
READER = "DriftlineReader"
GROUPS, BUCKETS, USERS, ROLES, KEYS, VOLUMES = 15, 10, 8, 8, 3, 3
"""In each account: groups, keys and volumes in each region, the others once."""
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
WORLD_SSH = [
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
]


class Estate:
    """The organization while it lives."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        server = Path(sys.executable).parent / "moto_server"
        self.child = Child(
            [str(server), "-H", "127.0.0.1", "-p", str(self.port)], folder / "moto.txt"
        )
        wait_until(lambda: answers(self.port), 60, self.child, "the simulated AWS")
        self.management = "123456789012"
        self.accounts = [self.management]
        self._keys: dict[str, dict[str, str]] = {
            self.management: {"aws_access_key_id": "demo", "aws_secret_access_key": "demo"}
        }
        self.collector: dict[str, str] = {}
        """The environment that the collector runs with."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, account: str | None = None, region: str = REGIONS[0]) -> Any:
        """A client of an administrator of an account."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            **self._keys[account or self.management],
            config=Config(inject_host_prefix=False, retries={"max_attempts": 2}),
        )  # type: ignore[call-overload]

    def build(self, tell: Callable[[str], None]) -> int:
        """Makes everything; says how many resources."""
        organizations = self.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        for name in ("production", "sandbox"):
            status = organizations.create_account(AccountName=name, Email=f"{name}@example.com")
            self.accounts.append(status["CreateAccountStatus"]["AccountId"])
        tell("accounts: " + ", ".join(self.accounts))
        self._users()
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(self._global, account) for account in self.accounts]
            jobs += [pool.submit(self._regional, a, r) for a in self.accounts for r in REGIONS]
            return sum(job.result() for job in jobs)

    def _users(self) -> None:
        """An administrator for us and a reader for the collector; in each account a role for both."""
        iam = self.client("iam")
        for name in ("administrator", "driftline"):
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(ALL))
            pair = {
                "aws_access_key_id": key["AccessKeyId"],
                "aws_secret_access_key": key["SecretAccessKey"],
            }
            if name == "administrator":
                self._keys[self.management] = pair
            else:
                self.collector = {
                    "AWS_ACCESS_KEY_ID": pair["aws_access_key_id"],
                    "AWS_SECRET_ACCESS_KEY": pair["aws_secret_access_key"],
                    "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGIONS[0],
                    "AWS_EC2_METADATA_DISABLED": "true",
                }  # fmt: skip
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.management}:root"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
        for account in self.accounts[1:]:
            self._keys[account] = self._assumed(account, "Administrator")
            iam = self.client("iam", account)
            for role in ("Administrator", READER):
                iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
                iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(ALL))
            self._keys[account] = self._assumed(account, "Administrator")

    def _assumed(self, account: str, role: str) -> dict[str, str]:
        given = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="demo"
        )["Credentials"]
        return {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"]}  # fmt: skip

    def _global(self, account: str) -> int:
        s3, iam = self.client("s3", account), self.client("iam", account)
        for number in range(BUCKETS):
            name = self.bucket(account, number)
            s3.create_bucket(Bucket=name)
            if number % 3:
                s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=BLOCKED)
            if number % 2:
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for number in range(USERS):
            name = f"user-{number}"
            iam.create_user(UserName=name)
            if number % 2:
                iam.create_login_profile(UserName=name, Password="not-a-secret-1A!")  # noqa: S106 - of nobody
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ec2.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        for number in range(ROLES):
            if number == ROLES - 1:
                trust["Statement"][0]["Principal"] = {"AWS": "*"}  # type: ignore[index]
            iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=json.dumps(trust))
        return BUCKETS + USERS + ROLES

    def _regional(self, account: str, region: str) -> int:
        ec2, kms = self.client("ec2", account, region), self.client("kms", account, region)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for number in range(GROUPS):
            group = ec2.create_security_group(
                GroupName=f"group-{number}", Description="demo", VpcId=vpc
            )["GroupId"]
            if number == 0:
                ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=WORLD_SSH)
        for number in range(KEYS):
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            if number:
                kms.enable_key_rotation(KeyId=key)
        for _ in range(VOLUMES):
            ec2.create_volume(AvailabilityZone=f"{region}a", Size=1)
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

    def enforce(self) -> None:
        """From now on permissions count."""
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.url}/moto-api/reset-auth",
            data=b"0",
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        urllib.request.urlopen(request, timeout=10).read()  # noqa: S310

    def permit(self, account: str, *, buckets: bool) -> None:
        """Gives the reader of an account everything, or all but buckets."""
        policy = ALL if buckets else {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["iam:*", "ec2:*", "kms:*", "sts:*"], "Resource": "*"}],
        }  # fmt: skip
        self.client("iam", account).put_role_policy(
            RoleName=READER, PolicyName="all", PolicyDocument=json.dumps(policy)
        )


ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DRIFTLINE_"))
}
"""Ours, without what a person has set for a real cloud."""
