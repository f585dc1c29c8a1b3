"""Whether requests with stolen credentials can fulfil a condition, and whether they can fail it."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from driftline.pipeline.rulebook.aws.identity.keys import (
    ASSOCIATED,
    RESOURCES_OF,
    Holder,
    Request,
    Values,
    values,
)
from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition, broad
from driftline.pipeline.rulebook.aws.resource_policy import covers
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, moment, network, shown

DAY_ALONE = re.compile(r"\d{4}-\d\d-\d\d")
VARIABLE = re.compile(r"\$\{([^}]+)\}")
EQUAL = {"stringequals", "stringequalsignorecase", "binaryequals", "bool"}
LIKE = {"stringlike", "arnequals", "arnlike"}
ORDER: dict[str, Callable[[float, float], bool]] = {
    "equals": lambda a, b: a == b,
    "lessthan": lambda a, b: a < b,
    "lessthanequals": lambda a, b: a <= b,
    "greaterthan": lambda a, b: a > b,
    "greaterthanequals": lambda a, b: a >= b,
}


class Possibility(NamedTuple):
    """What requests can do to a condition."""

    hold: bool
    fail: bool


def ask(condition: PolicyCondition, holder: Holder, asked: Request) -> Possibility:
    """Raises ValueError for an operator or a value that cannot be understood."""
    quantifier, _, operator = condition.operator.rpartition(":")
    lenient = operator.endswith("ifexists")
    operator = operator.removesuffix("ifexists")
    have = values(condition.key, holder, asked)
    if operator == "null":
        return _null(condition, have)
    positive = operator.replace("not", "", 1)
    negated = positive != operator
    if condition.key == ASSOCIATED and have.present:
        here = _associated(condition, holder, asked)
    else:
        here = _matches(positive, condition, have, holder)
    if negated:
        here = Possibility(here.fail, here.hold)
    hold, fail = have.present and here.hold, have.present and here.fail
    if have.missing and not (have.free and condition.present):
        without = lenient or quantifier == "forallvalues" or (negated and not quantifier)
        hold, fail = hold or without, fail or not without
    return Possibility(hold, fail)


def _associated(condition: PolicyCondition, holder: Holder, asked: Request) -> Possibility:
    """Of the resource that a role is passed to, which the caller makes: where he likes, and under most names."""
    own = asked.service.removesuffix(".amazonaws.com").split(".")[-1]
    service = RESOURCES_OF.get(own, own)
    filled = [_filled(str(value), condition.key, holder) for value in condition.values]
    wanted = [value for value in filled if value is not None]
    every = any(value and not value.strip("*") for value in wanted)
    return Possibility(every or any(_makes(value, service, holder) for value in wanted), not every)


def _makes(pattern: str, service: str, holder: Holder) -> bool:
    """Whether a new resource of a service can fit a pattern; what an instance will be called nobody knows."""
    fields = pattern.split(":", 5)
    if len(fields) < 6:
        return False
    named = service != "ec2" or (
        "*" in fields[5] and (fields[5].startswith("instance/") or not fields[5].rstrip("*"))
    )
    return covers(fields[2], service) and covers(fields[4], holder.account) and named


def _null(condition: PolicyCondition, have: Values) -> Possibility:
    said = {str(value).lower() for value in condition.values}
    if not said <= {"true", "false"}:
        raise CannotEvaluate("a Null condition asks for something else than true or false")
    known = bool(have.known) or have.free
    there, gone = have.present and (known or not have.missing), have.missing
    return Possibility(
        ("true" in said and gone) or ("false" in said and there),
        ("true" not in said and gone) or ("false" not in said and (there or have.present)),
    )


def _matches(
    operator: str, condition: PolicyCondition, have: Values, holder: Holder
) -> Possibility:
    """What a key that is there does to a positive operator."""
    wanted = [_filled(str(value), condition.key, holder) for value in condition.values]
    if operator == "ipaddress":
        return _addresses([one for one in wanted if one is not None], have)
    if operator.startswith(("numeric", "date")):
        return _ordered(operator, wanted, have)
    if operator not in EQUAL and operator not in LIKE:
        raise CannotEvaluate(f"a condition operator that is not known: {shown(condition.operator)}")
    like = operator in LIKE
    every = any(one is not None and like and not one.strip("*") and one for one in wanted)
    if every or VARIABLE_ITSELF in wanted:
        return Possibility(True, False)
    if have.free:
        return Possibility(any(one is not None for one in wanted), True)
    if not have.known:
        return Possibility(False, True)
    exact = like or operator in ("stringequals", "binaryequals")
    fits = [
        any(one is not None and _fits(one, value, like=like, exact=exact) for one in wanted)
        for value in have.known
    ]
    return Possibility(any(fits), not all(fits))


def _fits(pattern: str, value: str, *, like: bool, exact: bool) -> bool:
    if not exact:
        pattern, value = pattern.lower(), value.lower()
    return covers(pattern, value) if like else pattern == value


VARIABLE_ITSELF = "\0"
"""Stands for a value that is the key's own variable."""


def _filled(value: str, key: str, holder: Holder) -> str | None:
    """A value with its variables filled; None where one is not known."""
    known = {"aws:principalaccount": holder.account, "aws:resourceaccount": holder.account, "*": "*", "?": "?", "$": "$"}  # fmt: skip
    if holder.kind == "user":
        known["aws:username"] = holder.name
    if value.lower() == f"${{{key}}}":
        return VARIABLE_ITSELF
    named = [name.split(",")[0].strip().lower() for name in VARIABLE.findall(value)]
    if not all(name in known for name in named):
        return None
    return VARIABLE.sub(lambda m: known[m[1].split(",")[0].strip().lower()], value)


def _addresses(ranges: Sequence[str], have: Values) -> Possibility:
    if have.free:
        return Possibility(bool(ranges), True)
    nets = [network("0.0.0.0/0" if r == "*" else r) for r in ranges]
    return Possibility(broad(ranges), not any(net.prefixlen == 0 for net in nets))


def _ordered(operator: str, wanted: Sequence[str | None], have: Values) -> Possibility:
    compare = ORDER.get(operator.removeprefix("numeric").removeprefix("date"))
    if compare is None:
        raise CannotEvaluate(f"a condition operator that is not known: {shown(operator)}")
    if have.free:
        return Possibility(bool(wanted), True)
    limits = [_number(one, dated=bool(have.known)) for one in wanted if one is not None]
    fits = [any(compare(float(value), limit) for limit in limits) for value in have.known]
    return Possibility(any(fits), not all(fits) or not fits)


def _number(text: Any, *, dated: bool) -> float:
    """A number, or a date in microseconds."""
    try:
        number = float(text)
        return number * 1e6 if dated else number
    except ValueError:
        midnight = "T00:00:00Z" if DAY_ALONE.fullmatch(str(text)) else ""
        return float(moment(f"{text}{midnight}"))
