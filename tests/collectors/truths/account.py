"""An account and an organization that are in order; tests.collectors.truths.iam has their flaws."""

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth, document
from tests.collectors.truths.iam import TRUST, allow

TYPES = {"AWS::IAM::AccountSummary", "AWS::Account::Contacts", "AWS::Organizations::Organization"}
NEVER_FAILED = {
    "iam-root-no-access-keys", "iam-root-hardware-mfa", "iam-password-policy-strong", "iam-password-policy-characters",
    "iam-password-policy-expires", "iam-support-role-exists", "iam-cloudshell-not-unrestricted", "account-security-contact-set",
    "organizations-organization-all-features", "organizations-organization-service-control-policies",
}  # fmt: skip
NEVER_PASSED = {"iam-root-mfa-enabled", "iam-root-hardware-mfa"}  # moto's root user has no device


def build(moto: Moto) -> Truth:
    iam = moto.client("iam")
    iam.create_user(UserName="ann")
    iam.update_account_password_policy(
        MinimumPasswordLength=14, PasswordReusePrevention=24, MaxPasswordAge=90, RequireSymbols=True, RequireNumbers=True,
        RequireUppercaseCharacters=True, RequireLowercaseCharacters=True,
    )  # fmt: skip
    iam.create_role(RoleName="incidents", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="incidents", PolicyArn="arn:aws:iam::aws:policy/AWSSupportAccess")  # fmt: skip
    contact = {"EmailAddress": "security@example.com", "Name": "On call", "PhoneNumber": "+1 555 0100", "Title": "Security"}  # fmt: skip
    moto.client("account").put_alternate_contact(AlternateContactType="SECURITY", **contact)
    organizations = moto.client("organizations")
    made = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    leaving = document(allow("organizations:LeaveOrganization") | {"Effect": "Deny"})
    wall = organizations.create_policy(Content=leaving, Description="x", Name="stay", Type="SERVICE_CONTROL_POLICY")  # fmt: skip
    organizations.attach_policy(PolicyId=wall["Policy"]["PolicySummary"]["Id"], TargetId=root)
    return {"account": {"iam-root-mfa-enabled"}, "contacts": set(), made: set()}
