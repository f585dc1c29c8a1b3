"""Errors carry place, text, kind and next step as fields, and no code decides by the words of a message."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common.errors import NotThere, Problem, UserError

ROOT = Path(__file__).parents[2]
TEXT = st.text(alphabet="abc (:)'", max_size=12)
RAISED = {"UserError", "NotThere", "Mistake", "InvalidValue", "Problem"}
DECIDING = {"startswith", "endswith", "partition", "rpartition", "split", "find", "index", "match", "search", "fullmatch"}  # fmt: skip
FOREIGN = {
    "pipeline/kafka/client.py:_refuses": "librdkafka has no code for a failed TLS handshake",
    "pipeline/kafka/client.py:_refusal": "librdkafka tells why a broker refuses only as text",
    "pipeline/kafka/client.py:_silence": "whether librdkafka says more than the name of its code",
    "pipeline/kafka/client.py:reached": "librdkafka reports a silent token endpoint as a refusal",
    "pipeline/common/environment_errors.py:describe_state_error": "RocksDB's errors are plain exceptions",
    "pipeline/rulebook/cel/expression.py:reason_of": "CEL's compiler tells places only as text",
    "pipeline/rulebook/cel/expression.py:_foreign": "CEL's compiler tells an unknown name only as text",
    "pipeline/settings/match_text.py:match_mistakes": "CEL's compiler tells an unknown name only as text",
    "collectors/aws/events/logfile.py:_documents": "the JSON parser tells where a document ends only as text",
    "pipeline/worker/store.py:opening_failed": "RocksDB's errors are plain exceptions",
}
"""Where another program's error has no code for what must be decided."""


def product() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("pipeline", "collectors", "sinks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


@given(TEXT, TEXT, TEXT, st.sampled_from(["", "driftline doctor"]))
def test_a_problem_is_its_line_and_keeps_its_fields(
    text: str, fix: str, place: str, see: str
) -> None:
    problem = Problem(text, fix, place, "missing", see)
    step = " ".join(filter(None, (fix, see and f"try: {see}")))
    assert problem == (f"{place}: {text}" if place else text) + (f" ({step})" if step else "")
    for one in (problem, pickle.loads(pickle.dumps(problem)), UserError(problem).problems[0]):
        assert (one.text, one.fix, one.place, one.kind, one.see) == (
            text,
            fix,
            place,
            "missing",
            see,
        )
    moved = problem.at("x")
    assert (moved.text, moved.fix, moved.place, moved.kind) == (text, fix, "x", "missing")
    assert problem.under("x").place == (f"x: {place}" if place else "x")


def test_an_error_keeps_its_problems_in_another_process() -> None:
    error = NotThere("no answer", fix="is it running?", place="Kafka", see="driftline doctor")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is NotThere
    assert again.problems == error.problems
    assert (again.problems[0].kind, again.problems[0].fix) == ("unavailable", "is it running?")
    assert str(error) == "Kafka: no answer (is it running? try: driftline doctor)"


def literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.FormattedValue):
        return "x"
    if isinstance(node, ast.JoinedStr):
        return "".join(map(literal, node.values))
    return ""


def test_the_next_step_is_a_field() -> None:
    """No text of an error ends in parentheses that hold a next step."""
    wrong = [
        f"{path}:{node.lineno}: {text}"
        for path, tree in product()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED
        for text in map(literal, node.args)
        if text.endswith(")") and text.rpartition(" (")[2].startswith(STEPS)
    ]  # fmt: skip
    assert wrong == []


STEPS = ("write ", "run: ", "see: ", "look ", "add ", "choose ", "correct ", "set ", "is it ", "try: ", "remove ", "name ", "did you")  # fmt: skip


class Messages:
    """What holds the message of an exception or of a problem in a function."""

    def __init__(self, function: ast.AST) -> None:
        nodes = list(ast.walk(function))
        self.errors = {n.name for n in nodes if isinstance(n, ast.ExceptHandler) and n.name}
        self.errors |= {
            n.arg for n in nodes if isinstance(n, ast.arg) and n.arg in ("error", "why")
        }
        self.names = {"problem"}
        for node in nodes:
            if isinstance(node, ast.Assign) and self.holds(node.value):
                self.names |= {t.id for t in node.targets if isinstance(t, ast.Name)}

    def holds(self, node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self.names
            case ast.Call(func=ast.Name(id="str" | "repr"), args=[ast.Name(id=name)]):
                return name in self.errors
            case ast.Call(func=ast.Attribute(attr="str")):
                return True
            case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "strip")):
                return self.holds(inner)
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id=name), attr="args")):
                return name in self.errors
            case _:
                return False

    def decide(self, node: ast.AST) -> bool:
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                about = self.holds(left) or self.holds(right)
                return about and not isinstance(operator, ast.Is | ast.IsNot)
            case ast.Call(func=ast.Attribute(value=inner, attr=name), args=[_, *_] as given):
                return name in DECIDING and any(map(self.holds, [inner, *given]))
            case _:
                return False


def decisions(function: ast.AST) -> list[int]:
    """Lines of a function that compare a message or take it apart."""
    messages = Messages(function)
    return [n.lineno for n in ast.walk(function) if isinstance(n, ast.expr) and messages.decide(n)]


def test_nothing_decides_by_the_words_of_a_message() -> None:
    found: dict[str, list[int]] = {}
    for path, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                lines := decisions(node)
            ):
                found[f"{path}:{node.name}"] = lines
    assert {where: lines for where, lines in found.items() if where not in FOREIGN} == {}


@pytest.mark.parametrize("code", [
    "def f():\n try: g()\n except OSError as why:\n  if 'missing' in str(why): h()",
    "def f():\n try: g()\n except OSError as why:\n  text = str(why).lower()\n  return 'x' in text",
    "def f(problem):\n return problem.partition(' (')",
    "def f(error):\n return error.args[0] == 'x'",
    "def f(xs):\n return [1 for problem in xs if ': missing' in problem]",
    "def f(error):\n return PATTERN.search(error.str())",
])  # fmt: skip
def test_such_a_decision_is_found(code: str) -> None:
    [function] = ast.parse(code).body
    assert decisions(function)
