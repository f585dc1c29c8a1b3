"""Searching, streams, files, analytics and machine learning: one bare, one with everything."""

from typing import Any

from tests.collectors.moto import MASTER, OPEN, Moto

TAGS = [{"Key": "env", "Value": "prod"}]
ROLE = f"arn:aws:iam::{MASTER}:role/full"


def furnish(moto: Moto) -> None:
    for make in (_search, _documents, _notebooks, _kafka, _streams, _files, _glue, _machines, _emr, _dms, _queries):  # fmt: skip
        make(moto)


def _search(moto: Moto) -> None:
    client = moto.client("opensearch")
    client.create_domain(DomainName="bare")
    client.create_domain(
        DomainName="full", EngineVersion="OpenSearch_2.19", AccessPolicies=OPEN, TagList=TAGS,
        EncryptionAtRestOptions={"Enabled": True}, NodeToNodeEncryptionOptions={"Enabled": True},
        VPCOptions={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        DomainEndpointOptions={"EnforceHTTPS": True, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
        LogPublishingOptions={"AUDIT_LOGS": {"Enabled": True, "CloudWatchLogsLogGroupArn": f"arn:aws:logs:us-east-1:{MASTER}:log-group:audit"}},
        AdvancedSecurityOptions={"Enabled": True, "InternalUserDatabaseEnabled": False},
    )  # fmt: skip


def _documents(moto: Moto) -> None:
    client = moto.client("ssm")
    content = '{"schemaVersion": "2.2", "description": "x", "mainSteps": []}'
    client.create_document(Name="bare", Content=content, DocumentType="Command")
    client.create_document(Name="full", Content=content, DocumentType="Command", Tags=TAGS)
    client.modify_document_permission(Name="full", PermissionType="Share", AccountIdsToAdd=["All"])


def _notebooks(moto: Moto) -> None:
    client = moto.client("sagemaker")
    common: dict[str, Any] = {"InstanceType": "ml.t3.medium", "RoleArn": ROLE}
    client.create_notebook_instance(NotebookInstanceName="bare", **common)
    client.create_notebook_instance(
        NotebookInstanceName="full", SubnetId="subnet-1", SecurityGroupIds=["sg-1"], DirectInternetAccess="Disabled",
        RootAccess="Disabled", Tags=TAGS, **common,
    )  # fmt: skip
    for name, tags in (("bare", []), ("full", TAGS)):
        container = {"Image": "x", "Environment": {"DB": "postgres://app:hunter22@db/app"}}
        client.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=tags
        )


def _kafka(moto: Moto) -> None:
    client = moto.client("kafka")
    brokers: dict[str, Any] = {"InstanceType": "kafka.m5.large", "ClientSubnets": ["subnet-1", "subnet-2"]}  # fmt: skip
    client.create_cluster(
        ClusterName="bare", BrokerNodeGroupInfo=brokers, KafkaVersion="3.6.0", NumberOfBrokerNodes=2
    )
    client.create_cluster(
        ClusterName="full", KafkaVersion="3.6.0", NumberOfBrokerNodes=2, Tags={"env": "prod"},
        BrokerNodeGroupInfo=brokers | {"ConnectivityInfo": {"PublicAccess": {"Type": "DISABLED"}}},
        ClientAuthentication={"Sasl": {"Iam": {"Enabled": True}}, "Unauthenticated": {"Enabled": False}},
        EncryptionInfo={"EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": True}},
    )  # fmt: skip
    iam = {"Sasl": {"Iam": {"Enabled": True}}}
    network = [{"SubnetIds": ["subnet-1"]}]
    client.create_cluster_v2(
        ClusterName="serverless", Serverless={"VpcConfigs": network, "ClientAuthentication": iam}
    )


def _streams(moto: Moto) -> None:
    client = moto.client("kinesis")
    client.create_stream(StreamName="bare", ShardCount=1)
    client.create_stream(StreamName="full", ShardCount=1)
    client.add_tags_to_stream(StreamName="full", Tags={"env": "prod"})
    client.start_stream_encryption(
        StreamName="full", EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    client.put_resource_policy(
        ResourceARN=f"arn:aws:kinesis:us-east-1:{MASTER}:stream/full", Policy=OPEN
    )
    hoses = moto.client("firehose")
    goal = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bare"}
    hoses.create_delivery_stream(DeliveryStreamName="bare", ExtendedS3DestinationConfiguration=goal)
    hoses.create_delivery_stream(
        DeliveryStreamName="full", ExtendedS3DestinationConfiguration=goal, Tags=TAGS,
    )  # fmt: skip
    hoses.start_delivery_stream_encryption(
        DeliveryStreamName="full",
        DeliveryStreamEncryptionConfigurationInput={"KeyType": "AWS_OWNED_CMK"},
    )


def _files(moto: Moto) -> None:
    client = moto.client("efs")
    made = client.create_file_system(CreationToken="full", Encrypted=True, Tags=TAGS)
    system = made["FileSystemId"]
    client.create_access_point(ClientToken="bare", FileSystemId=system)
    owner = {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}
    client.create_access_point(
        ClientToken="full", FileSystemId=system, PosixUser={"Uid": 1000, "Gid": 1000}, Tags=TAGS,
        RootDirectory={"Path": "/app", "CreationInfo": owner},
    )  # fmt: skip


def _glue(moto: Moto) -> None:
    client = moto.client("glue")
    command = {"Name": "glueetl", "ScriptLocation": "s3://bare/script.py"}
    client.create_job(Name="bare", Role=ROLE, Command=command)
    client.create_job(
        Name="full", Role=ROLE, Command=command, GlueVersion="5.0", SecurityConfiguration="own", Tags={"env": "prod"},
        DefaultArguments={"--password": "hunter22"},
    )  # fmt: skip
    client.create_connection(
        ConnectionInput={
            "Name": "db",
            "ConnectionType": "JDBC",
            "ConnectionProperties": {"USERNAME": "app", "PASSWORD": "hunter22"},
        }
    )
    client.put_resource_policy(PolicyInJson=OPEN)
    client.put_data_catalog_encryption_settings(
        DataCatalogEncryptionSettings={
            "EncryptionAtRest": {"CatalogEncryptionMode": "SSE-KMS"},
            "ConnectionPasswordEncryption": {"ReturnConnectionPasswordEncrypted": True},
        }
    )


def _machines(moto: Moto) -> None:
    client = moto.client("stepfunctions")
    definition = '{"StartAt": "x", "States": {"x": {"Type": "Succeed"}}}'
    client.create_state_machine(name="bare", definition=definition, roleArn=ROLE)
    group = {"logGroupArn": f"arn:aws:logs:us-east-1:{MASTER}:log-group:states:*"}
    client.create_state_machine(
        name="full", definition=definition, roleArn=ROLE, tags=[{"key": "env", "value": "prod"}],
        loggingConfiguration={"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": group}]},
    )  # fmt: skip


def _emr(moto: Moto) -> None:
    moto.client("emr").put_block_public_access_configuration(
        BlockPublicAccessConfiguration={
            "BlockPublicSecurityGroupRules": True,
            "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
        }
    )


def _dms(moto: Moto) -> None:
    client = moto.client("dms")
    common: dict[str, Any] = {"ReplicationInstanceClass": "dms.t3.micro"}
    client.create_replication_instance(
        ReplicationInstanceIdentifier="bare", PubliclyAccessible=False, **common
    )
    client.create_replication_instance(
        ReplicationInstanceIdentifier="full", PubliclyAccessible=True, Tags=TAGS, **common
    )
    common = {
        "EndpointType": "source",
        "Username": "app",
        "Password": "not-a-secret",
        "ServerName": "db.example.com",
        "Port": 5432,
    }
    client.create_endpoint(EndpointIdentifier="bare", EngineName="postgres", **common)
    client.create_endpoint(
        EndpointIdentifier="full", EngineName="postgres", SslMode="verify-full", Tags=TAGS, **common
    )


def _queries(moto: Moto) -> None:
    client = moto.client("athena")
    client.create_work_group(
        Name="full", Tags=TAGS,
        Configuration={
            "ResultConfiguration": {"OutputLocation": "s3://bare/", "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
            "EnforceWorkGroupConfiguration": True, "PublishCloudWatchMetricsEnabled": True,
        },
    )  # fmt: skip
