"""Writes the sentences of failing examples into a rule's file, without changing anything else in it."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from driftline.pipeline.proof.rules.sentences import render_examples
from driftline.pipeline.rulebook.rule import Rule


def write(rule: Rule) -> Iterator[str]:
    """Writes `says` if it is missing or differs; returns a line for each."""
    text = rule.path.read_text("utf-8")
    edits: list[tuple[int, int, str]] = []
    for node, one in zip(_failed(yaml.compose(text)), render_examples(rule), strict=False):
        if one.text is None or one.example.says == one.text:
            continue
        edits.append(_edit(node, one.text))
        yield f"{rule.path.name}: {one.example.name}: {one.text}"
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    if edits:
        rule.path.write_text(text, "utf-8")


def _failed(root: Any) -> list[yaml.MappingNode]:
    examples: Any = _field(root, "examples")
    return list(_field(examples, "failed").value)


def _field(node: Any, name: str) -> Any:
    return next((value for key, value in node.value if key.value == name), None)


def _edit(node: yaml.MappingNode, sentence: str) -> tuple[int, int, str]:
    """The range of characters to replace in the file, and the replacement."""
    words = json.dumps(sentence, ensure_ascii=False)
    if (old := _field(node, "says")) is not None:
        return old.start_mark.index, old.end_mark.index, words
    name = _field(node, "name")
    between = ", " if node.flow_style else "\n" + " " * node.start_mark.column
    return name.end_mark.index, name.end_mark.index, f"{between}says: {words}"
