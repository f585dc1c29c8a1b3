"""An ordinary account of some 400 resources in the simulated AWS."""

import io
import json
import zipfile
from typing import Any

from tests.collectors.moto import MASTER, Moto

REGIONS = ("us-east-1", "eu-west-1")
TAGS = [{"Key": "env", "Value": "prod"}, {"Key": "team", "Value": "payments"}]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})  # fmt: skip
READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::data-*"}]})  # fmt: skip


def populate(moto: Moto) -> int:
    """Makes it; how many resources were made (the simulated AWS has some of its own)."""
    return _iam(moto) + _buckets(moto) + sum(_regional(moto, region) for region in REGIONS)


def _iam(moto: Moto) -> int:
    iam = moto.client("iam")
    for number in range(30):
        name = f"person-{number}"
        iam.create_user(UserName=name, Tags=TAGS)
        iam.create_access_key(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=READ)
        iam.create_role(RoleName=f"task-{number}", AssumeRolePolicyDocument=TRUST)
        iam.put_role_policy(RoleName=f"task-{number}", PolicyName="own", PolicyDocument=READ)
    for number in range(10):
        iam.create_policy(PolicyName=f"read-{number}", PolicyDocument=READ)
    return 70


def _buckets(moto: Moto) -> int:
    s3 = moto.client("s3")
    for number in range(50):
        name = f"data-{number}"
        s3.create_bucket(Bucket=name)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": TAGS})
        if number % 2:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True))  # fmt: skip
    return 50


def _regional(moto: Moto, region: str) -> int:
    def client(service: str) -> Any:
        return moto.client(service, region)

    ec2 = client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for number in range(40):
        group = ec2.create_security_group(GroupName=f"web-{number}", Description="bench", VpcId=vpc)["GroupId"]  # fmt: skip
        source = "0.0.0.0/0" if number % 4 == 0 else "10.0.0.0/8"
        ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp=source)  # fmt: skip
    ec2.run_instances(ImageId="ami-12345678", MinCount=15, MaxCount=15)
    for number in range(15):
        ec2.create_volume(AvailabilityZone=f"{region}a", Size=8, Encrypted=number % 2 == 0)
    for number in range(15):
        client("sqs").create_queue(QueueName=f"jobs-{number}", tags={"env": "prod"})
        client("sns").create_topic(Name=f"news-{number}", Tags=TAGS)
        client("secretsmanager").create_secret(Name=f"db-{number}", SecretString="not-a-secret")
        client("dynamodb").create_table(
            TableName=f"orders-{number}", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        )  # fmt: skip
    for number in range(8):
        client("kms").create_key(Tags=[{"TagKey": "env", "TagValue": "prod"}])
        client("ecr").create_repository(repositoryName=f"images-{number}")
        client("rds").create_db_instance(DBInstanceIdentifier=f"db-{number}", DBInstanceClass="db.t3.micro", Engine="postgres",
                                         MasterUsername="app", MasterUserPassword="not-a-secret", AllocatedStorage=20)  # fmt: skip
    _functions(client("lambda"))
    client("cloudtrail").create_trail(Name=f"trail-{region}", S3BucketName="data-0")
    return 40 + 15 + 15 + 4 * 15 + 3 * 8 + 10 + 1


def _functions(functions: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("own.py", "def handler(event, context): return 1")
    for number in range(10):
        functions.create_function(
            FunctionName=f"work-{number}", Runtime="python3.12", Role=f"arn:aws:iam::{MASTER}:role/task-0",
            Handler="own.handler", Code={"ZipFile": packed.getvalue()},
        )  # fmt: skip
