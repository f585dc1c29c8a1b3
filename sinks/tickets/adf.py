"""Rich text as the Atlassian Document Format, and our part of a document that people may edit, too. Pure.

Format: developer.atlassian.com, "Atlassian Document Format", version 1. Text nodes must not be empty."""

from collections.abc import Iterable
from typing import Any

from driftline.sinks.tickets.content import (
    Block,
    Bullets,
    CodeBlock,
    Heading,
    Paragraph,
    TextRun,
    TextTable,
)
from driftline.sinks.tickets.text import BEGIN, END

Node = dict[str, Any]


def document(nodes: list[Node]) -> Node:
    """A document of block nodes."""
    return {"type": "doc", "version": 1, "content": nodes}


def nodes(body: Iterable[Block]) -> list[Node]:
    """Blocks as block nodes."""
    return [node for block in body if (node := _node(block)) is not None]


def paragraph(text: str) -> Node:
    return {"type": "paragraph", "content": _runs([TextRun(text)])}


def _node(block: Block) -> Node | None:
    match block:
        case Paragraph(runs):
            return {"type": "paragraph", "content": _runs(runs)}
        case Heading(text):
            return (
                {"type": "heading", "attrs": {"level": 3}, "content": _runs([TextRun(text)])}
                if text
                else None
            )
        case CodeBlock(text):
            return (
                {"type": "codeBlock", "attrs": {}, "content": [{"type": "text", "text": text}]}
                if text
                else None
            )
        case Bullets(items):
            return (
                {"type": "bulletList", "content": [_item(item) for item in items]}
                if items
                else None
            )
        case TextTable(head, rows):
            return _table(head, rows) if rows else None


def _item(runs: list[TextRun]) -> Node:
    return {"type": "listItem", "content": [{"type": "paragraph", "content": _runs(runs)}]}


def _table(head: list[str], rows: list[list[TextRun]]) -> Node:
    first = {
        "type": "tableRow",
        "content": [_cell("tableHeader", TextRun(name, bold=True)) for name in head],
    }
    rest = [
        {"type": "tableRow", "content": [_cell("tableCell", run) for run in row]} for row in rows
    ]
    return {"type": "table", "content": [first, *rest]}


def _cell(kind: str, run: TextRun) -> Node:
    return {"type": kind, "attrs": {}, "content": [{"type": "paragraph", "content": _runs([run])}]}


def _runs(runs: Iterable[TextRun]) -> list[Node]:
    return [_run(run) for run in runs if run.text]


def _run(run: TextRun) -> Node:
    marks: list[Node] = []
    if run.bold:
        marks.append({"type": "strong"})
    if run.code:
        marks.append({"type": "code"})
    if run.link:
        marks.append({"type": "link", "attrs": {"href": run.link}})
    return {"type": "text", "text": run.text} | ({"marks": marks} if marks else {})


def marked(ours: list[Node]) -> list[Node]:
    """Our nodes between their markers."""
    return [paragraph(BEGIN), *ours, paragraph(END)]


def merged(current: Node | None, ours: list[Node]) -> Node:
    """A document with our part replaced; without markers it is added at the end."""
    content = list((current or {}).get("content") or [])
    places = _places(content)
    if places is None:
        return document([*content, *marked(ours)])
    begin, end = places
    return document([*content[:begin], *marked(ours), *content[end + 1 :]])


def has_part(current: Node | None) -> bool:
    """Whether our part is there."""
    return _places((current or {}).get("content") or []) is not None


def _places(content: list[Node]) -> tuple[int, int] | None:
    texts = [text_of(node).strip() for node in content]
    if BEGIN not in texts:
        return None
    begin = texts.index(BEGIN)
    return (begin, begin + texts[begin:].index(END)) if END in texts[begin:] else None


def text_of(node: Node) -> str:
    """All text of a node."""
    return str(node.get("text", "")) + "".join(text_of(one) for one in node.get("content") or ())
