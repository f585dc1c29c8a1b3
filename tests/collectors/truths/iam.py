"""People, groups, roles and policies; an account and an organization that nobody has set up."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth, document, people, policies

TYPES = {
    "AWS::IAM::AccountSummary", "AWS::IAM::Group", "AWS::IAM::Policy", "AWS::IAM::Role",
    "AWS::IAM::User", "AWS::Account::Contacts", "AWS::Organizations::Organization",
}  # fmt: skip
NEVER_FAILED = {
    "iam-root-no-access-keys", "iam-root-hardware-mfa",  # moto's root user has neither keys nor devices
    "iam-user-password-used", "iam-user-access-key-used", "iam-user-one-active-key",  # nothing here is days old
    "organizations-organization-service-control-policies",  # an organization for one bill has none to have
}  # fmt: skip
NEVER_PASSED = {
    "iam-root-mfa-enabled", "iam-root-hardware-mfa",
    # there is one account, and one organization: tests.collectors.truths.account has them in order
    "iam-password-policy-strong", "iam-password-policy-characters", "iam-password-policy-expires", "iam-support-role-exists",
    "iam-cloudshell-not-unrestricted", "account-security-contact-set", "organizations-organization-all-features",
    "organizations-organization-service-control-policies",
}  # fmt: skip
GITHUB, EKS = "token.actions.githubusercontent.com", "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
TRUST = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})  # fmt: skip


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


RIGHTS: dict[str, tuple[set[str], list[dict[str, Any]]]] = {
    "all": ({"admin", "decrypt"}, [allow("*")]),
    "passes": (set(), [allow("iam:PassRole")]),
    "passes-and-starts": ({"escalate"}, [allow("iam:PassRole", f"arn:aws:iam::{MASTER}:role/*"), allow("ec2:RunInstances")]),
    "runs": ({"code"}, [allow("lambda:UpdateFunctionCode")]),
    "runs-one": (set(), [allow("lambda:UpdateFunctionCode", f"arn:aws:lambda:eu-west-1:{MASTER}:function:f")]),
    "all-over-tls": ({"admin", "decrypt"}, [allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}})]),
    "all-with-mfa": (set(), [allow("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})]),
    "writes-itself": ({"escalate-user"}, [allow("iam:PutUserPolicy", "arn:aws:iam::*:user/${aws:username}")]),
    "takes": ({"escalate"}, [allow(["s3:*", "sts:Assume*"])]),
    "all-but-iam": ({"escalate", "decrypt"}, [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]),
    "decrypts": ({"decrypt"}, [allow("kms:Decrypt")]),
    "decrypts-region": ({"decrypt"}, [allow("kms:*", f"arn:aws:kms:eu-west-1:{MASTER}:key/*")]),
    "passes-to-ec2": (set(), [allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})]),
    "passes-one": (set(), [allow("iam:PassRole", f"arn:aws:iam::{MASTER}:role/app-*")]),
    "own-keys": (set(), [allow("iam:*AccessKey*", f"arn:aws:iam::{MASTER}:user/${{aws:username}}")]),
    "walled": (set(), [allow(["iam:*", "s3:*"]), allow("iam:*") | {"Effect": "Deny"}]),
    "decrypts-one": (set(), [allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{MASTER}:key/1234")]),
    "decrypts-by-s3": (set(), [allow("kms:Decrypt", Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})]),
    "encrypts": (set(), [allow(["kms:Encrypt", "kms:GenerateDataKey*"])]),
}  # fmt: skip
"""What statements lead to."""
WHOLE = {"takes", "all-but-iam", "decrypts-region", "walled", "all-with-mfa"}
"""Those that take in all that a service can."""


def build(moto: Moto) -> Truth:
    truth = people(moto) | policies(moto)
    truth["admins"] = {"iam-group-no-privilege-escalation"}
    truth["inline-admin"] |= {"iam-user-no-decrypt-with-every-key"}
    truth["inline-power"] |= {"iam-user-no-decrypt-with-every-key"}
    iam = moto.client("iam")
    iam.create_user(UserName="two-keys")
    for _ in range(2):
        iam.create_access_key(UserName="two-keys")
    truth["two-keys"] = {"iam-user-access-key-rotated"}
    for name, active in (("key-at-setup", True), ("key-at-setup-off", False)):
        iam.create_user(UserName=name)
        iam.create_login_profile(UserName=name, Password="Correct-Horse-1!")
        key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
        truth[name] = {"iam-user-console-mfa-enabled"}
        if active:
            truth[name] |= {"iam-user-access-key-rotated", "iam-user-no-key-from-setup"}
        else:
            iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    iam.create_group(GroupName="bare-group")
    iam.attach_group_policy(GroupName="bare-group", PolicyArn="arn:aws:iam::aws:policy/AWSCloudShellFullAccess")  # fmt: skip
    truth["account"] |= {
        "iam-password-policy-characters", "iam-password-policy-expires", "iam-support-role-exists",
        "iam-cloudshell-not-unrestricted",
    }  # fmt: skip
    truth["contacts"] = {"account-security-contact-set"}
    made = moto.client("organizations").create_organization(FeatureSet="CONSOLIDATED_BILLING")
    truth[made["Organization"]["Id"]] = {"organizations-organization-all-features"}
    return truth | rights(iam) | federated(iam) | programs(iam)


def rights(iam: Any) -> Truth:
    """The same statements as a policy that a role holds, and written into a user, a group and a role."""
    truth: Truth = {"holder": {"iam-role-no-privilege-escalation"}}
    iam.create_role(RoleName="holder", AssumeRolePolicyDocument=TRUST)
    for name, (leads, statements) in RIGHTS.items():
        text = document(*statements)
        iam.create_user(UserName=f"u-{name}")
        iam.put_user_policy(UserName=f"u-{name}", PolicyName="own.policy", PolicyDocument=text)
        iam.create_group(GroupName=f"g-{name}")
        iam.put_group_policy(GroupName=f"g-{name}", PolicyName="x", PolicyDocument=text)
        iam.create_role(RoleName=f"i-{name}", AssumeRolePolicyDocument=TRUST)
        iam.put_role_policy(RoleName=f"i-{name}", PolicyName="x", PolicyDocument=text)
        iam.create_role(RoleName=f"s-{name}", AssumeRolePolicyDocument=TRUST, Path="/aws-reserved/sso.amazonaws.com/")  # fmt: skip
        iam.put_role_policy(RoleName=f"s-{name}", PolicyName="x", PolicyDocument=text)
        arn = iam.create_policy(PolicyName=f"a-{name}", PolicyDocument=text)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="holder", PolicyArn=arn)
        iam.create_policy(PolicyName=f"n-{name}", PolicyDocument=text)
        whole = {"iam-policy-no-whole-service"} if name in WHOLE else set()
        for letter, kind in (("u", "user"), ("g", "group"), ("i", "role"), ("a", "policy")):
            broken = {f"iam-{kind}-no-decrypt-with-every-key"} if "decrypt" in leads else set()
            if "escalate" in leads or ("admin" in leads and kind != "policy"):
                broken |= {f"iam-{kind}-no-privilege-escalation"}
            if "escalate-user" in leads and kind != "role":
                broken |= {f"iam-{kind}-no-privilege-escalation"}
            if "code" in leads:
                broken |= {f"iam-{kind}-no-code-as-other-roles"}
            truth[f"{letter}-{name}"] = broken | (whole if kind == "policy" else set())
        truth[f"u-{name}"] |= {"iam-user-no-direct-policies"}
        truth[f"s-{name}"] = set()
        truth[f"n-{name}"] = set()
        if "admin" in leads:
            truth[f"u-{name}"] |= {"iam-user-no-direct-admin"}
            truth[f"i-{name}"] |= {"iam-role-workload-not-admin"}
            truth[f"a-{name}"] |= {"iam-policy-no-full-admin"}
            truth[f"n-{name}"] |= {"iam-policy-no-full-admin"}
    return truth | together(iam)


def together(iam: Any) -> Truth:
    """Users whose rights come from policies of the customer, from groups, and from several together."""
    direct, way = "iam-user-no-direct-policies", "iam-user-no-privilege-escalation"
    for name, policy in (("by-customer", "a-all"), ("by-halves", "a-passes")):
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::{MASTER}:policy/{policy}")
    iam.create_group(GroupName="starters")
    iam.put_group_policy(GroupName="starters", PolicyName="x", PolicyDocument=document(allow("ec2:RunInstances")))  # fmt: skip
    iam.add_user_to_group(GroupName="starters", UserName="by-halves")
    iam.create_role(RoleName="bounded", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="bounded", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")  # fmt: skip
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=f"arn:aws:iam::{MASTER}:policy/a-encrypts")  # fmt: skip
    return {
        "by-customer": {direct, way, "iam-user-no-direct-admin"},
        "by-halves": {direct, way},
        "starters": set(),
        "bounded": set(),
    }


def federated(iam: Any) -> Truth:
    """Roles for tokens of the web."""
    shared, subject = "iam-role-trust-shared-provider-guarded", "iam-role-trust-provider-subject"
    github, eks = f"arn:aws:iam::{MASTER}:oidc-provider/{GITHUB}", f"arn:aws:iam::{MASTER}:oidc-provider/{EKS}"  # fmt: skip
    cognito = "cognito-identity.amazonaws.com"
    truth: Truth = {}
    for name, provider, condition, breaks in (
        ("t-any-token", github, {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}}, {shared}),
        ("t-any-repository", github, {"StringLike": {f"{GITHUB}:sub": "repo:*"}}, {shared}),
        ("t-names-alike", github, {"StringLike": {f"{GITHUB}:sub": "repo:acme*"}}, {shared}),
        ("t-if-it-exists", github, {"StringLikeIfExists": {f"{GITHUB}:sub": "repo:acme/app:*"}}, {shared}),
        ("t-one-owner", github, {"StringLike": {f"{GITHUB}:sub": "repo:acme/*"}}, set()),
        ("t-one-branch", github, {"StringEquals": {f"{GITHUB}:sub": "repo:acme/app:ref:refs/heads/main"}}, set()),
        ("t-any-pool", cognito, {"ForAnyValue:StringLike": {f"{cognito}:amr": "authenticated"}}, {shared}),
        ("t-one-pool", cognito, {"StringEquals": {f"{cognito}:aud": "eu-west-1:1234"}}, set()),
        ("t-every-pod", eks, {"StringEquals": {f"{EKS}:aud": "sts.amazonaws.com"}}, {subject}),
        ("t-every-pod-by-pattern", eks, {"StringLike": {f"{EKS}:sub": "system:serviceaccount:*"}}, {subject}),
        ("t-one-pod", eks, {"StringEquals": {f"{EKS}:sub": "system:serviceaccount:app:app"}}, set()),
        ("t-saml", f"arn:aws:iam::{MASTER}:saml-provider/x", {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}, set()),
    ):  # fmt: skip
        action = "sts:AssumeRoleWithSAML" if name == "t-saml" else "sts:AssumeRoleWithWebIdentity"
        trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": action, "Condition": condition}  # fmt: skip
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        truth[name] = set(breaks)
    return truth


def programs(iam: Any) -> Truth:
    """Roles of programs and of people, with administrators' policies."""
    truth: Truth = {}
    build = f"arn:aws:iam::{MASTER}:oidc-provider/gitlab.com"
    owner = {"Condition": {"StringLike": {"gitlab.com:sub": "project_path:acme/*"}}}
    for name, principal, policy, broken in (
        ("w-machine", {"Service": "ec2.amazonaws.com"}, "AdministratorAccess", True),
        ("w-function", {"Service": ["events.amazonaws.com", "lambda.amazonaws.com"]}, "IAMFullAccess", True),
        ("w-build", {"Federated": build}, "AdministratorAccess", True),
        ("w-reader", {"Service": "ec2.amazonaws.com"}, "ReadOnlyAccess", False),
        ("w-stacks", {"Service": "cloudformation.amazonaws.com"}, "AdministratorAccess", False),
        ("w-people", {"AWS": f"arn:aws:iam::{MASTER}:root"}, "AdministratorAccess", False),
    ):  # fmt: skip
        more = owner if name == "w-build" else {}
        action = "sts:AssumeRoleWithWebIdentity" if more else "sts:AssumeRole"
        trust = {"Effect": "Allow", "Principal": principal, "Action": action} | more
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        truth[name] = {"iam-role-workload-not-admin"} if broken else set()
    return truth
