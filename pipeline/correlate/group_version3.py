"""Reads groups as written by state version 3, which stored a group in one row. Pure."""

import msgspec

from driftline.pipeline.correlate.alerts.names import AlertNames
from driftline.pipeline.correlate.alerts.span import Run
from driftline.pipeline.correlate.compiled import CompiledCorrelation
from driftline.pipeline.correlate.conditions.first_seen import Memory
from driftline.pipeline.correlate.group import Group, pack
from driftline.pipeline.correlate.reports import ReportedAlert
from driftline.pipeline.detections.windows import Hit
from driftline.pipeline.state import rows

LAST_SINGLE_ROW_VERSION = 3
"""The last state version that stored a group in one row."""


class GroupVersion3(msgspec.Struct, array_like=True):
    """A group as written by state version 3."""

    hits: list[Hit] = []
    before: Run | None = None
    reported: dict[str, ReportedAlert] = {}
    floor: int = 0
    late: int = 0
    capped: bool = False
    seen: int = 0
    memory: Memory = Memory()


_older = msgspec.msgpack.Decoder(GroupVersion3)


def migrated(correlation: CompiledCorrelation, name: str, row: bytes) -> Group:
    """Converts a group of state version 3. Alerts that it had reported count as reported."""
    old = _older.decode(rows.content(row))
    names = AlertNames()
    shown = names.finalize(Hit(0, "", "", None, brief) for brief in (old.before.briefs if old.before else ()))  # fmt: skip
    if old.before is not None:
        old.before.listed = names.finalized
    group = Group(correlation, name, old.floor, old.before, names, old.memory)
    for run in group.scan.runs:
        run.finalized = shown
    group.late, group.capped, group.seen = old.late, old.capped, old.seen
    if group.known_values is not None:
        group.known_values.forget = 0
    for hit in old.hits:
        block = group.log.append(hit, pack(hit))
        group.held[hit.id, hit.rule] = (hit, block)
        group.scan.insert(hit)
    if group.known_values is not None:
        group.known_values.restore(old.hits)
    group.reported = {
        id: msgspec.structs.replace(told, digest=b"") for id, told in old.reported.items()
    }
    return group
