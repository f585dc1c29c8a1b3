"""Conditions of AWS policies: which of them hold a statement to something fixed. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from driftline.pipeline.rulebook.unjudged import CannotEvaluate, network, shown

ACCOUNTS = {
    "aws:sourceaccount", "aws:sourceowner", "aws:principalaccount", "aws:vpceaccount", "kms:calleraccount",
    "s3:dataaccesspointaccount",
}  # fmt: skip
ARNS = {"aws:sourcearn", "aws:principalarn", "s3:dataaccesspointarn"}
NETWORKS = {"aws:sourcevpcarn"}
"""ARNs that say from where, not who."""
SERVICES = {"aws:principalservicename", "aws:principalservicenameslist"}
"""Keys that only AWS's own services have."""
PATHS = {"aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths"}
NARROWING = ACCOUNTS | ARNS | NETWORKS | SERVICES | PATHS | {
    "aws:principalorgid", "aws:sourceorgid", "aws:vpceorgid", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceip", "aws:userid", "lambda:eventsourcetoken",
}  # fmt: skip
"""Keys that say who or from where. The others anybody can fulfil: a tag, a referer, TLS, a user's name, an external id."""
SWITCHES = {"aws:principalisawsservice", "elasticfilesystem:accessedviamounttarget"}
"""Keys that, where they are true, say who or from where: a service of AWS; a network that has a mount target."""
POSITIVE = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}  # fmt: skip
WILD = {"stringlike", "arnequals", "arnlike"}
"""Operators to which * and ? are patterns; to the others they are letters."""
OWN = re.compile(r"\$\{aws:resource(account|orgid|orgpaths)\}", re.IGNORECASE)
"""Variables that say whose the resource is. The others follow the caller."""
MIRRORED = {
    "aws:resourceaccount": {"${aws:principalaccount}", "${aws:sourceaccount}"},
    "aws:resourceorgid": {"${aws:principalorgid}", "${aws:sourceorgid}"},
}
PRIVATE = [IPv6Network(net) for net in ("fc00::/7", "fe80::/10")]


@dataclass(frozen=True)
class PolicyCondition:
    """One operator on one key, in small letters."""

    operator: str
    key: str
    values: Sequence[Any]
    present: bool
    """Whether another condition (Null: false) asks that the key is there."""

    @property
    def narrows(self) -> bool:
        """Whether it holds only for something fixed. …IfExists holds when the key is absent and ForAllValues when
        it is empty: alone neither narrows."""
        quantifier, _, operator = self.operator.rpartition(":")
        if operator.endswith("ifexists") and not self.present:
            return False
        if quantifier == "forallvalues" and not self.present:
            return False
        operator = operator.removesuffix("ifexists")
        if operator == "bool":
            return self.key in SWITCHES and self._said("true")
        return operator in POSITIVE and self._fixed(operator)

    @property
    def services_only(self) -> bool:
        """Whether, on an Allow, it holds for AWS's own services alone."""
        return self.narrows and (self.key in SERVICES or self.key == "aws:principalisawsservice")

    @property
    def spares_known(self) -> bool:
        """Whether, on a Deny, it lets through only what is fixed: not this organization, not these addresses."""
        quantifier, _, operator = self.operator.rpartition(":")
        operator = operator.removesuffix("ifexists")
        if self.spares_services:
            return True
        # a negated operator holds too when the key is absent
        positive = operator.replace("not", "", 1)
        return (
            quantifier != "foranyvalue"
            and positive != operator
            and positive in POSITIVE
            and self._fixed(positive)
        )

    @property
    def spares_services(self) -> bool:
        """Whether, on a Deny, it lets AWS's own services through."""
        if self.key == "aws:principalisawsservice":
            return self.operator in ("bool", "boolifexists") and self._said("false")
        quantifier, _, operator = self.operator.rpartition(":")
        if operator == "null":
            return self.key in SERVICES and self._said("true")
        negated = operator.removesuffix("ifexists") in ("stringnotequals", "stringnotlike")
        return self.key in SERVICES and negated and quantifier != "foranyvalue"

    @property
    def follows_caller(self) -> bool:
        """Whether it compares with a variable that only who has an account fills."""
        return self.key in MIRRORED

    def _said(self, value: str) -> bool:
        return {str(one).lower() for one in self.values} == {value}

    def _fixed(self, operator: str) -> bool:
        values = [str(value) for value in self.values]
        if self.key in MIRRORED:
            return bool(values) and {value.lower() for value in values} <= MIRRORED[self.key]
        if self.key not in NARROWING or not values:
            return False
        if operator == "ipaddress":
            return self.key == "aws:sourceip" and not broad(values)
        return not any(_open(operator, self.key, value) for value in values)


def conditions(statement: dict[str, Any]) -> list[PolicyCondition]:
    """A statement's conditions: all of them must hold. Raises ValueError for what is none."""
    found: list[tuple[str, str, list[Any]]] = []
    block = statement.get("Condition") or {}
    if not isinstance(block, dict) or not all(isinstance(pairs, dict) for pairs in block.values()):
        raise CannotEvaluate(f"not a policy condition: {_wrong(block)}")
    for operator, pairs in block.items():
        for key, value in pairs.items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(one, str | int | float) or _hidden(one) for one in values):
                raise ValueError("not a policy condition")
            found.append((str(operator).lower(), str(key).lower(), [_text(one) for one in values]))
    sure = {k for o, k, v in found if o == "null" and [str(x).lower() for x in v] == ["false"]}
    return [PolicyCondition(o, key, values, key in sure) for o, key, values in found]


def _text(value: Any) -> Any:
    """AWS reads true and false as the texts that they are in requests."""
    return str(value).lower() if isinstance(value, bool) else value


def _hidden(value: Any) -> bool:
    """Whether it is one text that redaction has hidden: it is fixed, whatever it is."""
    return isinstance(value, dict) and value.get("redacted") is True


def _wrong(block: Any) -> str:
    if not isinstance(block, dict):
        return shown(block)
    wrong = next(pairs for pairs in block.values() if not isinstance(pairs, dict))
    return f"an operator with {shown(wrong)}"


def owners(condition: PolicyCondition, account: str) -> set[str] | None:
    """The accounts to which a condition holds a resource of `account`; "" for one that cannot be known, None where
    it says none."""
    key, values = condition.key, [str(value) for value in condition.values]
    if key == "aws:resourceaccount":
        return {account}
    if key == "aws:userid":  # a role's or user's id tells no account; that of a root user is it
        return {value if value.isdigit() else "" for value in values}
    if key in ACCOUNTS:
        return {OWN.sub(account, value) for value in values}
    if key in ARNS:
        fields = [OWN.sub(account, value).split(":") for value in values]
        return {field[4].strip("*?") if len(field) > 5 else "" for field in fields}
    return None


def broad(ranges: Sequence[str]) -> bool:
    """Whether addresses, taken together, are a large part of the internet: S3 takes what is larger than /8, or /32 of
    IPv6, for public. Raises ValueError for what is no range."""
    nets = [network("0.0.0.0/0" if r == "*" else r) for r in ranges]
    four = collapse_addresses(net for net in nets if isinstance(net, IPv4Network))
    six = collapse_addresses(net for net in nets if isinstance(net, IPv6Network))
    return any(net.prefixlen < 8 for net in four) or any(
        net.prefixlen < 32 and not any(net.subnet_of(own) for own in PRIVATE) for net in six
    )


def _open(operator: str, key: str, value: str) -> bool:
    """Whether a value stands for more than something fixed."""
    value = OWN.sub("own", value)
    if "${" in value:
        return True
    if operator not in WILD or not _wild(value):
        return False
    if key in SERVICES:
        return False
    if key in ARNS | NETWORKS:
        return _open_arn(value)
    if key in PATHS:
        return _wild(value.split("/")[0])
    head, colon, _ = value.partition(
        ":"
    )  # a role's id, then the session's name, which its user chooses
    return not (key == "aws:userid" and colon and not _wild(head))


def _open_arn(pattern: str) -> bool:
    fields = pattern.split(":", 5)
    if len(fields) < 6:
        return True
    if fields[2] == "s3" and not fields[4].strip("*?"):
        bucket = fields[5].split("/")[0]  # a bucket's name is one in the world
        return bucket == "" or _wild(bucket)
    return fields[4] == "" or _wild(fields[4])


def _wild(text: str) -> bool:
    return "*" in text or "?" in text
