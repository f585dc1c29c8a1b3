"""The second half of the known account (truth.py): what stores, sends, runs, encrypts and records."""

import io
import zipfile
from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import (
    ORGANIZATION,
    OTHER,
    ROOT,
    SEEMING,
    Truth,
    buckets,
    document,
    network,
    people,
    policies,
    policy,
)

OWN_SOURCE = {"StringEquals": {"aws:SourceAccount": MASTER}}


def build(moto: Moto) -> Truth:
    """Makes the account, in us-east-1 and eu-west-1."""
    truth: Truth = {}
    for maker in (buckets, people, policies, network, stores, senders, functions, keys, trails):
        made = maker(moto)
        assert not truth.keys() & made.keys()
        truth |= made
    return truth


def shared(prefix: str, rule: str, action: str) -> dict[str, tuple[str | None, set[str]]]:
    """Resource policies to try on every kind that has one: name to (policy, the rules that it breaks)."""
    broken = {rule}
    return {
        f"{prefix}-none": (None, set()),
        f"{prefix}-public": (policy("*", action), broken),
        f"{prefix}-public-map": (policy({"AWS": ["*"]}, action), broken),
        f"{prefix}-own": (policy({"AWS": ROOT}, action), set()),
        f"{prefix}-other": (policy({"AWS": OTHER}, action), set()),
        f"{prefix}-service": (policy({"Service": "events.amazonaws.com"}, action), set()),
        f"{prefix}-organization": (policy("*", action, condition=ORGANIZATION), set()),
        f"{prefix}-source": (policy("*", action, condition=OWN_SOURCE), set()),
        f"{prefix}-seeming": (policy("*", action, condition=SEEMING), broken),
        f"{prefix}-tls": (policy("*", action, condition={"Bool": {"aws:SecureTransport": "true"}}), broken),
        f"{prefix}-denied": (document(
            {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalAccount": MASTER}}},
        ), set()),
    }  # fmt: skip


def stores(moto: Moto) -> Truth:
    truth: Truth = {}
    rds = moto.client("rds", "eu-west-1")
    for name, public, encrypted, days, breaks in (
        ("db-good", False, True, 7, set()),
        ("db-public", True, True, 35, {"rds-instance-not-public"}),
        ("db-plain", False, False, 7, {"rds-instance-storage-encrypted"}),
        ("db-forgetful", False, True, 1, {"rds-instance-backups-kept"}),
    ):
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.t3.micro", Engine="postgres", MasterUsername="app", MasterUserPassword="not-a-secret",
            AllocatedStorage=20, PubliclyAccessible=public, StorageEncrypted=encrypted, BackupRetentionPeriod=days,
        )  # fmt: skip
        truth[name] = set(breaks)
    tables = moto.client("dynamodb", "eu-west-1")
    for name in ("t-plain", "t-restorable"):
        tables.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        )  # fmt: skip
    tables.update_continuous_backups(TableName="t-restorable", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})  # fmt: skip
    truth |= {"t-plain": {"dynamodb-table-point-in-time-recovery"}, "t-restorable": set()}
    secrets, unrotated = moto.client("secretsmanager", "eu-west-1"), "secretsmanager-secret-rotated"
    for name, (text, breaks) in shared("s", "secretsmanager-secret-policy-not-public", "secretsmanager:GetSecretValue").items():  # fmt: skip
        secrets.create_secret(Name=name, SecretString="not-a-secret")
        if text:
            secrets.put_resource_policy(SecretId=name, ResourcePolicy=text)
        truth[name] = breaks | {unrotated}
    secrets.create_secret(Name="s-rotated", SecretString="not-a-secret")
    secrets.rotate_secret(SecretId="s-rotated", RotationRules={"AutomaticallyAfterDays": 30})
    secrets.create_secret(Name="s-going", SecretString="not-a-secret")
    secrets.delete_secret(SecretId="s-going", RecoveryWindowInDays=7)
    images = moto.client("ecr", "eu-west-1")
    for name, (text, breaks) in shared("e", "ecr-repository-policy-not-public", "ecr:BatchGetImage").items():  # fmt: skip
        images.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
        if text:
            images.set_repository_policy(repositoryName=name, policyText=text)
        truth[name] = breaks
    images.create_repository(repositoryName="e-mutable")
    return truth | {"s-rotated": set(), "e-mutable": {"ecr-repository-tags-immutable"}}


def senders(moto: Moto) -> Truth:
    sqs, sns, truth = moto.client("sqs", "eu-west-1"), moto.client("sns", "eu-west-1"), Truth()
    for name, (text, breaks) in shared("q", "sqs-queue-policy-not-public", "sqs:SendMessage").items():  # fmt: skip
        sqs.create_queue(QueueName=name, Attributes={"Policy": text} if text else {})
        truth[name] = breaks
    for name, (text, breaks) in shared("n", "sns-topic-policy-not-public", "sns:Publish").items():
        arn = sns.create_topic(Name=name)["TopicArn"]  # with the policy that AWS makes
        if text:
            sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text)
        truth[name] = breaks
    return truth


def functions(moto: Moto) -> Truth:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("own.py", "def handler(event, context): return 1")
    client = moto.client("lambda", "eu-west-1")
    public, url = "lambda-function-policy-not-public", "lambda-function-url-authenticated"
    permissions: dict[str, tuple[dict[str, str] | None, str | None, set[str]]] = {
        "f-none": (None, None, set()),
        "f-public": ({"Principal": "*"}, None, {public}),
        "f-service": ({"Principal": "sns.amazonaws.com"}, None, set()),
        # as Lambda answers, whoever is named by his number
        "f-other": ({"Principal": f"arn:aws:iam::{OTHER}:root"}, None, set()),
        "f-of-account": ({"Principal": "*", "SourceAccount": MASTER}, None, set()),
        "f-open-url": (None, "NONE", {url}),
        "f-signed-url": (None, "AWS_IAM", set()),
    }
    for name, (permission, auth, _) in permissions.items():
        client.create_function(FunctionName=name, Runtime="python3.12", Role=f"arn:aws:iam::{MASTER}:role/r-service", Handler="own.handler", Code={"ZipFile": packed.getvalue()})  # fmt: skip
        if permission:
            client.add_permission(FunctionName=name, StatementId="x", Action="lambda:InvokeFunction", **permission)  # fmt: skip
        if auth:
            client.create_function_url_config(FunctionName=name, AuthType=auth)
    return {name: breaks for name, (_, _, breaks) in permissions.items()}


def keys(moto: Moto) -> Truth:
    kms, truth = moto.client("kms", "eu-west-1"), Truth()
    rotation = "kms-key-rotation-enabled"

    def make(breaks: set[str], **more: Any) -> str:
        made = str(kms.create_key(**more)["KeyMetadata"]["KeyId"])
        truth[made] = breaks
        return made

    for text, breaks in shared("k", "kms-key-policy-not-public", "kms:Decrypt").values():
        kms.enable_key_rotation(KeyId=make(breaks, **({"Policy": text} if text else {})))
    make({rotation})
    make(set(), KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    make(set(), KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    make(set(), Origin="EXTERNAL")
    kms.disable_key(KeyId=make(set()))
    going = make(set(), Policy=policy("*", "kms:*"))
    kms.schedule_key_deletion(KeyId=going, PendingWindowInDays=7)
    return truth


def trails(moto: Moto) -> Truth:
    client = moto.client("cloudtrail", "us-east-1")
    logging, validation = "cloudtrail-trail-logging", "cloudtrail-trail-log-validation"
    truth: Truth = {}
    for name, everywhere, proof, started, selectors, breaks in (
        ("trail-good", True, True, True, None, set()),
        ("trail-one-region", False, True, True, None, {logging}),
        ("trail-stopped", True, False, False, None, {logging, validation}),
        ("trail-writes", True, True, True, {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}, {logging}),
    ):  # fmt: skip
        client.create_trail(Name=name, S3BucketName="bare", IsMultiRegionTrail=everywhere, EnableLogFileValidation=proof)  # fmt: skip
        if started:
            client.start_logging(Name=name)
        if selectors:
            client.put_event_selectors(TrailName=name, EventSelectors=[selectors])
        truth[name] = set(breaks)
    return truth
