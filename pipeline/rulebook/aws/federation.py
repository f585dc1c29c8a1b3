"""Judges trust policies by the identity providers of the web that they name. What cannot be understood raises ValueError.

A provider that many companies share signs a token for anybody: only a claim in it says whose it is."""

import re
from collections.abc import Iterator
from typing import Any

from driftline.pipeline.rulebook.aws.condition_block import all_conditions, any_condition
from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition
from driftline.pipeline.rulebook.aws.resource_policy import named, principal_of
from driftline.pipeline.rulebook.aws.statement import Statement, acts, statements
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, held_by, holds_for_any

ACTION = "sts:assumerolewithwebidentity"
SHARED = {
    "token.actions.githubusercontent.com", "gitlab.com", "app.terraform.io", "agent.buildkite.com", "oidc.vercel.com",
    "api.pulumi.com/oidc", "oidc.codefresh.io", "cognito-identity.amazonaws.com", "accounts.google.com",
    "graph.facebook.com", "www.amazon.com",
}  # fmt: skip
BY_AUDIENCE = {"api.pulumi.com/oidc", "oidc.vercel.com", "cognito-identity.amazonaws.com", "accounts.google.com"}  # fmt: skip
"""Providers whose audience says for whom a token is: an application, a pool, a team."""
ANYBODYS = {"aud", "oaud", "amr", "ref", "ref_type", "environment", "workflow", "runner_environment"}  # fmt: skip
"""Claims that everybody's token may hold."""
AWS_AUDIENCE = "sts.amazonaws.com"
EVERY_POD = {"", "system", "system:serviceaccount"}
EQUAL = {"stringequals", "stringequalsignorecase", "stringlike"}


def trusts_any_tenant(document: Any, account: str) -> bool:  # noqa: ARG001 - as other judges
    """Whether a token that a shared provider signs for anybody is enough."""
    return _unguarded(document, shared=True)


def trusts_whole_provider(document: Any, account: str) -> bool:  # noqa: ARG001 - as other judges
    """Whether a token for whomever it knows, of a provider that is not shared, is enough."""
    return _unguarded(document, shared=False)


def _unguarded(document: Any, *, shared: bool) -> bool:
    """Whether any token of a provider, shared or not, is enough."""
    denies = list(statements(document, "Deny"))

    def enough(allow: Statement) -> bool:
        return acts(allow, ACTION) and holds_for_any(
            (one for one in _providers(allow) if (one in SHARED) is shared),
            lambda provider: _lets_in(allow, provider, denies),
        )

    return holds_for_any(statements(document), enough)


def _lets_in(allow: Statement, provider: str, denies: list[Statement]) -> bool:
    if any_condition(allow, lambda c: _fixes(c, provider)):
        return False
    walls, odd = held_by(denies, lambda deny: _shuts_out(deny, provider))
    if odd is not None and not walls:
        raise odd
    return not walls


def _providers(statement: Statement) -> Iterator[str]:
    for one in map(str.lower, named(principal_of(statement), "Federated")):
        _, provider, url = one.partition(":oidc-provider/")
        if provider:
            yield url
        elif one in SHARED:
            yield one


def _shuts_out(deny: Statement, provider: str) -> bool:
    """Whether all of its conditions leave in only those with a claim that is fixed."""
    whom = deny.get("Principal")
    everybody = whom in ("*", {"AWS": "*"}, {"Federated": "*"})
    return (
        acts(deny, ACTION)
        and (everybody or provider in _providers(deny))
        and all_conditions(deny, lambda c: c.always or (c.negated and _fixes(_turned(c), provider)))
    )


def _turned(c: PolicyCondition) -> PolicyCondition:
    operator = c.operator.replace("not", "", 1).removesuffix("ifexists")
    return PolicyCondition(operator, c.key, c.values, c.present)


def _fixes(condition: PolicyCondition, provider: str) -> bool:
    """Whether it holds a token to something that not everybody's has."""
    if condition.narrows:
        return True
    quantifier, _, operator = condition.operator.rpartition(":")
    if (operator.endswith("ifexists") or quantifier == "forallvalues") and not condition.present:
        return False
    operator = operator.removesuffix("ifexists")
    whose, _, claim = condition.key.rpartition(":")
    if operator not in EQUAL or whose != provider or not condition.values:
        return False
    values = [str(value) for value in condition.values]
    if any("${" in value for value in values):
        raise CannotEvaluate("a claim is held to a variable")
    if claim in ANYBODYS and not (claim == "aud" and _audience_fixes(provider, values)):
        return False
    shared, pattern = provider in SHARED, operator == "stringlike"
    return not any(pattern and _wild(value, claim, shared=shared) for value in values)


def _audience_fixes(provider: str, values: list[str]) -> bool:
    if provider in SHARED:
        return provider in BY_AUDIENCE
    return AWS_AUDIENCE not in values


def _wild(value: str, claim: str, *, shared: bool) -> bool:
    """Whether a pattern fits everybody's claim. Of a shared provider the owner's name must stand there to its end:
    `repo:acme*` is anybody's who calls himself acme-2."""
    literal = re.split(r"[*?]", value, maxsplit=1)[0]
    if literal == value:
        return False
    if not shared:
        return re.sub(r"[*?]", "", value).strip(":") in EVERY_POD
    owner = re.sub(r"^[a-z_]+:", "", literal) if claim == "sub" else literal
    return re.match(r"[^:/]+[:/]", owner) is None
