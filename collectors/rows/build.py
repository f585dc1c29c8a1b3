"""Makes the snapshot of a resource from its row and the parts that were read: the same for every provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from driftline.collectors.redact import Redactor
from driftline.collectors.rows.paths import text, value
from driftline.collectors.rows.row import TypeRow
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import CloudAccount, Part, Related, Snapshot, Unread, UnreadReason
from driftline.pipeline.records import codec

MOST_BYTES = 900_000
GLOBAL = "global"


class Surroundings(NamedTuple):
    """What a resource is read in."""

    provider: str
    owner: CloudAccount
    """The account with its name and what stands above it, as far as that is known."""
    redactor: Redactor
    sweep: str | None = None


@dataclass
class PartsRead:
    """The parts of one resource, while it is read."""

    config: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def keep(self, part: str, got: Any, at: datetime, provided_at: datetime | None = None) -> None:
        """A part was read; `at` is the time before the call, `provided_at` the provider's own of what it answered."""
        self.config[part] = got
        self.parts.append(Part(name=part, captured_at=at, provided_at=provided_at))

    def hide(self, part: str, reason: UnreadReason, code: str) -> None:
        """A part could not be read."""
        self.unread.append(Unread(part=part, reason=reason, code=code))

    def fit(self) -> None:
        """Gives up parts that cannot travel, and the largest where the whole would not fit; says so as unread."""
        sizes: dict[str, int] = {}
        lost: list[str] = []
        for part, got in self.config.items():
            try:
                sizes[part] = size(got)
            except Malformed:
                lost.append(part)
                self.hide(part, "failed", "Malformed")
        while sum(sizes.values()) > MOST_BYTES:
            largest = max(sizes, key=lambda part: sizes[part])
            del sizes[largest]
            lost.append(largest)
            self.hide(largest, "oversize", "TooLarge")
        for part in lost:
            del self.config[part]
        self.parts = [part for part in self.parts if part.name not in lost]


def size(value: Any) -> int:
    """The bytes of a part on the wire. Raises Malformed for what cannot travel."""
    return len(orjson.dumps(codec.fits(value)))


def named(row: TypeRow, holes: Mapping[str, Any]) -> str:
    """The resource's name, by its row."""
    name = str(value(row.name, holes) or "")
    return name.rsplit(row.name_after, 1)[-1] if row.name_after else name


def region_of(row: TypeRow, holes: Mapping[str, Any], otherwise: str) -> str:
    """The resource's own region, or that of its scope."""
    return str(value(row.region, holes) or GLOBAL) if row.region else otherwise


def snapshot(
    row: TypeRow, holes: Mapping[str, Any], read: PartsRead, around: Surroundings, *, region: str, at: datetime,
    tags: Mapping[str, str],
) -> Snapshot:  # fmt: skip
    """One resource, redacted. `holes`: what the row's paths are searched in, {item, …} and `name`; `at`: the time before the
    list was asked for. Raises ValueError where the item gives no uid: the row does not fit it."""
    uid = text(row.uid, holes)
    if uid is None:
        raise ValueError(f"{row.type}: the listed item gives no uid by {row.uid}")
    read.config = around.redactor.config(read.config, row.redact)
    read.fit()
    related = ((r, text(r.uid, holes)) for r in row.relations)
    made = value(row.incarnation, holes) if row.incarnation else None
    owner = around.owner
    return Snapshot(
        uid=uid, type=row.type, class_=row.class_, provider=around.provider, organization=owner.organization,
        account=owner.id, cloud_account=owner, region=region, name=holes["name"], tags=around.redactor.tags(tags),
        captured_at=at, config=read.config, parts=read.parts, unread=read.unread, sweep=around.sweep,
        incarnation=None if made is None else str(made),
        related=[Related(uid=to, relation=r.relation, type=r.type) for r, to in related if to],
    )  # fmt: skip
