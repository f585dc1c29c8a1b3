"""A simulated AWS as a process of its own, and what the tests make in it."""

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from urllib.request import Request, urlopen

import boto3
import botocore.session
from botocore.loaders import create_loader

from driftline.pipeline.local.process import Child, answers, free_port, wait_until
from tests.collectors import furnished

MASTER = "123456789012"
ALLOW_ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
)
ENV = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_MAX_ATTEMPTS": "2",
}  # fmt: skip

PROCESS = Path(__file__).with_name("moto_process.py")
MANAGED = (
    "AdministratorAccess",
    "AWSCloudShellFullAccess",
    "AWSSupportAccess",
    "IAMFullAccess",
    "ReadOnlyAccess",
)
LOADER = create_loader()
"""The service models are large: read once, not once a client."""


class Moto:
    """A moto_server on a free port."""

    def __init__(self, folder: Path, *, managed: bool = False, images: bool = True) -> None:
        """`managed`: with MANAGED of the policies that AWS manages; `images`: with a few images and their snapshots, in
        each region."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-P", str(PROCESS), "-H", "127.0.0.1", "-p", str(port)]
        more = {
            "MOTO_IAM_LOAD_MANAGED_POLICIES": str(managed).lower(),
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        }
        if managed:
            more["MOTO_TEST_MANAGED"] = ",".join(MANAGED)
        if images:
            more["MOTO_AMIS_PATH"] = str(folder.absolute() / "images.json")
        self.child = Child(command, folder / "moto.log", os.environ | more)
        wait_until(lambda: answers(port), 60, self.child, "moto_server")

    @property
    def env(self) -> dict[str, str]:
        """The environment that points every AWS client here."""
        return ENV | {"AWS_ENDPOINT_URL": self.url}

    def post(self, path: str, body: bytes = b"") -> None:
        """A call of moto's own API."""
        request = Request(
            f"{self.url}/moto-api/{path}", body, {"Content-Type": "text/plain"}, method="POST"
        )
        urlopen(request, timeout=60).close()

    def begin_anew(self) -> None:
        """Empties it; and until somebody says otherwise no call needs rights."""
        self.post("reset-auth", b"100000000")
        self.post("reset")

    def session(self, key: tuple[str, str, str | None] | None = None) -> boto3.Session:
        access, secret, token = key or (
            ENV["AWS_ACCESS_KEY_ID"],
            ENV["AWS_SECRET_ACCESS_KEY"],
            None,
        )
        inner = botocore.session.get_session()
        inner.register_component("data_loader", LOADER)
        return boto3.Session(access, secret, token, "us-east-1", inner)

    def client(self, service: str, region: str = "us-east-1", account: str | None = None) -> Any:
        """A client of the management account, or of another that was entered by a role."""
        session: Any = self.session()
        if account is not None:
            answer = self.client("sts").assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/Maker", RoleSessionName="tests"
            )
            got = answer["Credentials"]
            session = self.session(
                (got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])
            )
        return session.client(service, region_name=region, endpoint_url=self.url)


@contextmanager
def running(folder: Path, *, managed: bool = False, images: bool = True) -> Iterator[Moto]:
    """A moto_server for as long as it is needed."""
    moto = Moto(folder, managed=managed, images=images)
    try:
        yield moto
    finally:
        moto.child.kill()  # nobody needs its data


def organization(moto: Moto, members: int) -> list[str]:
    """Makes an organization with so many members; their ids."""
    client = moto.client("organizations")
    client.create_organization(FeatureSet="ALL")
    made = [
        client.create_account(Email=f"a{i}@example.com", AccountName=f"a{i}")
        for i in range(members)
    ]
    return [answer["CreateAccountStatus"]["AccountId"] for answer in made]


def furnish(moto: Moto) -> None:
    """Two of most types: one bare, one with everything that a row can read."""
    _iam(moto.client("iam"))
    _s3(moto)
    _ec2(moto.client("ec2"))
    _data(moto)
    for module in iter_modules(furnished.__path__):
        import_module(f"{furnished.__name__}.{module.name}").furnish(moto)


def _iam(iam: Any) -> None:
    iam.create_user(UserName="bare")
    iam.create_user(UserName="full", Tags=[{"Key": "team", "Value": "red"}])
    iam.create_access_key(UserName="full")
    iam.create_login_profile(UserName="full", Password="Correct-Horse-1!")
    iam.put_user_policy(UserName="full", PolicyName="own", PolicyDocument=ALLOW_ALL)
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
    serial = f"arn:aws:iam::{MASTER}:mfa/phone"
    iam.enable_mfa_device(
        UserName="full",
        SerialNumber=serial,
        AuthenticationCode1="123456",
        AuthenticationCode2="234567",
    )
    iam.create_group(GroupName="people")
    iam.add_user_to_group(GroupName="people", UserName="full")
    arn = iam.create_policy(PolicyName="everything", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="full", PolicyArn=arn)
    iam.create_role(RoleName="bare", AssumeRolePolicyDocument=ALLOW_ALL)
    iam.create_role(
        RoleName="full", AssumeRolePolicyDocument=OPEN, Tags=[{"Key": "team", "Value": "red"}]
    )
    iam.put_role_policy(RoleName="full", PolicyName="own", PolicyDocument=ALLOW_ALL)
    iam.attach_role_policy(RoleName="full", PolicyArn=arn)
    iam.update_account_password_policy(MinimumPasswordLength=14)


def _s3(moto: Moto) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="bare")
    name = {"Bucket": "full"}
    s3.create_bucket(**name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    s3.put_public_access_block(**name, PublicAccessBlockConfiguration=block)
    s3.put_bucket_encryption(
        **name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_versioning(**name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(**name, Policy=OPEN)
    s3.put_bucket_tagging(
        **name,
        Tagging={
            "TagSet": [{"Key": "env", "Value": "prod"}, {"Key": "db-password", "Value": "hunter22"}]
        },
    )
    s3.put_bucket_ownership_controls(
        **name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(**name, LifecycleConfiguration={"Rules": [rule]})
    s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_acl(Bucket="logs", ACL="log-delivery-write")
    s3.put_bucket_logging(
        **name,
        BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "x/"}},
    )
    control = moto.client("s3control")
    control.meta.events.register("before-sign", _to_own_host)
    control.put_public_access_block(AccountId=MASTER, PublicAccessBlockConfiguration=block)


def _to_own_host(request: Any, **_: Any) -> None:
    """Amazon has a host for each account there."""
    request.url = request.url.replace(f"//{MASTER}.", "//")


def _ec2(ec2: Any) -> None:
    group = ec2.describe_security_groups()["SecurityGroups"][0]
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission])
    ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "env", "Value": "dev"}]}]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags, UserData="#!/bin/sh\necho started\n")  # fmt: skip
    ec2.create_flow_logs(
        ResourceIds=[group["VpcId"]],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::bare",
    )


def _data(moto: Moto) -> None:
    kms = moto.client("kms")
    key = kms.create_key(Tags=[{"TagKey": "env", "TagValue": "prod"}])["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key)
    kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    moto.client("rds").create_db_instance(
        DBInstanceIdentifier="db", DBInstanceClass="db.t3.micro", Engine="postgres", MasterUsername="app", MasterUserPassword="not-a-secret", AllocatedStorage=20
    )  # fmt: skip
    _function(moto)
    sqs = moto.client("sqs")
    sqs.create_queue(QueueName="bare")
    sqs.create_queue(QueueName="full", Attributes={"Policy": OPEN}, tags={"env": "prod"})
    sns = moto.client("sns")
    sns.create_topic(Name="bare")
    sns.create_topic(Name="full", Tags=[{"Key": "env", "Value": "prod"}])
    secrets = moto.client("secretsmanager")
    secrets.create_secret(Name="bare", SecretString="not-a-secret")
    secrets.create_secret(
        Name="full", SecretString="not-a-secret", Tags=[{"Key": "env", "Value": "prod"}]
    )
    secrets.put_resource_policy(SecretId="full", ResourcePolicy=OPEN)
    moto.client("dynamodb").create_table(
        TableName="table", BillingMode="PAY_PER_REQUEST", SSESpecification={"Enabled": True},
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}], Tags=[{"Key": "env", "Value": "prod"}],
    )  # fmt: skip
    trail = moto.client("cloudtrail")
    trail.create_trail(
        Name="trail", S3BucketName="bare", TagsList=[{"Key": "env", "Value": "prod"}]
    )
    trail.start_logging(Name="trail")
    ecr = moto.client("ecr")
    ecr.create_repository(repositoryName="bare")
    ecr.create_repository(repositoryName="full", tags=[{"Key": "env", "Value": "prod"}])
    ecr.set_repository_policy(repositoryName="full", policyText=OPEN)


def _function(moto: Moto) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("own.py", "def handler(event, context): return 1")
    functions = moto.client("lambda")
    for name in ("bare", "full"):
        functions.create_function(
            FunctionName=name, Runtime="python3.12", Role=f"arn:aws:iam::{MASTER}:role/full", Handler="own.handler",
            Code={"ZipFile": packed.getvalue()}, Environment={"Variables": {"DB": "postgres://app:hunter22@db/app"}},
        )  # fmt: skip
    functions.add_permission(
        FunctionName="full", StatementId="all", Action="lambda:InvokeFunction", Principal="*"
    )
    functions.create_function_url_config(FunctionName="full", AuthType="NONE")
    arn = functions.get_function(FunctionName="full")["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"env": "prod"})
