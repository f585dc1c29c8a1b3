"""The state of one ticket group: a head, one row a member, and pages that list the members. Times in microseconds.

A record reads and writes the head, one member and one page, however many members there are."""

from typing import Any, Literal

import msgspec

PAGE = 256
"""Members of a page."""
Phase = Literal["none", "open", "closed"]


class CaseComment(msgspec.Struct, array_like=True):
    id: str
    at: int
    text: str


class Delta(msgspec.Struct, array_like=True):
    """What has changed in the membership since the ticket was last rendered."""

    failing: int = 0
    """Members that began to fail."""
    fixed: int = 0
    gone: int = 0
    accepted: int = 0
    left: int = 0
    names: list[str] = []
    """Of the first that began to fail."""
    why: str = ""
    """Why the first of them fails."""


class CaseState(msgspec.Struct, array_like=True):
    """The head."""

    by: str = ""
    values: list[str] = []
    phase: Phase = "none"
    generation: int = 0
    revision: int = 0
    about: dict[str, Any] = {}
    """What all members share: title, why, rule, family, frameworks, references, owner."""
    sample: str = ""
    """The member that `fix` is of."""
    fix: dict[str, str] = {}
    counts: dict[str, int] = {}
    """Members by state."""
    severities: dict[str, int] = {}
    """Failing members by severity."""
    worst: str = ""
    """The highest severity of a failing member in this generation."""
    joined: int = 0
    """How many members have ever joined: the number of the next."""
    shown: list[str] = []
    """Members that the ticket lists."""
    floor: list[int] = []
    """Severity and risk of the least of them, where there are more."""
    outranked: bool = False
    """A failing member that is not listed is worse than that."""
    opened_at: int = 0
    closed_at: int = 0
    reason: str = ""
    """Why it was closed."""
    quiet_since: int = 0
    """When the last failing or unknown member ceased to be so; 0 while there is one."""
    changed_at: int = 0
    """The first change that is not rendered; 0: none."""
    rendered_at: int = 0
    digest: bytes = b""
    """Of the last rendering."""
    told: int = 0
    """The generation of the last rendering."""
    reopened: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    comments: list[CaseComment] = []
    evidence: list[str] = []

    @property
    def members(self) -> int:
        return sum(self.counts.values())


class MemberRow(msgspec.Struct, array_like=True):
    """One member. One that has left keeps its row, so that an older record does not bring it back."""

    number: int
    """Which it was to join."""
    state: str
    revision: int
    since: int
    read_at: int = 0
    reason: str = ""
    unread_since: int = 0
    severity: str = "medium"
    risk: int = 0
    here: bool = True
    """False: it has left."""
    document: dict[str, Any] = {}


class MemberPage(msgspec.Struct, array_like=True):
    ids: list[str] = []


_case = msgspec.msgpack.Decoder(CaseState)
_member = msgspec.msgpack.Decoder(MemberRow)
_page = msgspec.msgpack.Decoder(MemberPage)
decode_case, decode_member, decode_page = _case.decode, _member.decode, _page.decode


def member_name(group: str, id: str) -> str:
    """What its row is called: the key is `rows.body_key` of it."""
    return f"{group}\n{id}"


def page_name(group: str, number: int) -> str:
    return f"{group}\n#{number}"
