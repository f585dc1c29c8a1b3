"""Compiles CEL expressions, and finds the parts and paths of the resource that they read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from driftline.pipeline.providers.installed import provider as facts
from driftline.pipeline.rulebook.cel import syntax_tree
from driftline.pipeline.rulebook.cel.functions import (
    UNREAD,
    Function,
    functions_of,
    guarded,
    not_read,
    owners,
)

Path = tuple[str, ...]
ELEMENT, TAGS = "[]", "tags"

_AT = re.compile(r"<input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '(\w+)'")


class ExpressionError(Exception):
    """An expression that does not compile. `line` and `column` count from 1 within its text; `fix`: what to do."""

    def __init__(self, message: str, line: int = 1, column: int = 1, fix: str = "") -> None:
        super().__init__(message)
        self.line, self.column, self.fix = line, column, fix


@dataclass(frozen=True)
class Expression:
    """A compiled expression."""

    text: str
    program: Any
    checked: Any
    """The CheckedExpr message (syntax_tree.py)."""
    paths: frozenset[Path]
    """The longest paths under `resource` that it reads; `[]` stands for any element."""
    uses: frozenset[str]
    """The variables that it uses."""
    reads: frozenset[str]
    """The parts that the expression itself reads, not through a function: they must be passed to the runtime."""
    provider: str | None = None
    """Whose functions it may call; None: all."""
    forms: dict[frozenset[str], Any] = field(default_factory=dict, init=False, compare=False)
    """Its programs by the parts that are unread (unread.py)."""

    @property
    def parts(self) -> frozenset[str]:
        """The parts of the configuration that it reads, including through `has()` and `?.`."""
        return frozenset(path[1] for path in self.paths if path[0] == "config" and len(path) > 1)

    @property
    def reads_tags(self) -> bool:
        return any(path[0] == TAGS for path in self.paths if path)


@cache
def environment(provider: str | None = None) -> Any:
    """Returns the CEL environment of rules about a provider's types: variables, the optional and strings extensions, our
    functions and the provider's. None: those of all providers."""
    return _environment(tuple(functions_of(provider).items()))


@cache
def _environment(known: tuple[tuple[str, Function], ...]) -> Any:
    """Returns the same environment for the same functions: what one has compiled, another cannot evaluate."""
    words = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    functions = [
        cel.FunctionDecl(
            name,
            [cel.Overload(f"{name}_o", getattr(cel.Type, f.returns), [getattr(cel.Type, t) for t in f.takes], False, guarded(f))],
        )
        for name, f in known
    ]  # fmt: skip
    raises = cel.Overload(f"{UNREAD}_o", cel.Type.DYN, [cel.Type.STRING], False, not_read)
    functions.append(cel.FunctionDecl(UNREAD, [raises]))
    return cel.NewEnv(
        variables={
            "resource": words,
            "params": words,
            "now": cel.Type.TIMESTAMP,
            "previous": cel.Type.DYN,
            "changes": cel.Type.List(words),
        },
        extensions=[
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
            cel.CelExtension("driftline", functions),
        ],
    )


def compile_text(text: str, provider: str | None = None) -> Expression:
    """Compiles a condition of a rule about a provider's types; None where it is not known which. Raises ExpressionError
    with the place of the first error."""
    return _compiled(text, _condition, provider)


def compile_value(text: str, provider: str | None = None) -> Expression:
    """Compiles an expression with a value of any type. Raises ExpressionError with the place of the first error."""
    return _compiled(text, _value, provider)


def reason_of(error: RuntimeError) -> ExpressionError:
    """Returns the compiler's message, with the place of the first error."""
    found = _AT.search(str(error))
    if found is None:
        return ExpressionError(str(error).splitlines()[0])
    line, column, message = found.groups()
    return ExpressionError(message, int(line), int(column))


def _condition(kind: str) -> str:
    if kind in ("BOOL", "DYN"):
        return ""
    return f"gives {kind.lower()}, not true or false (compare it with something)"


def _value(kind: str) -> str:
    return "may give nothing (end it with .orValue(null))" if kind.startswith("optional") else ""


def _foreign(error: ExpressionError, provider: str | None) -> ExpressionError:
    """Returns the error with the reason, where a rule calls another provider's function."""
    found = _UNDECLARED.search(str(error))
    if provider is None or found is None or not (whose := owners(found[1])):
        return error
    own = facts(provider).title
    return ExpressionError(
        f"{found[1]}() is only for rules about {' and '.join(whose)}; this rule is about {own}",
        error.line,
        error.column,
        f"call a general function or one of {own} (docs/functions.md)",
    )


def _compiled(text: str, wrong: Callable[[str], str], provider: str | None) -> Expression:
    try:
        program = environment(provider).compile(text)
    except RuntimeError as error:
        raise _foreign(reason_of(error), provider) from None
    if why := wrong(program.return_type().name()):
        raise ExpressionError(why)
    checked = syntax_tree.parse(program.serialize())
    touched = TouchedPaths(functions_of(provider))
    _walk(checked.expr, {}, touched)
    if ("config",) in touched.paths or () in touched.paths:
        raise ExpressionError(
            "the configuration is used as a whole (name the part: resource.config.<part>)"
        )
    reads = {path[1] for path in touched.paths if path[0] == "config"}
    paths = frozenset(touched.paths | touched.asked)
    return Expression(
        text, program, checked, paths, frozenset(touched.uses), frozenset(reads), provider
    )


@dataclass
class TouchedPaths:
    """What an expression reads: its own paths, paths that it passes to functions, and variables."""

    functions: Mapping[str, Function]
    """Those that it may call."""
    paths: set[Path] = field(default_factory=set)
    asked: set[Path] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)


def _walk(expr: Any, scope: dict[str, Path | None], found: TouchedPaths) -> None:
    """Records the longest path of every chain, then descends."""
    where = path_of(expr, scope)
    which = syntax_tree.kind(expr)
    if which == "ident_expr" and expr.ident_expr.name not in scope:
        found.uses.add(expr.ident_expr.name)
    if where is not None:
        found.paths.add(where)
        _below_chain(expr, scope, found)
        return
    if which == "comprehension_expr":
        c = expr.comprehension_expr
        _walk(c.iter_range, scope, found)
        inner = inner_scope(c, scope)
        for child in (c.accu_init, c.loop_condition, c.loop_step, c.result):
            _walk(child, inner, found)
        return
    if which == "call_expr" and (called := found.functions.get(expr.call_expr.function)):
        takes_path = called.path
        for number, argument in enumerate(expr.call_expr.args):
            if number == 0 and takes_path:
                text = syntax_tree.constant(argument)
                if not isinstance(text, str):
                    raise ExpressionError(
                        f"{expr.call_expr.function}() takes its path as a plain text"
                    )
                found.asked |= {("config", *path.split(".")) for path in text.split()}
            _walk(argument, scope, found)
        found.uses.update({"now"} if expr.call_expr.function == "age_days" else ())
        return
    for child in syntax_tree.children(expr):
        _walk(child, scope, found)


def _below_chain(expr: Any, scope: dict[str, Path | None], found: TouchedPaths) -> None:
    """Returns the index expressions inside a chain, and its root variable."""
    which = syntax_tree.kind(expr)
    if which == "ident_expr":
        if expr.ident_expr.name not in scope:
            found.uses.add(expr.ident_expr.name)
    elif which == "select_expr":
        _below_chain(expr.select_expr.operand, scope, found)
    elif which == "call_expr":
        call = expr.call_expr
        chain = [call.target] if call.HasField("target") else [call.args[0]]
        others = list(call.args) if call.HasField("target") else list(call.args[1:])
        _below_chain(chain[0], scope, found)
        for other in others:
            _walk(other, scope, found)
    elif which == "comprehension_expr":
        c = expr.comprehension_expr
        _walk(c.iter_range, scope, found)
        inner = scope | {c.iter_var: element_of(c.iter_range, scope), c.accu_var: None}
        _walk(c.loop_step, inner, found)


def path_of(expr: Any, scope: dict[str, Path | None]) -> Path | None:
    """Returns the path under `resource` that an expression refers to, or None."""
    which = syntax_tree.kind(expr)
    if which == "ident_expr":
        name = expr.ident_expr.name
        return scope.get(name, () if name == "resource" else None)
    if which == "select_expr":
        operand = path_of(expr.select_expr.operand, scope)
        return None if operand is None else (*operand, expr.select_expr.field)
    if which == "comprehension_expr":
        return _filtered(expr.comprehension_expr, scope)
    if which != "call_expr":
        return None
    call = expr.call_expr
    if call.function in ("_[_]", "_?._", "_[?_]"):
        operand = path_of(call.args[0], scope)
        step = syntax_tree.constant(call.args[1])
        if operand is None:
            return None
        if not operand or operand == ("config",):
            return (*operand, step) if isinstance(step, str) else operand
        return (*operand, step if isinstance(step, str) else ELEMENT)
    if call.function in ("orValue", "value", "or") and call.HasField("target"):
        return path_of(call.target, scope)
    return None


def inner_scope(comprehension: Any, scope: dict[str, Path | None]) -> dict[str, Path | None]:
    """Returns what the names within a comprehension refer to."""
    c = comprehension
    inner = scope | {c.iter_var: element_of(c.iter_range, scope), c.accu_var: None}
    if c.iter_var2:
        inner[c.iter_var2] = inner[c.iter_var]
        inner[c.iter_var] = None
    return inner


def element_of(expr: Any, scope: dict[str, Path | None]) -> Path | None:
    """Returns the path of an element of a list or map expression."""
    where = path_of(expr, scope)
    return None if where is None else (*where, ELEMENT)


def _filtered(comprehension: Any, scope: dict[str, Path | None]) -> Path | None:
    """A filter() does not change elements: its path is that of its range."""
    if syntax_tree.kind(comprehension.accu_init) != "list_expr":
        return None
    step = comprehension.loop_step
    if syntax_tree.kind(step) == "call_expr" and step.call_expr.function == "_?_:_":
        added = step.call_expr.args[1]
        if syntax_tree.kind(added) == "call_expr" and len(added.call_expr.args) == 2:
            new = added.call_expr.args[1]
            if syntax_tree.kind(new) == "list_expr" and len(new.list_expr.elements) == 1:
                item = new.list_expr.elements[0]
                if (
                    syntax_tree.kind(item) == "ident_expr"
                    and item.ident_expr.name == comprehension.iter_var
                ):
                    return path_of(comprehension.iter_range, scope)
    return None
