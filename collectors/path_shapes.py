"""Infers the shape of a JMESPath's result from the shape of its input, so that a wrong path is found without data.

Shapes are those of `rules/types`: a scalar's name, "any", {"list": shape}, {"map": shape} or {"fields": {name:
shape}}. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import jmespath  # type: ignore[import-untyped]

from driftline.pipeline.common.yaml_source import nearest

Shape = Any
Node = dict[str, Any]
ANY = "any"
BOOL = "bool"
GIVES: dict[str, Shape] = {
    "join": "string", "to_string": "string", "type": "string", "replace": "string", "length": "int", "sum": "double", "abs": "double",
    "avg": "double", "ceil": "int", "floor": "int", "to_number": "double", "contains": BOOL, "starts_with": BOOL, "ends_with": BOOL,
    "keys": {"list": "string"},
}  # fmt: skip
SAME = ("sort", "reverse", "not_null", "sort_by")
"""Functions whose result has the shape of their first argument."""


class NoSuchPath(ValueError):
    """A path that never yields a value."""


def shape_at(path: str, shape: Shape) -> Shape:
    """Returns the shape of a path's result. Raises NoSuchPath if it never yields a value."""
    return _of(jmespath.compile(path).parsed, shape)


def steps_at(path: str, shape: Shape) -> Shape:
    """Returns the shape at dotted names that pass through lists, and with `*` through maps. Raises NoSuchPath."""
    for step in path.split("."):
        while isinstance(shape, dict) and "list" in shape:
            shape = shape["list"]
        shape = shape["map"] if step == "*" and _is(shape, "map") else _field(step, shape)
    return shape


def _of(node: Node, shape: Shape) -> Shape:
    return NODES.get(node["type"], _unknown)(node, shape)


def _is(shape: Shape, kind: str) -> bool:
    return isinstance(shape, dict) and kind in shape


def _field(name: str, shape: Shape) -> Shape:
    if shape == ANY:
        return ANY
    if _is(shape, "map"):
        return shape["map"]
    if not _is(shape, "fields"):
        what = "a list" if _is(shape, "list") else f"a value ({shape})"
        raise NoSuchPath(f"{name!r}: what it is looked for in is {what}")
    if name not in shape["fields"]:
        raise NoSuchPath(f"no field {name!r}{nearest(name, shape['fields'])}")
    return shape["fields"][name]


def _element(shape: Shape) -> Shape:
    if shape == ANY:
        return ANY
    if not _is(shape, "list"):
        raise NoSuchPath("[…] of a value that is not a list")
    return shape["list"]


def _chain(node: Node, shape: Shape) -> Shape:
    for child in node["children"]:
        shape = _of(child, shape)
    return shape


def _projection(node: Node, shape: Shape) -> Shape:
    left, right = node["children"]
    return {"list": _of(right, _element(_of(left, shape)))}


def _filter(node: Node, shape: Shape) -> Shape:
    left, right, condition = node["children"]
    element = _element(_of(left, shape))
    _of(condition, element)
    return {"list": _of(right, element)}


def _values(node: Node, shape: Shape) -> Shape:
    left, right = node["children"]
    held = _of(left, shape)
    if held != ANY and not (_is(held, "map") or _is(held, "fields")):
        raise NoSuchPath("* of a value that is not a map")
    return {"list": _of(right, held["map"] if _is(held, "map") else ANY)}


def _flattened(node: Node, shape: Shape) -> Shape:
    held = _element(_of(node["children"][0], shape))
    return held if _is(held, "list") else {"list": held}


def _several(node: Node, shape: Shape) -> Shape:
    found = [_of(child, shape) for child in node["children"]]
    return {"list": found[0] if all(one == found[0] for one in found) else ANY}


def _chosen(node: Node, shape: Shape) -> Shape:
    return {"fields": {pair["value"]: _of(pair["children"][0], shape) for pair in node["children"]}}


def _either(node: Node, shape: Shape) -> Shape:
    left, right = (_of(child, shape) for child in node["children"])
    return right if left == ANY else left


def _truth(node: Node, shape: Shape) -> Shape:
    for child in node["children"]:
        _of(child, shape)
    return BOOL


def _function(node: Node, shape: Shape) -> Shape:
    name = node["value"]
    given: list[Shape] = [
        ANY if child["type"] == "expref" else _of(child, shape) for child in node["children"]
    ]
    if name == "merge":
        if not all(_is(one, "fields") for one in given):
            return ANY
        merged: dict[str, Shape] = {}
        for one in given:
            merged |= one["fields"]
        return {"fields": merged}
    if name == "map" and (expression := node["children"][0])["type"] == "expref":
        return {"list": _of(expression["children"][0], _element(given[1]))}
    return given[0] if name in SAME else GIVES.get(name, ANY)


def _unknown(node: Node, shape: Shape) -> Shape:  # noqa: ARG001 - as the others
    return ANY


def _literal(node: Node, shape: Shape) -> Shape:  # noqa: ARG001 - as the others
    value = node["value"]
    if isinstance(value, Mapping):
        return {"fields": dict.fromkeys(value, ANY)}
    return {"list": ANY} if isinstance(value, list) else ANY


NODES: dict[str, Callable[[Node, Shape], Shape]] = {
    "field": lambda node, shape: _field(node["value"], shape),
    "current": lambda _, shape: shape,
    "identity": lambda _, shape: shape,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "index": lambda _, shape: _element(shape),
    "slice": lambda _, shape: {"list": _element(shape)},
    "projection": _projection,
    "filter_projection": _filter,
    "value_projection": _values,
    "flatten": _flattened,
    "multi_select_list": _several,
    "multi_select_dict": _chosen,
    "or_expression": _either,
    "and_expression": lambda node, shape: (_truth(node, shape), ANY)[1],
    "not_expression": _truth,
    "comparator": _truth,
    "function_expression": _function,
    "literal": _literal,
}
