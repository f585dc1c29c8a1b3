"""What a ticket says, as blocks of rich text, for every destination alike. The renderers beside it know no tickets. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from driftline.sinks.tickets.text import harmless

STATES = {
    "failing": "fails", "passing": "fixed", "gone": "deleted", "suppressed": "accepted", "unknown": "not known",
}  # fmt: skip


class TextRun(NamedTuple):
    """A piece of text."""

    text: str
    bold: bool = False
    code: bool = False
    link: str = ""


class Paragraph(NamedTuple):
    runs: list[TextRun]


class Heading(NamedTuple):
    text: str


class TextTable(NamedTuple):
    head: list[str]
    rows: list[list[TextRun]]


class CodeBlock(NamedTuple):
    text: str


class Bullets(NamedTuple):
    items: list[list[TextRun]]


Block = Paragraph | Heading | TextTable | CodeBlock | Bullets
FIX = {
    "console": "In the console",
    "cli": "By command",
    "terraform": "In Terraform",
    "next": "Next step",
}


def blocks(ticket: Mapping[str, Any]) -> list[Block]:
    """The body of a ticket."""
    return [
        block
        for part in (_about(ticket), _members(ticket), _fix(ticket), _more(ticket))
        for block in part
    ]


def _text(value: Any) -> str:
    return harmless(str(value or ""))


def _line(value: Any) -> str:
    return " ".join(_text(value).split())


def _about(ticket: Mapping[str, Any]) -> Iterator[Block]:
    yield Paragraph([TextRun(_text(ticket["summary"]))])
    if why := _text(ticket.get("why")):
        yield Paragraph([TextRun("Why it matters: ", bold=True), TextRun(why)])
    facts = [("Severity", ticket["severity"]), ("Rule", ticket.get("rule"))]
    if owner := ticket.get("owner"):
        facts.append(("Owner", f"{owner['id']} (by {owner['found_by']})" if owner["id"] else ""))
    facts.append(("Due", (ticket.get("due_at") or "")[:10]))
    runs: list[TextRun] = []
    for name, value in facts:
        if value:
            runs += [TextRun(f"{', ' if runs else ''}{name}: ", bold=True), TextRun(_line(value))]
    yield Paragraph(runs)


def _members(ticket: Mapping[str, Any]) -> Iterator[Block]:
    for section in ticket["sections"]:
        account, name = _line(section["account"]), _line(section.get("name"))
        if account:
            yield Heading(f"{name} ({account})" if name else account)
        yield TextTable(
            ["Resource", "Where", "State", "Why"], [_row(one) for one in section["members"]]
        )
    if more := ticket.get("more"):
        yield Paragraph([TextRun(f"{more} more are not listed. ")])
    if evidence := ticket.get("evidence"):
        yield Heading("Evidence")
        yield Bullets([[TextRun(_line(one))] for one in evidence])


def _row(member: Mapping[str, Any]) -> list[TextRun]:
    state = STATES[member["state"]]
    if since := member.get("unread_since"):
        state += f" (not read since {since[:16]}Z)"
    why = [
        _line(member.get("sentence")),
        f"Caused by {_line(member['actor'])}." if member.get("actor") else "",
    ]
    return [
        TextRun(_line(member["resource"]), link=link(member.get("link"))),
        TextRun(" ".join(filter(None, [_line(member.get("type")), _line(member.get("region"))]))),
        TextRun(state, bold=member["state"] == "failing"),
        TextRun(" ".join(filter(None, why))),
    ]


def _fix(ticket: Mapping[str, Any]) -> Iterator[Block]:
    fix = ticket.get("fix") or {}
    ways = [(title, _text(fix[way])) for way, title in FIX.items() if fix.get(way)]
    if not ways:
        return
    name = _line(fix.get("for"))
    yield Heading(f"How to fix {name}" if name else "How to fix it")
    for title, text in ways:
        yield Paragraph([TextRun(f"{title}:", bold=True)])
        yield (
            CodeBlock(text)
            if title in (FIX["cli"], FIX["terraform"])
            else Paragraph([TextRun(text)])
        )


def _more(ticket: Mapping[str, Any]) -> Iterator[Block]:
    references = [url for url in map(link, ticket.get("references") or ()) if url]
    if references:
        yield Heading("More")
        yield Bullets([[TextRun(url, link=url)] for url in references])
    if frameworks := ticket.get("frameworks"):
        told = "; ".join(f"{name} {', '.join(ids)}" for name, ids in sorted(frameworks.items()))
        yield Paragraph([TextRun("Controls: ", bold=True), TextRun(_line(told))])


def link(url: Any) -> str:
    """A URL that may be followed; empty for anything else."""
    text = _line(url)
    return text if text.startswith(("https://", "http://")) and " " not in text else ""


def plain(body: Iterable[Block]) -> str:
    """As plain text."""
    return "\n\n".join(_plain(block) for block in body)


def _plain(block: Block) -> str:
    match block:
        case Paragraph(runs):
            return "".join(run.text for run in runs)
        case Heading(text):
            return text.upper()
        case CodeBlock(text):
            return "\n".join(f"    {line}" for line in text.splitlines())
        case Bullets(items):
            return "\n".join(f"- {''.join(run.text for run in item)}" for item in items)
        case TextTable(head, rows):
            return "\n".join(_plain_row(head, row) for row in rows)


def _plain_row(head: list[str], row: list[TextRun]) -> str:
    first, *rest = row
    told = [
        f"{name.lower()}: {run.text}" for name, run in zip(head[1:], rest, strict=True) if run.text
    ]
    link = f" <{first.link}>" if first.link else ""
    return f"- {first.text}{link}: {'; '.join(told)}"
