"""Rich text as Jira's wiki markup (Data Center). Everything that is markup there is escaped. Pure."""

import re
from collections.abc import Iterable

from driftline.sinks.tickets.content import (
    Block,
    Bullets,
    CodeBlock,
    Heading,
    Paragraph,
    TextRun,
    TextTable,
)

_MARKUP = re.compile(r"([\\*_\-+^~?{}\[\]|!#@(])")


def markup(body: Iterable[Block]) -> str:
    """Blocks as wiki markup."""
    return "\n\n".join(_block(block) for block in body)


def _block(block: Block) -> str:
    match block:
        case Paragraph(runs):
            return "".join(map(_run, runs))
        case Heading(text):
            return f"h3. {escaped(text)}"
        case CodeBlock(text):
            return "{noformat}\n" + text.replace("{noformat}", "{ noformat }") + "\n{noformat}"
        case Bullets(items):
            return "\n".join(f"* {''.join(map(_run, item))}" for item in items)
        case TextTable(head, rows):
            first = "||" + "||".join(map(escaped, head)) + "||"
            return "\n".join(
                [first, *("|" + "|".join(_run(run) or " " for run in row) + "|" for row in rows)]
            )


def _run(run: TextRun) -> str:
    text = escaped(" ".join(run.text.split()) if run.link else run.text)
    if run.link:
        address = run.link.replace("|", "%7C").replace("]", "%5D").replace("[", "%5B")
        text = f"[{text}|{address}]"
    return f"*{text}*" if run.bold and text.strip() == text and text else text


def escaped(text: str) -> str:
    """A text in which nothing is markup."""
    return _MARKUP.sub(r"\\\1", text)
