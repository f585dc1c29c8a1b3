"""The functions that rules about AWS's types may call: policies, identities, networks."""

from collections.abc import Callable
from typing import Any, TypeVar

from driftline.pipeline.rulebook.aws import (
    efs_policy,
    federation,
    grants,
    network,
    reasons,
    resource_policy,
)
from driftline.pipeline.rulebook.aws.asking import JUDGES, Judge, judgement, of_identity
from driftline.pipeline.rulebook.aws.identity import judges
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import subject
from driftline.pipeline.rulebook.cel.functions import CURRENT, Function, at_path, not_read
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, holds_for_any, shown

LISTS = "prefix_lists"
Answer = TypeVar("Answer")


def _deciding(path: str, function: str, more: str) -> list[str]:
    """Returns the statements that decide a result for the policy at a path; `more` is that function's second text, or
    empty."""
    current = CURRENT.get()
    judge, of = JUDGES[FUNCTIONS[function].call]
    told = [getattr(current, of), *([more] if more else [])]
    document = at_path(current.config, path)
    return reasons.deciding(
        document,
        lambda one: judge(one, *told),
        apart=judge in (_any_allows_public, _any_for_anybody),
    )


def _open_ranges(path: str, ports: str) -> list[str]:
    return _group(path, lambda group, lists: network.open_ranges(group, lists, ports))


def _open_ports(path: str, ports: str) -> list[str]:
    return _group(path, lambda group, lists: network.open_ports(group, lists, ports))


def _open_rules(path: str, port: int) -> list[int]:
    return network.open_rules(at_path(CURRENT.get().config, path) or {}, port)


QUESTIONS = {
    "is_admin": of_identity(judges.holds_iam),
    "escalates": of_identity(judges.escalates),
    "runs_code": of_identity(judges.runs_code),
    "decrypts_everything": of_identity(judges.decrypts_everything),
}
"""What can be asked about an identity, by the suffix of the function's name."""


def _asks(question: str, example: str, says: str) -> Function:
    def asked(paths: str) -> bool:
        return QUESTIONS[question](paths) is not None

    return Function(asked, ("STRING",), "BOOL", True, example, says)


def _of_documents(judge: Judge, part: str, example: str, says: str) -> Function:
    """Turns a function on the documents of one path, which are taken as one part."""
    call = of_identity(judge, part)

    def asked(path: str) -> bool:
        return call(path) is not None

    def alone(document: Any, account: str) -> bool:
        return judge(subject({part: document}), Holder(account)) is not None

    JUDGES[asked] = alone, "account"
    return Function(asked, ("STRING",), "BOOL", True, example, says)


def _identity_way(paths: str, question: str) -> str:
    found = QUESTIONS[question](paths)
    return found.what if found else ""


def _identity_actions(paths: str, question: str) -> list[str]:
    found = QUESTIONS[question](paths)
    return list(found.actions) if found else []


def _identity_statements(paths: str, question: str) -> list[str]:
    found = QUESTIONS[question](paths)
    return list(found.places) if found else []


def _any_allows_public(documents: Any, account: str) -> bool:
    """Returns whether one of several policies, by name, allows everyone."""
    return holds_for_any(_known(documents), lambda one: resource_policy.allows_public(one, account))


def _any_for_anybody(documents: Any, account: str, service: str) -> bool:
    """Returns whether one of several policies, by name, lets a service act on behalf of any account."""
    return holds_for_any(
        _known(documents), lambda one: grants.allows_service_for_anybody(one, account, service)
    )


def _known(documents: Any) -> list[Any]:
    """Policies by their names, without those that are not there. Raises CannotEvaluate."""
    if not isinstance(documents, dict):
        raise CannotEvaluate(f"not policies by their names: {shown(documents)}")
    return [one for one in documents.values() if one is not None]


def _port_open_to_world(path: str, port: int) -> bool:
    return _group(path, lambda group, lists: network.port_open(group, lists, port))


def _any_port_open_to_world(path: str, ports: str) -> bool:
    return _group(path, lambda group, lists: network.any_open(group, lists, ports))


def _other_port_open_to_world(path: str, ports: str) -> bool:
    return _group(path, lambda group, lists: network.any_open(group, lists, ports, but=True))


def _group(path: str, judge: Callable[[dict[str, Any], Any], Answer]) -> Answer:
    """Evaluates a security group together with the prefix lists that it references, which are a part of their own."""
    config = CURRENT.get().config
    try:
        return judge(at_path(config, path) or {}, config.get(LISTS))
    except network.ListsUnread:
        if LISTS in config:
            raise
        not_read(LISTS)


def _acl_port_open_to_world(path: str, port: int) -> bool:
    return network.acl_open(at_path(CURRENT.get().config, path) or {}, port)


FUNCTIONS: dict[str, Function] = {
    "policy_allows_public": Function(
        judgement(resource_policy.allows_public), ("STRING",), "BOOL", True, "'policy'",
        "Whether a resource policy allows public access: an Allow for everyone that no condition restricts and no Deny revokes",
    ),
    "any_policy_allows_public": Function(
        judgement(_any_allows_public), ("STRING",), "BOOL", True, "'alias_policies'",
        "The same for any of several policies, by name",
    ),
    "file_policy_allows_public": Function(
        judgement(efs_policy.allows_public), ("STRING",), "BOOL", True, "'policy'",
        "The same for a file system policy; access through a mount target is controlled by the network",
    ),
    "policy_allows_cross_account": Function(
        judgement(resource_policy.allows_cross_account), ("STRING",), "BOOL", True, "'policy'",
        "Whether a resource policy allows another account in without a restriction",
    ),
    "policy_gives_others": Function(
        judgement(grants.gives_others), ("STRING", "STRING"), "BOOL", True, '\'policy\', "s3:PutBucketPolicy s3:DeleteBucketPolicy"',
        "Whether it allows another account one of these actions",
    ),
    "policy_allows_service": Function(
        judgement(grants.allows_service), ("STRING", "STRING"), "BOOL", True, '\'policy\', "lambda.amazonaws.com"',
        "Whether it allows this AWS service",
    ),
    "policy_allows_service_for_anybody": Function(
        judgement(grants.allows_service_for_anybody), ("STRING", "STRING"), "BOOL", True, '\'policy\', "s3.amazonaws.com"',
        "Whether it lets this AWS service act on behalf of any account: no condition says for whose resource",
    ),
    "any_policy_allows_service_for_anybody": Function(
        judgement(_any_for_anybody), ("STRING", "STRING"), "BOOL", True, '\'alias_policies\', "s3.amazonaws.com"',
        "The same for any of several policies, by name",
    ),
    "policy_requires_tls": Function(
        judgement(resource_policy.requires_tls, "uid"), ("STRING",), "BOOL", True, "'policy'",
        "Whether it denies every request without TLS",
    ),
    "policy_is_admin": _of_documents(
        judges.is_admin, "document", "'document'",
        "Whether an identity policy allows every action on every resource, without a condition that stolen credentials could not satisfy",
    ),
    "policy_escalates": _of_documents(
        judges.escalates, "document", "'document'",
        "Whether it allows escalation to every permission: a path of high severity in [privilege escalation](escalation.md)",
    ),
    "policy_decrypts_everything": _of_documents(
        judges.decrypts_everything, "document", "'document'",
        "It allows decrypting with every key",
    ),
    "policies_are_admin": _of_documents(
        judges.is_admin, "inline_policies", "'inline_policies'",
        "Whether all policies of a map together allow every action on every resource",
    ),
    "policies_escalate": _of_documents(
        judges.escalates, "inline_policies", "'inline_policies'",
        "Whether all policies of a map together allow escalation to every permission",
    ),
    "policies_decrypt_everything": _of_documents(
        judges.decrypts_everything, "inline_policies", "'inline_policies'",
        "Whether all policies of a map together allow decrypting with every key",
    ),
    "identity_is_admin": _asks(
        "is_admin", "'inline_policies attached_policies attached_documents boundary'",
        "Whether these parts of an identity together allow every action on every resource, or all of IAM",
    ),
    "identity_escalates": _asks(
        "escalates", "'inline_policies attached_policies attached_documents boundary'",
        "It opens a way to every right",
    ),
    "identity_runs_code": _asks(
        "runs_code", "'inline_policies attached_policies attached_documents boundary'",
        "Whether they allow escalation to the permissions of something that exists: a path of medium severity in [privilege escalation](escalation.md)",
    ),
    "identity_decrypts_everything": _asks(
        "decrypts_everything", "'inline_policies attached_policies attached_documents boundary'",
        "It allows decrypting with every key",
    ),
    "identity_way": Function(
        _identity_way, ("STRING", "STRING"), "STRING", True, '\'inline_policies attached_policies\', "escalates"',
        "What makes identity_escalates (identity_is_admin, identity_runs_code, identity_decrypts_everything) true, worded to follow \"can\"; empty if it is false",
    ),
    "identity_actions": Function(
        _identity_actions, ("STRING", "STRING"), "LIST", True, '\'inline_policies attached_policies\', "escalates"',
        "The actions of that path",
    ),
    "identity_statements": Function(
        _identity_statements, ("STRING", "STRING"), "LIST", True, '\'inline_policies attached_policies\', "escalates"',
        "The statements that allow them",
    ),
    "trusts_any_tenant": Function(
        judgement(federation.trusts_any_tenant), ("STRING",), "BOOL", True, "'role.AssumeRolePolicyDocument'",
        "Whether a role trusts an identity provider shared by many tenants, without naming the tenant",
    ),
    "trusts_whole_provider": Function(
        judgement(federation.trusts_whole_provider), ("STRING",), "BOOL", True, "'role.AssumeRolePolicyDocument'",
        "Whether a role trusts every subject of an identity provider",
    ),
    "port_open_to_world": Function(
        _port_open_to_world, ("STRING", "INT"), "BOOL", True, "'group', 22",
        "Whether a security group opens a port to a large part of the internet; prefix lists are included if the part `prefix_lists` is read",
    ),
    "any_port_open_to_world": Function(
        _any_port_open_to_world, ("STRING", "STRING"), "BOOL", True, '\'group\', "20-21, 23"',
        "The same for any of these ports",
    ),
    "other_port_open_to_world": Function(
        _other_port_open_to_world, ("STRING", "STRING"), "BOOL", True, '\'group\', "80, 443"',
        "The same for any port other than these",
    ),
    "acl_port_open_to_world": Function(
        _acl_port_open_to_world, ("STRING", "INT"), "BOOL", True, "'acl', 22",
        "The same for a network ACL, its rules evaluated in order",
    ),
    "deciding_statements": Function(
        _deciding, ("STRING", "STRING", "STRING"), "LIST", True, '\'policy\', "policy_allows_public", ""',
        "The statements that are each sufficient for a policy function to be true, as `s3:GetObject to * (Sid)`: takes the function's name, and its second argument",
    ),
    "open_ranges": Function(
        _open_ranges, ("STRING", "STRING"), "LIST", True, '\'group\', "22, 8000-8100"',
        "The address ranges and prefix lists to which a security group is open on these ports (`!22`: any other port)",
    ),
    "open_ports": Function(
        _open_ports, ("STRING", "STRING"), "LIST", True, '\'group\', "22, 8000-8100"',
        "Those of these ports that are open to the internet, as `port 22`, `ports 80-443` or `every port`",
    ),
    "acl_open_rules": Function(
        _open_rules, ("STRING", "INT"), "LIST", True, "'acl', 22",
        "The numbers of the rules by which a network ACL opens a port to a large part of the internet",
    ),
}  # fmt: skip
