"""Groups, identity providers, contacts and an organization."""

import json
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

READS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)


def furnish(moto: Any) -> None:
    iam = moto.client("iam")
    iam.create_group(GroupName="bare")
    iam.put_group_policy(GroupName="people", PolicyName="own", PolicyDocument=READS)
    arn = iam.create_policy(PolicyName="reads", PolicyDocument=READS)["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="people", PolicyArn=arn)
    # a user's boundary is written into the recording by hand: the simulated AWS has none
    iam.put_role_permissions_boundary(RoleName="full", PermissionsBoundary=arn)
    iam.create_open_id_connect_provider(Url="https://bare.example.com")
    iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com",
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=["6938fd4d98bab03faadb97b34396831e3780aea1"],
        Tags=[{"Key": "team", "Value": "red"}],
    )
    contact = {"EmailAddress": "security@example.com", "Name": "On call", "PhoneNumber": "+1 555 0100", "Title": "Security"}  # fmt: skip
    moto.client("account").put_alternate_contact(AlternateContactType="SECURITY", **contact)
    organizations = moto.client("organizations")
    with suppress(ClientError):  # where the test has made one
        organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    made = organizations.create_policy(
        Content=READS, Description="x", Name="reads", Type="SERVICE_CONTROL_POLICY"
    )
    organizations.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=root)
