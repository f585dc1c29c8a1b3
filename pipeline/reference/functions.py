"""docs/functions.md: what rules can ask beside CEL's own."""

from collections.abc import Iterator

from driftline.pipeline.reference import code, page, table
from driftline.pipeline.rulebook.cel.functions import FUNCTIONS

SAYS = {
    "policy_allows_public": ("'policy'", "A resource's policy lets anybody in: an Allow for everybody that no condition narrows and no Deny takes back"),
    "any_policy_allows_public": ("'alias_policies'", "So does one of several policies, by their names"),
    "file_policy_allows_public": ("'policy'", "So does a file system's policy; who comes through a mount target has been let in by the network"),
    "policy_allows_cross_account": ("'policy'", "A resource's policy lets another account in, unguarded"),
    "policy_gives_others": ("'policy', \"s3:PutBucketPolicy s3:DeleteBucketPolicy\"", "It gives another account one of these actions"),
    "policy_allows_service": ("'policy', \"lambda.amazonaws.com\"", "It lets this AWS service in"),
    "policy_allows_service_for_anybody": ("'policy', \"s3.amazonaws.com\"", "It lets this AWS service act on behalf of any account: no condition says whose resource it acts for"),
    "any_policy_allows_service_for_anybody": ("'alias_policies', \"s3.amazonaws.com\"", "So does one of several policies, by their names"),
    "policy_requires_tls": ("'policy'", "It refuses every request without TLS"),
    "policy_is_admin": ("'document'", "A policy of an identity allows everything on everything, under no condition that stolen credentials could not fulfil"),
    "policy_escalates": ("'document'", "It opens a way to every right: one of high severity in [ways to more rights](escalation.md)"),
    "policy_decrypts_everything": ("'document'", "It allows decrypting with every key"),
    "policies_are_admin": ("'inline_policies'", "All policies of a map together allow everything on everything"),
    "policies_escalate": ("'inline_policies'", "All policies of a map together open a way to every right"),
    "policies_decrypt_everything": ("'inline_policies'", "All policies of a map together allow decrypting with every key"),
    "identity_is_admin": ("'inline_policies attached_policies attached_documents boundary'", "All that these parts of an identity say together allows everything on everything, or all of IAM"),
    "identity_escalates": ("'inline_policies attached_policies attached_documents boundary'", "It opens a way to every right"),
    "identity_runs_code": ("'inline_policies attached_policies attached_documents boundary'", "It opens a way to the rights of what exists: one of medium severity in [ways to more rights](escalation.md)"),
    "identity_decrypts_everything": ("'inline_policies attached_policies attached_documents boundary'", "It allows decrypting with every key"),
    "identity_way": ("'inline_policies attached_policies', \"escalates\"", "What makes identity_escalates (identity_is_admin, identity_runs_code, identity_decrypts_everything) true, to follow \"can\"; empty where it is false"),
    "identity_actions": ("'inline_policies attached_policies', \"escalates\"", "The actions that it takes"),
    "identity_statements": ("'inline_policies attached_policies', \"escalates\"", "The statements that allow them"),
    "trusts_any_tenant": ("'role.AssumeRolePolicyDocument'", "A role trusts an identity provider that many tenants share, without saying which of them"),
    "trusts_whole_provider": ("'role.AssumeRolePolicyDocument'", "A role trusts every subject of an identity provider"),
    "port_open_to_world": ("'group', 22", "A security group lets a large part of the internet in on a port; prefix lists are judged where the part `prefix_lists` is read"),
    "any_port_open_to_world": ("'group', \"20-21, 23\"", "It does on one of these ports"),
    "other_port_open_to_world": ("'group', \"80, 443\"", "It does on a port that is none of these"),
    "acl_port_open_to_world": ("'acl', 22", "A network ACL does on a port, its rules in their order"),
    "deciding_statements": ("'policy', \"policy_allows_public\", \"\"", "The statements each of which alone makes a judgement of a policy, as `s3:GetObject to * (Sid)`: its function by name, and that function's second text"),
    "open_ranges": ("'group', \"22, 8000-8100\"", "The addresses and prefix lists to which a security group is open on these ports (`!22`: on any but these)"),
    "open_ports": ("'group', \"22, 8000-8100\"", "Those of these ports that are open to the internet, as `port 22`, `ports 80-443` or `every port`"),
    "acl_open_rules": ("'acl', 22", "The numbers of the rules by which a network ACL lets a large part of the internet in on a port"),
    "holds_secret": ("'function.Environment'", "A secret stands in plain text there, as redaction recognized by its name or its form; references, placeholders and what is redacted only because of its place are none"),
    "plain_secrets": ("'function.Environment'", "Those secrets, by the names under which they stand and the forms that they have"),
    "is_true": ("'part.Field'", "The path holds true; false where it ends early or holds anything else"),
    "age_days": ("resource.config.part.CreateDate", "Whole days from a time's text to the record's time"),
}  # fmt: skip
GIVES = {"BOOL": "bool", "INT": "whole number", "LIST": "list", "STRING": "text"}
INTRO = """
Functions of the rule language beside CEL's own. A path is a text under `resource.config`, its first
step the part, which must stand in the rule's `needs`; a path that ends early (a policy that is not there) gives false.
Functions that name several parts of an identity judge them as one.
What cannot be judged for sure, such as a condition by a variable of the caller, is an error, and the evaluation unknown.
Those that give a list or a text are for `values`, the named expressions of a rule's sentence.
"""


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    rows = [
        (code(f"{name}({SAYS[name][0]})"), GIVES[FUNCTIONS[name].returns], SAYS[name][1])
        for name in FUNCTIONS
    ]  # fmt: skip
    yield (
        "docs/functions.md",
        page("Functions of rules", "pipeline/reference/functions.py", INTRO, table(("call", "gives", "what it says"), rows)),
    )  # fmt: skip
