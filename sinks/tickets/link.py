"""What is remembered of a wanted ticket's real one: records of the topic `ticket-links`."""

from typing import Any, Literal, Protocol

import msgspec

Phase = Literal["intent", "linked", "deleted"]


class TicketLink(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ticket at one sink. The last record stands. Times in seconds since 1970."""

    sink: str
    ticket: str
    """The wanted ticket's key."""
    phase: Phase
    """`intent`: it is being created, or was; `deleted`: a person deleted it, and it is not created again."""
    attempt: int = 1
    intent_at: float = 0
    reference: str = ""
    id: str = ""
    url: str = ""
    revision: int = 0
    """Of the wanted ticket that it was last made equal to."""
    reopened: int = 0
    """How often the wanted ticket had been reopened then."""
    open: bool = True
    """As we left it."""
    written: dict[str, Any] = {}
    """Our fields, as the ticket had them after our last write; of the body only a digest of our part."""
    writing: dict[str, Any] = {}
    """What is being written to them, or was when the process was killed."""
    labels: list[str] = []
    """Ours, likewise."""
    theirs: list[str] = []
    """Fields that a person has changed: no longer written."""
    comments: list[str] = []
    """Ids of the comments that were written."""
    stuck: bool = False
    """No transition leads where it should be. Said once in a comment."""
    watch_until: float = 0
    """Until when a second ticket of the same attempt may still come to light."""
    followed: bool = False
    """It is linked to the group's earlier ticket."""


_decoder = msgspec.json.Decoder(TicketLink)


def encode(link: TicketLink) -> bytes:
    """JSON."""
    return msgspec.json.encode(link)


def decode(value: bytes) -> TicketLink:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(value)


class Links(Protocol):
    """The links of one sink."""

    def get(self, ticket: str) -> TicketLink | None: ...
    async def put(self, link: TicketLink) -> None:
        """Returns once the record is durable. Raises if it cannot be."""
