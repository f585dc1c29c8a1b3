"""Conditions of AWS policies: which of them hold a statement to something fixed. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from driftline.pipeline.rulebook.aws.addresses import broad, broad_without, covers_internet
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, shown

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
POSITIVE = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "numericequals"}  # fmt: skip
WILD = {"stringlike", "arnequals", "arnlike"}
"""Operators to which * and ? are patterns; to the others they are letters."""
OWN = re.compile(r"\$\{aws:resource(account|orgid|orgpaths)\}", re.IGNORECASE)
"""Variables that say whose the resource is. The others follow the caller."""
MIRRORED = {
    "aws:resourceaccount": {"${aws:principalaccount}", "${aws:sourceaccount}"},
    "aws:resourceorgid": {"${aws:principalorgid}", "${aws:sourceorgid}"},
}
TRUTHS = {"bool", "stringequals", "stringequalsignorecase", "stringlike"}
"""Operators that ask a key that is true or false; requests have it as a text."""
ADDRESS = "aws:sourceip"
"""Who comes through a VPC's endpoint has none; for a network that is left out, or denied, those do not count."""
ALWAYS_THERE = {"aws:securetransport", "aws:currenttime", "aws:epochtime"}
"""Keys that every request has."""
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class PolicyCondition:
    """One operator on one key, in small letters."""

    operator: str
    key: str
    values: Sequence[Any]
    present: bool
    """Whether another condition (Null: false) asks that the key is there."""

    @property
    def quantifier(self) -> str:
        """forallvalues, foranyvalue or empty."""
        return self.operator.rpartition(":")[0]

    @cached_property
    def plain(self) -> str:
        """The operator without quantifier and IfExists."""
        return self.operator.rpartition(":")[2].removesuffix("ifexists")

    @cached_property
    def positive(self) -> str:
        """The plain operator, or the one of which it is the negation."""
        return self.plain.replace("not", "", 1)

    @cached_property
    def negated(self) -> bool:
        return self.positive != self.plain

    @property
    def without(self) -> bool:
        """Whether it holds for a request that has no such key: IfExists, ForAllValues and what is negated do."""
        lenient = self.operator.endswith("ifexists") or self.quantifier == "forallvalues"
        return lenient or (self.negated and not self.quantifier)

    @property
    def _absent(self) -> bool:
        """Whether a request that it could let through may lack the key."""
        return not self.present and self.key not in ALWAYS_THERE | {ADDRESS}

    @property
    def of_addresses(self) -> bool:
        """Whether it compares the caller's address with ranges."""
        return self.key == ADDRESS and self.positive == "ipaddress"

    @property
    def any_value(self) -> bool:
        """Whether the positive operator matches whatever value the key has (`*`, or the key's own variable), so that it asks
        only whether there is one."""
        wild = self.positive in WILD and any(map(_every, self._texts))
        return wild or (self.positive in POSITIVE and f"${{{self.key}}}" in self._said)

    @property
    def never(self) -> bool:
        """Whether no request fulfils it."""
        if self.plain == "null":
            return not self._said or (self._said == {"true"} and not self._absent)
        if self.of_addresses and self.negated:
            return covers_internet(self._texts)
        if self.without and self._absent:
            return False
        return self.any_value if self.negated else not self.values

    @property
    def always(self) -> bool:
        """Whether every request fulfils it."""
        if self.plain == "null":
            there = self.key in ALWAYS_THERE | {ADDRESS}
            return self._said == {"true", "false"} or (self._said == {"false"} and there)
        if self.of_addresses and not self.negated:
            return covers_internet(self._texts)
        if not self.without and self.key not in ALWAYS_THERE | {ADDRESS}:
            return False
        return not self.values if self.negated else self.any_value

    @property
    def narrows(self) -> bool:
        """Whether, on an Allow, it holds only for something fixed, or for nothing."""
        if self.never:
            return True
        if self.plain == "null":  # AWS's own services alone have these keys
            return self.key in SERVICES and self._said == {"false"}
        if self.of_addresses and self.negated:
            return not broad_without(self._texts)
        if self.without and not self.present:
            return False
        if self.key in SWITCHES:
            return self.says("true")
        if self.of_addresses:
            return not broad(self._texts)
        return not self.negated and self._fixed

    @property
    def services_only(self) -> bool:
        """Whether, on an Allow, it holds for AWS's own services alone."""
        return self.narrows and (self.key in SERVICES or self.key == "aws:principalisawsservice")

    @property
    def spares_known(self) -> bool:
        """Whether, on a Deny, it lets through only what is fixed: not this organization, not these addresses."""
        if self.always or self.spares_services:
            return True
        if self.plain == "null" or self.quantifier == "foranyvalue":
            return False
        if self.of_addresses:
            return not (broad if self.negated else broad_without)(self._texts)
        return self.negated and self._fixed

    @property
    def spares_services(self) -> bool:
        """Whether, on a Deny, it lets AWS's own services through, and nobody else."""
        if self.key == "aws:principalisawsservice":
            return self.says("false")
        if self.plain == "null":
            return self.key in SERVICES and self._said == {"true"}
        negated = self.plain in ("stringnotequals", "stringnotlike")
        return self.key in SERVICES and negated and self.quantifier != "foranyvalue"

    @property
    def follows_caller(self) -> bool:
        """Whether it compares with a variable that only who has an account fills."""
        return self.key in MIRRORED

    @cached_property
    def _texts(self) -> list[str]:
        return [str(value) for value in self.values]

    @property
    def _said(self) -> set[str]:
        return {text.lower() for text in self._texts}

    def says(self, value: str) -> bool:
        """Whether it asks that a key which is true or false has a value: with Bool, or as a text."""
        if self.positive not in TRUTHS:
            return False
        exact = self.positive in ("stringequals", "stringlike")
        wanted = {"true": "false", "false": "true"}[value] if self.negated else value
        return {text if exact else text.lower() for text in self._texts} == {wanted}

    @property
    def _fixed(self) -> bool:
        """Whether the positive operator matches only something fixed."""
        if self.positive not in POSITIVE or not self.values:
            return False
        if self.key in MIRRORED:
            return self._said <= MIRRORED[self.key]
        if self.positive == "numericequals":
            return self.key in ACCOUNTS and bool(list(map(_account, self._texts)))
        if self.key not in NARROWING:
            return False
        return not any(_open(self.positive, self.key, value) for value in self._texts)


def owners(condition: PolicyCondition, account: str) -> set[str] | None:
    """The accounts to which a condition holds a resource of `account`; "" for one that cannot be known, None where
    it says none."""
    key, values = condition.key, [str(value) for value in condition.values]
    if key == "aws:resourceaccount":
        return {account}
    if key == "aws:userid":  # a role's or user's id tells no account; that of a root user is it
        return {value if value.isdigit() else "" for value in values}
    if key in ACCOUNTS:
        if condition.positive == "numericequals":
            return {_account(value) for value in values}
        return {OWN.sub(account, value) for value in values}
    if key in ARNS:
        fields = [OWN.sub(account, value).split(":") for value in values]
        return {field[4].strip("*?") if len(field) > 5 else "" for field in fields}
    return None


def _account(value: str) -> str:
    """The account that a number equals. An id is twelve digits, zeros in front among them; as numbers, 1 and
    000000000001 are equal. Raises ValueError for what is no number."""
    if NUMBER.fullmatch(value) is None:
        raise CannotEvaluate(f"{shown(value)} is no number")
    number = float(value)
    return f"{number:012.0f}" if number.is_integer() else value


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


def _every(pattern: str) -> bool:
    """Whether a pattern fits every text but the empty one: `*`, `**`, `?*`."""
    return "*" in pattern and not pattern.strip("*?") and pattern.count("?") <= 1


def _wild(text: str) -> bool:
    return "*" in text or "?" in text
