"""Streams of Kinesis and Firehose, clusters of Kafka."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth
from tests.collectors.truth_data import shared

TYPES = {"AWS::Kinesis::Stream", "AWS::KinesisFirehose::DeliveryStream", "AWS::MSK::Cluster"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
PLAIN, SHORT = "kinesis-stream-encrypted", "kinesis-stream-retention"
TLS, PUBLIC, ANYBODY = (f"msk-cluster-{it}" for it in ("encrypted-in-transit", "not-public", "authenticated"))  # fmt: skip


def build(moto: Moto) -> Truth:
    return _streams(moto) | _hoses(moto) | _clusters(moto)


def _streams(moto: Moto) -> Truth:
    client, truth = moto.client("kinesis", "eu-west-1"), Truth()
    for name, (text, breaks) in shared("st", "kinesis-stream-policy-not-public", "kinesis:GetRecords").items():  # fmt: skip
        client.create_stream(StreamName=name, ShardCount=1)
        if text:
            arn = f"arn:aws:kinesis:eu-west-1:{MASTER}:stream/{name}"
            client.put_resource_policy(ResourceARN=arn, Policy=text)
        truth[name] = breaks | {PLAIN, SHORT}
    for name, encrypted, hours, breaks in (
        ("st-good", True, 168, set()),
        ("st-longer", True, 8760, set()),
        ("st-hour-less", True, 167, {SHORT}),
        ("st-plain", False, 168, {PLAIN}),
    ):
        client.create_stream(StreamName=name, ShardCount=1)
        client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
        if encrypted:
            client.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")  # fmt: skip
        truth[name] = set(breaks)
    return truth


def _hoses(moto: Moto) -> Truth:
    client, plain = moto.client("firehose", "eu-west-1"), "firehose-stream-encrypted"
    role = f"arn:aws:iam::{MASTER}:role/x"
    goal: dict[str, Any] = {"ExtendedS3DestinationConfiguration": {"RoleARN": role, "BucketARN": "arn:aws:s3:::x"}}  # fmt: skip
    key: dict[str, Any] = {"DeliveryStreamEncryptionConfigurationInput": {"KeyType": "AWS_OWNED_CMK"}}  # fmt: skip
    for name in ("h-good", "h-plain", "h-stopped"):
        client.create_delivery_stream(DeliveryStreamName=name, **goal)
    for name in ("h-good", "h-stopped"):
        client.start_delivery_stream_encryption(DeliveryStreamName=name, **key)
    client.stop_delivery_stream_encryption(DeliveryStreamName="h-stopped")
    source = {"KinesisStreamARN": f"arn:aws:kinesis:eu-west-1:{MASTER}:stream/st-good", "RoleARN": role}  # fmt: skip
    client.create_delivery_stream(
        DeliveryStreamName="h-of-stream", DeliveryStreamType="KinesisStreamAsSource", KinesisStreamSourceConfiguration=source, **goal
    )  # fmt: skip
    for number in range(20):  # more than AWS tells without being asked for
        client.create_delivery_stream(DeliveryStreamName=f"h-{number}", **goal)
    many = {f"h-{number}": {plain} for number in range(20)}
    return many | {"h-good": set(), "h-plain": {plain}, "h-stopped": {plain}, "h-of-stream": set()}


def _clusters(moto: Moto) -> Truth:
    client, truth = moto.client("kafka", "eu-west-1"), Truth()
    tls = {"EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": True}}
    both = {"EncryptionInTransit": {"ClientBroker": "TLS_PLAINTEXT", "InCluster": True}}
    within = {"EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": False}}
    iam = {"Sasl": {"Iam": {"Enabled": True}}, "Unauthenticated": {"Enabled": False}}
    anybody = {"Sasl": {"Iam": {"Enabled": True}}, "Unauthenticated": {"Enabled": True}}
    nobody = {"Sasl": {"Iam": {"Enabled": False}, "Scram": {"Enabled": False}}}
    for name, encryption, asked, access, breaks in (
        ("m-good", tls, iam, "DISABLED", set()),
        ("m-scram", tls, {"Sasl": {"Scram": {"Enabled": True}}}, "DISABLED", set()),
        ("m-certificates", tls, {"Tls": {"Enabled": True}}, None, set()),
        ("m-public", tls, iam, "SERVICE_PROVIDED_EIPS", {PUBLIC}),
        ("m-both", both, iam, None, {TLS}),
        ("m-within", within, iam, None, {TLS}),
        ("m-anybody", tls, anybody, None, {ANYBODY}),
        ("m-nobody", tls, nobody, None, {ANYBODY}),
        ("m-bare", None, None, None, {TLS, ANYBODY}),
    ):
        connectivity = {"ConnectivityInfo": {"PublicAccess": {"Type": access}}} if access else {}
        more = {"EncryptionInfo": encryption, "ClientAuthentication": asked} if asked else {}
        client.create_cluster(
            ClusterName=name, KafkaVersion="3.6.0", NumberOfBrokerNodes=2,
            BrokerNodeGroupInfo={"InstanceType": "kafka.m5.large", "ClientSubnets": ["subnet-1", "subnet-2"], **connectivity}, **more,
        )  # fmt: skip
        truth[name] = set(breaks)
    client.create_cluster_v2(
        ClusterName="m-serverless", Serverless={"VpcConfigs": [{"SubnetIds": ["subnet-1"]}]}
    )
    return truth | {"m-serverless": set()}
