"""Evaluates a condition while some parts that it reads are unread. Pure.

Every access to such a part becomes a call that raises. CEL's `&&`, `||`, `all` and `exists` absorb an error if the
other side decides alone; everything else propagates it. A result therefore never depends on an unread part, and an
error means that it would. This second form is compiled once per set of parts, and only when needed."""

from collections.abc import Mapping
from typing import Any

from driftline.pipeline.rulebook.cel import syntax_tree
from driftline.pipeline.rulebook.cel.expression import (
    TAGS,
    Expression,
    Path,
    environment,
    inner_scope,
    path_of,
)
from driftline.pipeline.rulebook.cel.functions import UNREAD, Function, functions_of

LOGIC = {"_&&_", "_||_", "!_"}
ENDS = {"_||_": "_&&_", "_&&_": "_||_"}
"""`exists` (or) over unread elements is false if no element can match, and `all` alike: the number of elements does
not matter."""
OVERLOADS = {"_&&_": "logical_and", "_||_": "logical_or", "!_": "logical_not"}


def program(expression: Expression, parts: frozenset[str]) -> Any:
    """Returns the expression's program with `parts` unread; `tags` among them are the resource's tags."""
    if not parts:
        return expression.program
    touched = expression.parts | ({TAGS} if expression.reads_tags else set())
    hidden = parts & touched
    if not hidden:
        return expression.program
    if hidden not in expression.forms:
        checked = rewrite_unread(expression, hidden)
        expression.forms[hidden] = environment(expression.provider).deserialize(
            syntax_tree.unparse(checked)
        )
    return expression.forms[hidden]


def rewrite_unread(expression: Expression, hidden: frozenset[str]) -> Any:
    """Replaces every access to an unread part in the checked expression by a call that raises."""
    checked = type(expression.checked)()
    checked.CopyFrom(expression.checked)
    functions = functions_of(expression.provider)
    _Rewriter(checked, hidden, functions).rewrite(checked.expr, {}, logical=True)
    return checked


class _Rewriter:
    """Rewrites one checked expression in place."""

    def __init__(
        self, checked: Any, hidden: frozenset[str], functions: Mapping[str, Function]
    ) -> None:
        self._checked, self._hidden, self._functions = checked, hidden, functions
        self._fresh = max((node.id for node in syntax_tree.every(checked.expr)), default=0)

    def rewrite(self, expr: Any, scope: dict[str, Path | None], *, logical: bool) -> bool:
        """Inserts calls that raise; returns whether there were any. `logical`: the expression is a boolean."""
        part = self._part(expr, scope)
        if part is not None:
            self._raise(expr, part)
            return True
        if syntax_tree.kind(expr) == "comprehension_expr":
            return self._comprehension(expr, scope)
        name = expr.call_expr.function if syntax_tree.kind(expr) == "call_expr" else ""
        if name == "_?_:_":
            return self._conditional(expr, scope, logical=logical)
        logical = logical and name in LOGIC
        found = [
            self.rewrite(child, scope, logical=logical) for child in syntax_tree.children(expr)
        ]
        return any(found)

    def _part(self, expr: Any, scope: dict[str, Path | None]) -> str | None:
        """Returns the unread part that an expression reads, or that a function would read."""
        which = syntax_tree.kind(expr)
        if which == "call_expr" and (called := self._functions.get(expr.call_expr.function)):
            if called.path:
                part = str(syntax_tree.constant(expr.call_expr.args[0])).split(".")[0]
                return part if part in self._hidden else None
            return None
        if which == "comprehension_expr":
            return None
        where = path_of(expr, scope)
        if which == "ident_expr":  # an element of an unread part
            return self._root(where)
        if where is None or not (where == (TAGS,) or (len(where) == 2 and where[0] == "config")):
            return None
        return where[-1] if where[-1] in self._hidden and not _joined(expr) else None

    def _root(self, where: Path | None) -> str | None:
        """Returns the unread part to which a path leads."""
        if not where or where == ("config",):
            return None
        part = where[1] if where[0] == "config" else where[0]
        return part if part in self._hidden else None

    def _comprehension(self, expr: Any, scope: dict[str, Path | None]) -> bool:
        """`all` and `exists` over an unread part are known if the condition has the same result for every element."""
        c = expr.comprehension_expr
        inner, part = inner_scope(c, scope), self._root(path_of(c.iter_range, scope))
        over = self.rewrite(c.iter_range, scope, logical=False)
        step = (
            c.loop_step.call_expr.function if syntax_tree.kind(c.loop_step) == "call_expr" else ""
        )
        found = self.rewrite(c.loop_step, inner, logical=step in LOGIC)
        if part is not None and step in ENDS:
            of_any = c.loop_step.call_expr.args[1]
            unread = type(expr)()
            self._raise(unread, part)
            expr.CopyFrom(self._call(ENDS[step], of_any, unread))
        return over or found

    def _conditional(self, expr: Any, scope: dict[str, Path | None], *, logical: bool) -> bool:
        """`c ? a : b` with c unread has the common result of a and b: (c && a) || (!c && b) || (a && b)."""
        c, a, b = expr.call_expr.args
        unsure = self.rewrite(c, scope, logical=True)
        found = [self.rewrite(branch, scope, logical=logical) for branch in (a, b)]
        if unsure and logical:
            first = self._call("_&&_", c, a)
            second = self._call("_&&_", self._call("!_", c), b)
            both = self._call("_&&_", a, b)
            expr.CopyFrom(self._call("_||_", self._call("_||_", first, second), both))
        return unsure or any(found)

    def _call(self, function: str, *args: Any) -> Any:
        new = type(args[0])(id=self._next())
        new.call_expr.function = function
        for arg in args:
            new.call_expr.args.add().CopyFrom(arg)
        self._refer(new.id, OVERLOADS[function])
        return new

    def _raise(self, expr: Any, part: str) -> None:
        new = type(expr)(id=self._next())
        new.call_expr.function = UNREAD
        new.call_expr.args.add(id=self._next()).const_expr.string_value = part
        self._refer(new.id, f"{UNREAD}_o")
        expr.CopyFrom(new)

    def _next(self) -> int:
        self._fresh += 1
        return self._fresh

    def _refer(self, id: int, overload: str) -> None:
        self._checked.reference_map.add(key=id).value.overload_id.append(overload)


def _joined(expr: Any) -> bool:
    """Returns whether it is `a.or(b)` or similar: the fallback may be read where the part is not."""
    return syntax_tree.kind(expr) == "call_expr" and expr.call_expr.function in (
        "or",
        "orValue",
        "value",
    )
