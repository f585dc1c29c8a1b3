"""Whether requests with stolen credentials can fulfil a condition, and whether they can fail it."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from driftline.pipeline.rulebook.aws.addresses import broad, broad_without
from driftline.pipeline.rulebook.aws.identity.keys import (
    ASSOCIATED,
    RESOURCES_OF,
    TIMES,
    Holder,
    Request,
    Values,
    values,
)
from driftline.pipeline.rulebook.aws.policy_condition import NUMBER, WILD, PolicyCondition
from driftline.pipeline.rulebook.aws.statement import covers
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, moment, shown

DAY_ALONE = re.compile(r"\d{4}-\d\d-\d\d")
VARIABLE = re.compile(r"\$\{([^}]+)\}")
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
    if condition.always or condition.never:
        return Possibility(condition.always, condition.never)
    have = values(condition.key, holder, asked)
    if condition.plain == "null":
        return _null(condition, have)
    if condition.key == ASSOCIATED and have.present:
        here = _associated(condition, holder, asked)
    else:
        here = _matches(condition, have, holder)
    if condition.negated:
        here = Possibility(here.fail, here.hold)
    # "*" asks what Null asks: whether there is a value
    there = have.sure if condition.any_value else have.present
    hold, fail = there and here.hold, have.present and here.fail
    direct = condition.of_addresses and (condition.negated or not condition.without)
    if have.missing and not (have.free and condition.present) and not direct:
        hold, fail = hold or condition.without, fail or not condition.without
    return Possibility(hold, fail)


def _associated(condition: PolicyCondition, holder: Holder, asked: Request) -> Possibility:
    """Of the resource that a role is passed to, which the caller makes: where he likes, and under most names."""
    own = asked.service.removesuffix(".amazonaws.com").split(".")[-1]
    service = RESOURCES_OF.get(own, own)
    filled = [_filled(str(value), holder) for value in condition.values]
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
    return Possibility(
        ("true" in said and have.missing) or ("false" in said and have.sure),
        ("true" not in said and have.missing) or ("false" not in said and have.present),
    )


def _matches(condition: PolicyCondition, have: Values, holder: Holder) -> Possibility:
    """What a key that is there does to the positive operator."""
    operator = condition.positive
    wanted = [_filled(str(value), holder) for value in condition.values]
    if operator == "ipaddress":
        return _addresses([one for one in wanted if one is not None], have)
    if operator.startswith(("numeric", "date")):
        return _ordered(condition, wanted, have)
    if condition.any_value:
        return Possibility(True, False)
    if have.free:
        return Possibility(any(one is not None for one in wanted), True)
    if not have.known:
        return Possibility(False, True)
    like = operator in WILD
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


def _filled(value: str, holder: Holder) -> str | None:
    """A value with its variables filled; None where one is not known."""
    known = {"aws:principalaccount": holder.account, "aws:resourceaccount": holder.account, "*": "*", "?": "?", "$": "$"}  # fmt: skip
    if holder.kind == "user":
        known["aws:username"] = holder.name
    named = [name.split(",")[0].strip().lower() for name in VARIABLE.findall(value)]
    if not all(name in known for name in named):
        return None
    return VARIABLE.sub(lambda m: known[m[1].split(",")[0].strip().lower()], value)


def _addresses(ranges: Sequence[str], have: Values) -> Possibility:
    if have.free:
        return Possibility(bool(ranges), True)
    return Possibility(broad(ranges), broad_without(ranges))


def _ordered(condition: PolicyCondition, wanted: Sequence[str | None], have: Values) -> Possibility:
    compare = ORDER[condition.positive.removeprefix("numeric").removeprefix("date")]
    if have.free:
        return Possibility(bool(wanted), True)
    read = _time if condition.key in TIMES else _number
    limits = [read(one) for one in wanted if one is not None]
    known = have.known if condition.key in TIMES else map(_number, have.known)
    fits = [any(compare(float(value), limit) for limit in limits) for value in known]
    return Possibility(any(fits), not all(fits) or not fits)


def _number(text: str) -> float:
    """Numbers are compared as such: an account's id is equal to the same number without zeros in front."""
    if NUMBER.fullmatch(text) is None:
        raise CannotEvaluate(f"{shown(text)} is no number")
    return float(text)


def _time(text: str) -> float:
    """Microseconds, of a date or of seconds since 1970."""
    if NUMBER.fullmatch(text) is not None:
        return float(text) * 1e6
    midnight = "T00:00:00Z" if DAY_ALONE.fullmatch(text) else ""
    return float(moment(f"{text}{midnight}"))
