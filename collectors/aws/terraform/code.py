"""What code sets of a resource, by a plan's `configuration`. The values that a plan has of what code does not set were read
from the cloud, and are nobody's word."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import orjson

from driftline.collectors.aws.terraform.marks import ABSENT, Path, at, path_of, without_keys
from driftline.pipeline.compare.equivalence import (
    is_empty,
    parse_document,
    scalar,
)
from driftline.pipeline.providers.aws.canonical import canonical_policy, canonical_ports

_PLACE = re.compile(r"[:/]")
"""What ARNs, URLs and ranges of addresses have. Any other value may be one that a condition only asks about (`var.environment
== "prod" ? … : null`), and stands in what was read by chance, or because somebody put it there."""
UNKNOWN = object()
PRESENT = object()
"""A value that is not known, and is not null."""
_RANGE = re.compile(r"[0-9A-Fa-f.:]{2,45}/\d{1,3}")
_OWN = ("var", "local", "each", "count", "module", "path", "self", "terraform")


class ValueSource(Enum):
    """Whether code sets a value."""

    SET = "set"
    UNSET = "unset"
    UNSURE = "unsure"
    """An expression of which the plan does not show whether it comes to null."""
    KEPT = "kept"
    """Code says another value than the plan keeps: lifecycle.ignore_changes."""


@dataclass(frozen=True)
class Module:
    """A module as it is called, or the root."""

    prefix: str = ""
    parent: "Module | None" = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    single: bool = True
    """Neither it nor what is around it is called with count or for_each."""


@dataclass(frozen=True)
class ResourceBlock:
    """A resource's block in the code."""

    code: "Code"
    expressions: Mapping[str, Any]
    module: Module
    provider: str
    single: bool
    each: Any = UNKNOWN
    """The map of its for_each, where that is a constant."""


class Code:
    """The blocks of a configuration by address, without the keys of instances."""

    def __init__(
        self, data: Mapping[str, Any], values: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> None:
        configuration = data["configuration"] or {}
        self._providers: Mapping[str, Any] = configuration.get("provider_config") or {}
        self._inputs = data.get("variables") or {}
        self._blocks: dict[str, ResourceBlock] = {}
        self._values: dict[str, list[Mapping[str, Any]]] = {}
        for address, one in values:
            self._values.setdefault(without_keys(address), []).append(one)
        root = configuration.get("root_module") or {}
        self._root = Module(variables=root.get("variables") or {})
        self._walk(root, Module())

    def _walk(self, own: Mapping[str, Any], module: Module) -> None:
        module = Module(module.prefix, module.parent, module.arguments, own.get("variables") or {}, module.single)  # fmt: skip
        for one in own.get("resources") or ():
            if one.get("mode", "managed") == "managed":
                single = module.single and not {"count_expression", "for_each_expression"} & one.keys()  # fmt: skip
                provider = one.get("provider_config_key") or ""
                each = (one.get("for_each_expression") or {}).get("constant_value", UNKNOWN)
                self._blocks[module.prefix + one["address"]] = ResourceBlock(self, one.get("expressions") or {}, module, provider, single, each)  # fmt: skip
        for name, call in (own.get("module_calls") or {}).items():
            single = module.single and not {"count_expression", "for_each_expression"} & call.keys()
            below = Module(f"{module.prefix}module.{name}.", module, call.get("expressions") or {}, {}, single)  # fmt: skip
            self._walk(call.get("module") or {}, below)

    def block(self, address: str) -> ResourceBlock | None:
        return self._blocks.get(without_keys(address))

    def region(self, provider: str) -> Any:
        """A provider's region; UNKNOWN where the plan does not show it."""
        own = self._providers.get(provider) or {}
        region = (own.get("expressions") or {}).get("region") or {}
        references = _bases(region.get("references") or ())
        if len(references) == 1 and not own.get("module_address"):
            return self.value(references[0], self._root)
        return region.get("constant_value", UNKNOWN)

    def single(self) -> set[str]:
        """The addresses of which there must be exactly one."""
        return {address for address, block in self._blocks.items() if block.single}

    def said(self, block: ResourceBlock, path: Path, planned: Any, *, computed: bool, key: str | int | None = None) -> ValueSource:  # fmt: skip
        """Whether code sets the value at a path. `planned`: what the plan has there. `computed`: what is not set keeps the
        value that the cloud has; of other attributes a plan has what code says, or their default. `key`: the instance's."""
        expression, rest = _walked(block.expressions, path)
        if expression is ABSENT:
            # dynamic blocks are not in a configuration: but where nothing is computed, only code makes blocks
            there = path[0] not in block.expressions and len(path) > 1 and not computed and planned is not ABSENT  # fmt: skip
            return ValueSource.SET if there else ValueSource.UNSET
        if not isinstance(expression, dict):
            return (
                ValueSource.SET
                if self._made(block, expression, planned, key)
                else ValueSource.UNSET
            )
        if "constant_value" in expression:
            constant = at(expression["constant_value"], rest)
            if constant is None or constant is ABSENT:
                return ValueSource.UNSET
            return (
                ValueSource.SET
                if planned is ABSENT or alike(constant, planned)
                else ValueSource.KEPT
            )
        references = _bases(expression.get("references") or ())
        if not references:  # of functions and constants
            return ValueSource.UNSURE if rest and computed else ValueSource.SET
        each = UNKNOWN if block.each is UNKNOWN or key is None else at(block.each, (key,))
        found = [
            _stepped(each, path_of(one)[2:]) if one.startswith("each.value") else self.value(one, block.module)
            for one in references
        ]  # fmt: skip
        return self._referred(references, found, planned, computed)

    def _referred(self, references: list[str], found: list[Any], planned: Any, computed: bool) -> ValueSource:  # fmt: skip
        """`found`: what the references come to."""
        if len(found) == 1 and found[0] not in (UNKNOWN, PRESENT) and planned is not ABSENT:
            if found[0] is None:
                return ValueSource.UNSET
            if alike(found[0], planned):
                return ValueSource.SET
            if all(isinstance(parse_document(one), dict) for one in (found[0], planned)):
                return ValueSource.KEPT  # one document is taken as it is
            if not computed and (form := _form(found[0])) and form == _form(planned):
                return ValueSource.UNSURE
        if not computed:
            return ValueSource.SET
        known = [one for one in found if one not in (UNKNOWN, PRESENT, None)]
        if planned is not ABSENT and any(alike(one, planned) for one in known):
            return ValueSource.SET
        pairs = zip(references, found, strict=True)
        return (
            ValueSource.SET
            if all(_speaks(*pair, planned) for pair in pairs)
            else ValueSource.UNSURE
        )

    def _made(self, block: ResourceBlock, blocks: Any, planned: Any, key: str | int | None) -> bool:
        """Whether the blocks that a plan has can all be those that code has: none more, and none with another value."""
        if not isinstance(planned, list) or not isinstance(blocks, list):
            return True
        return len(planned) <= len(blocks) and all(
            any(self._is(replace(block, expressions=one), there, key) for one in blocks) for there in planned
        )  # fmt: skip

    def _is(self, block: ResourceBlock, there: Any, key: str | int | None) -> bool:
        """Whether a planned block can be this one of code."""
        for name, value in there.items():
            said = self.said(block, (name,), value, computed=False, key=key)
            if not (said is ValueSource.SET or (said is ValueSource.UNSET and (is_empty(value) or value is False))):  # fmt: skip
                return False
        return True

    def value(self, reference: str, module: Module) -> Any:
        """What a reference comes to; UNKNOWN where the plan does not show it."""
        first, _, rest = reference.partition(".")
        name, path = _split(rest)
        if first == "var":
            return _stepped(self._variable(name, module), path)
        if first in _OWN or not rest:
            return UNKNOWN
        if first == "data":
            kind, _, rest = rest.partition(".")
            first = f"data.{kind}"
            name, path = _split(rest)
        values = self._values.get(f"{module.prefix}{first}.{name}", [])
        return _stepped(values[0], path) if len(values) == 1 and path else UNKNOWN

    def _variable(self, name: str, module: Module) -> Any:
        default = (module.variables.get(name) or {}).get("default", UNKNOWN)
        if module.parent is None:
            return self._inputs[name].get("value") if name in self._inputs else default
        argument = module.arguments.get(name)
        if argument is None:
            return default
        if not isinstance(argument, dict):
            return UNKNOWN
        if "constant_value" in argument:
            value = argument["constant_value"]
            return UNKNOWN if value is None and default not in (None, UNKNOWN) else value
        references = _bases(argument.get("references") or ())
        found = [self.value(one, module.parent) for one in references]
        if len(found) == 1 and found[0] is not UNKNOWN:
            return found[0]
        own = any(one.partition(".")[0] in _OWN for one in references)
        return UNKNOWN if own else PRESENT


def _walked(expressions: Any, path: Path) -> tuple[Any, Path]:
    """The expression at a path, or one around it with the steps that lead on in its value; ABSENT where code has none.
    An element of a list is a block, and an empty one sets nothing."""
    for number, step in enumerate(path):
        inside = number > 0 and isinstance(path[number - 1], str)
        if inside and isinstance(expressions, dict) and _leaf(expressions):
            return expressions, path[number:]
        expressions = at(expressions, (step,))
        if expressions is ABSENT:
            return ABSENT, ()
    return expressions, ()


def _leaf(node: Mapping[str, Any]) -> bool:
    return not node or bool({"constant_value", "references"} & node.keys())


def _bases(references: Iterable[str]) -> list[str]:
    """References without those that only lead to another one in the list (`var.a` beside `var.a.b`)."""
    all_ = list(dict.fromkeys(references))
    return [one for one in all_ if not any(other != one and re.match(re.escape(one) + r"[.\[]", other) for other in all_)]  # fmt: skip


def _split(rest: str) -> tuple[str, Path]:
    """`name[0].a.b` as the name, and the steps after it; keys of instances count for nothing."""
    steps = path_of(without_keys(rest) if "." in rest else rest)
    return (str(steps[0]), steps[1:]) if steps else ("", ())


def _stepped(value: Any, path: Path) -> Any:
    if value is ABSENT:
        return UNKNOWN
    if value is UNKNOWN or value is PRESENT:
        return value if value is PRESENT and not path else UNKNOWN
    found = at(value, path)
    return UNKNOWN if found is ABSENT else found


def _speaks(reference: str, value: Any, planned: Any) -> bool:
    """Whether a reference gives no reason to think that its expression comes to null: a place (an ARN, a range of addresses)
    that is in what is planned; an attribute of another resource that is a value in it, or that the plan does not show.
    Whatever else a reference comes to may be what a condition asks about, and then says nothing of its result."""
    if value is PRESENT or reference.startswith("path."):
        return True
    first, *steps = reference.split(".")
    if value is UNKNOWN:
        return first not in _OWN and len(steps) > (2 if first == "data" else 1)
    if value is None or isinstance(value, bool):
        return False
    whole = {
        scalar(one) for one in _scalars(None if planned is ABSENT else parse_document(planned))
    }
    own = [scalar(one) for one in _scalars(parse_document(value))]
    made = first not in (*_OWN, "data")
    return bool(own) and all(
        (made and one in whole) or (_PLACE.search(one) and any(one in text for text in whole))
        for one in own
    )


def _form(value: Any) -> str:
    """What a text, or each of a list, is: an ARN or a range of addresses; "" for anything else. Two of one form that differ
    are hardly one made of the other."""
    if isinstance(value, list):
        forms = {_form(one) for one in value}
        return f"{forms.pop()}s" if len(forms) == 1 else ""
    if not isinstance(value, str):
        return ""
    if value.startswith("arn:"):
        return "arn"
    return "range" if _RANGE.fullmatch(value) else ""


def _scalars(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _scalars(one)
    elif value is not None and value != "":
        yield value


def alike(one: Any, other: Any) -> bool:
    """Whether a plan's value is the one that code says: Terraform fills in what is left out, and knows sets without order."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    value = canonical_policy(parse_document(value))
    if isinstance(value, dict):
        if "protocol" in value:  # of a security group's rule
            protocol, ports = canonical_ports(value["protocol"], value.get("from_port"), value.get("to_port"))  # fmt: skip
            value = value | {"protocol": protocol, "from_port": None, "to_port": ports}
        pairs = ((key, _plain(item)) for key, item in value.items())
        return {key: item for key, item in pairs if not is_empty(item) and item != "false"}
    if isinstance(value, list):
        return sorted((_plain(item) for item in value), key=lambda one: orjson.dumps(one, option=orjson.OPT_SORT_KEYS))  # fmt: skip
    return None if is_empty(value) else scalar(value).lower()
