"""Gives access to CEL's checked expressions as a tree: Python only has their serialized form.

Message and field numbers are those of cel.expr (checked.proto, syntax.proto). Only what is read here is declared; the
rest is kept as unknown fields."""

from collections.abc import Iterator
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto
_TYPES = {"int64": F.TYPE_INT64, "uint64": F.TYPE_UINT64, "bool": F.TYPE_BOOL, "double": F.TYPE_DOUBLE,
          "string": F.TYPE_STRING, "bytes": F.TYPE_BYTES, "int32": F.TYPE_INT32}  # fmt: skip

_MESSAGES: dict[str, list[tuple[str, int, str, str]]] = {
    # message: (field, number, type, label); label: one, many, or the oneof's name
    "Constant": [("null_value", 1, "int32", "kind"), ("bool_value", 2, "bool", "kind"),
                 ("int64_value", 3, "int64", "kind"), ("uint64_value", 4, "uint64", "kind"),
                 ("double_value", 5, "double", "kind"), ("string_value", 6, "string", "kind"),
                 ("bytes_value", 7, "bytes", "kind")],
    "Ident": [("name", 1, "string", "one")],
    "Select": [("operand", 1, "Expr", "one"), ("field", 2, "string", "one"), ("test_only", 3, "bool", "one")],
    "Call": [("target", 1, "Expr", "one"), ("function", 2, "string", "one"), ("args", 3, "Expr", "many")],
    "CreateList": [("elements", 1, "Expr", "many"), ("optional_indices", 2, "int32", "many")],
    "Entry": [("id", 1, "int64", "one"), ("field_key", 2, "string", "key"), ("map_key", 3, "Expr", "key"),
              ("value", 4, "Expr", "one"), ("optional_entry", 5, "bool", "one")],
    "CreateStruct": [("message_name", 1, "string", "one"), ("entries", 2, "Entry", "many")],
    "Comprehension": [("iter_var", 1, "string", "one"), ("iter_range", 2, "Expr", "one"),
                      ("accu_var", 3, "string", "one"), ("accu_init", 4, "Expr", "one"),
                      ("loop_condition", 5, "Expr", "one"), ("loop_step", 6, "Expr", "one"),
                      ("result", 7, "Expr", "one"), ("iter_var2", 8, "string", "one")],
    "Expr": [("id", 2, "int64", "one"), ("const_expr", 3, "Constant", "kind"), ("ident_expr", 4, "Ident", "kind"),
             ("select_expr", 5, "Select", "kind"), ("call_expr", 6, "Call", "kind"),
             ("list_expr", 7, "CreateList", "kind"), ("struct_expr", 8, "CreateStruct", "kind"),
             ("comprehension_expr", 9, "Comprehension", "kind")],
    "Reference": [("name", 1, "string", "one"), ("overload_id", 3, "string", "many")],
    "ReferenceEntry": [("key", 1, "int64", "one"), ("value", 2, "Reference", "one")],
    "CheckedExpr": [("reference_map", 2, "ReferenceEntry", "many"), ("expr", 4, "Expr", "one")],
}  # fmt: skip


def _factory() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="driftline/cel.proto", package="driftline.cel", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        groups: list[str] = []
        for field, number, kind, label in fields:
            declared = message.field.add(
                name=field,
                number=number,
                label=F.LABEL_REPEATED if label == "many" else F.LABEL_OPTIONAL,
            )
            if kind in _TYPES:
                declared.type = _TYPES[kind]
            else:
                declared.type, declared.type_name = F.TYPE_MESSAGE, f".driftline.cel.{kind}"
            if label not in ("one", "many"):
                if label not in groups:
                    groups.append(label)
                    message.oneof_decl.add(name=label)
                declared.oneof_index = groups.index(label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("driftline.cel.CheckedExpr"))


CheckedExpr = _factory()


def parse(serialized: bytes) -> Any:
    """Parses the CheckedExpr message of a compiled expression (wrapped in an Any); its root is `.expr`."""
    return CheckedExpr.FromString(any_pb2.Any.FromString(serialized).value)


def unparse(checked: Any) -> bytes:
    """Serializes it for the runtime."""
    return any_pb2.Any(
        type_url="type.googleapis.com/cel.expr.CheckedExpr", value=checked.SerializeToString()
    ).SerializeToString()


def kind(expr: Any) -> str:
    """Returns which alternative of Expr it is: const_expr, ident_expr, select_expr, call_expr …"""
    return str(expr.WhichOneof("kind") or "")


def children(expr: Any) -> list[Any]:
    """Returns the expressions directly below."""
    which = kind(expr)
    if which == "select_expr":
        return [expr.select_expr.operand]
    if which == "call_expr":
        target = [expr.call_expr.target] if expr.call_expr.HasField("target") else []
        return target + list(expr.call_expr.args)
    if which == "list_expr":
        return list(expr.list_expr.elements)
    if which == "struct_expr":
        entries = expr.struct_expr.entries
        return [e.map_key for e in entries if e.HasField("map_key")] + [e.value for e in entries]
    if which == "comprehension_expr":
        c = expr.comprehension_expr
        return [c.iter_range, c.accu_init, c.loop_condition, c.loop_step, c.result]
    return []


def every(expr: Any) -> Iterator[Any]:
    """Yields an expression and everything below it."""
    yield expr
    for child in children(expr):
        yield from every(child)


def constant(expr: Any) -> Any:
    """Returns the value of a constant expression; None for null and for any other expression."""
    if kind(expr) != "const_expr":
        return None
    which = expr.const_expr.WhichOneof("kind")
    return None if which in (None, "null_value") else getattr(expr.const_expr, which)
