"""What code declares of resources: what a collector reads from a plan or state, and several collectors together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from driftline.pipeline.model import Baseline


@dataclass
class DeclaredResources:
    """What a file came to."""

    kind: Literal["declared", "recorded"]
    records: list[Baseline] = field(default_factory=list)
    not_compared: dict[str, str] = field(default_factory=dict)
    """Address to why, and which attributes."""
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """Uid to all that say something of it."""
    partial: list[str] = field(default_factory=list)
    """Why what is missing in the plan is not gone, or what is in it not applied: nothing may end by it."""
    notes: list[str] = field(default_factory=list)
    """Of the file as a whole."""
    serial: int | None = None
    lineage: str | None = None


def joined(found: Sequence[DeclaredResources]) -> DeclaredResources:
    """What several collectors read from one file. An address is not compared where none of them compares it."""
    first, *others = found
    for one in others:
        first.records += one.records
        first.addresses |= one.addresses
        first.not_compared = {
            address: why
            for address, why in first.not_compared.items()
            if address in one.not_compared
        }
        first.partial += [why for why in one.partial if why not in first.partial]
        first.notes += [note for note in one.notes if note not in first.notes]
    return first
