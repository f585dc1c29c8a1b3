"""An account's policies, asked for once: every identity gets the documents of its own."""

from typing import Any

from driftline.collectors.aws.sweep.joins import attached_documents, group_policies, policies

OWN = "arn:aws:iam::111111111111:policy/"


def version(document: Any, *, default: bool = True) -> dict[str, Any]:
    return {"Document": document, "IsDefaultVersion": default}


ANSWER = {
    "Policies": [
        {"Arn": OWN + "a", "PolicyVersionList": [version("old", default=False), version("new")]},
        {"Arn": OWN + "b", "PolicyVersionList": [version("b")]},
        {"Arn": OWN + "c", "PolicyVersionList": [version("c")]},
    ],
    "GroupDetailList": [
        {
            "GroupName": "devs", "Arn": "arn:aws:iam::111111111111:group/devs",
            "GroupPolicyList": [{"PolicyName": "own", "PolicyDocument": "inline"}],
            "AttachedManagedPolicies": [{"PolicyArn": OWN + "b"}, {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        },
        {"GroupName": "others", "Arn": "arn:aws:iam::111111111111:group/others"},
    ],
}  # fmt: skip
KNOWN = policies(ANSWER)


def test_the_documents_of_what_is_attached_and_of_the_boundary() -> None:
    attached = [{"PolicyArn": OWN + "a"}, {"PolicyArn": OWN + "gone"}]
    config = {"attached_policies": attached, "boundary": {"PermissionsBoundaryArn": OWN + "c"}}
    assert attached_documents(KNOWN, config) == {OWN + "a": "new", OWN + "c": "c"}
    assert attached_documents(KNOWN, {"attached_policies": [], "boundary": None}) == {}
    assert attached_documents(policies({}), config) == {}


def test_the_policies_of_the_groups_that_a_user_is_in() -> None:
    found = group_policies(KNOWN, {"groups": [{"GroupName": "devs"}, {"GroupName": "new"}]})
    assert found["new"] is None  # not among the answers yet: not known
    assert found["devs"] == {
        "arn": "arn:aws:iam::111111111111:group/devs", "inline_policies": {"own": "inline"},
        "attached_policies": [{"PolicyArn": OWN + "b"}, {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        "attached_documents": {OWN + "b": "b"},
    }  # fmt: skip
    assert group_policies(KNOWN, {"groups": []}) == {}
