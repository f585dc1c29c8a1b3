"""Remembers the Kafka ids of the topics that a partition's state was built from. The records of a topic that was recreated, or
belongs to another cluster, have offsets that were processed already, and would all be skipped as duplicates."""

from collections.abc import Collection, Mapping

import msgspec

from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

BASE = 1 << 40
"""Added to a topic's offsets for each earlier topic of the same name, so that they are higher than any before."""


class StateOrigins(msgspec.Struct, array_like=True):
    topics: dict[str, tuple[str, int]]
    """By topic name without prefix: its id, and how many topics of that name came before it."""


_made = msgspec.msgpack.Decoder(StateOrigins)


class TopicOrigins:
    """`ids`: current topic ids, by topic name without prefix. `accepted`: ids that may replace others. `changelog`: the one
    topic that must never be replaced."""

    def __init__(self, ids: Mapping[str, str], accepted: Collection[str], changelog: str) -> None:
        self._ids, self._accepted, self._changelog = ids, accepted, changelog
        self._before: dict[int, dict[str, int]] = {}
        self.unsaved: dict[int, bytes] = {}
        """By partition, the row to be written with the next commit (state.rows.ORIGINS_KEY)."""

    def check(self, number: int, stored: bytes | None) -> list[str]:
        """Compares a partition's stored row with the current ids. Returns the problems, each with its next step."""
        known = dict(_made.decode(rows.content(stored)).topics) if stored else {}
        problems, now = [], dict(known)
        for topic, id in self._ids.items():
            old, before = known.get(topic, (id, 0))
            if old != id and (topic == self._changelog or id not in self._accepted):
                problems.append(problem(topic, old, id, changelog=topic == self._changelog))
            now[topic] = (id, before + (old != id))
        if problems:
            return problems
        self._before[number] = {topic: before for topic, (_, before) in now.items()}
        if now != known:
            changes = sum(before for _, before in now.values())
            position = Position(control=changes * 1000 + len(now))  # higher than any before
            self.unsaved[number] = rows.encode(StateOrigins(now), NEVER, position)
        return []

    def place(self, number: int, topic: str, offset: int) -> int:
        """A record's offset, shifted beyond those of all earlier topics of the same name."""
        return offset + self._before.get(number, {}).get(topic, 0) * BASE


def problem(topic: str, old: str, new: str, *, changelog: bool = False) -> str:
    what = f"{topic} is another topic (id {new}) than the one that the state was built from (id {old}): it was recreated, or this is another cluster"  # fmt: skip
    if changelog:
        return f"{what}. Is kafka.bootstrap_servers right? If it is, delete the folder in worker.state_dir, and run a full sweep"  # fmt: skip
    return (
        f"{what}, and its records would be skipped as duplicates. Is kafka.bootstrap_servers right? If it is, set"
        f" worker.accepted_topics: [{new}] and start again: the state is kept, and all records of the topic are read"
        " (or start with an empty state: another worker.app_id)"
    )
