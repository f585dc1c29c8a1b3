"""Which topics a partition's state was made from, by their Kafka ids: the records of a topic that was made anew (or is of
another cluster) have offsets that are known already, and would all be taken for duplicates."""

from collections.abc import Collection, Mapping

import msgspec
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

BASE = 1 << 40
"""What is added to the offsets of a topic for each one before it: they go on where no earlier one came."""


class Made(msgspec.Struct, array_like=True):
    topics: dict[str, tuple[str, int]]
    """By a topic's own name (without prefix): its id, and how many there were before it."""


_made = msgspec.msgpack.Decoder(Made)


class Origins:
    """`ids`: of the topics as they are now, by their own names. `accepted`: ids that may follow others. `changelog`: the own
    name of the one topic that must not."""

    def __init__(self, ids: Mapping[str, str], accepted: Collection[str], changelog: str) -> None:
        self._ids, self._accepted, self._changelog = ids, accepted, changelog
        self._before: dict[int, dict[str, int]] = {}
        self.unsaved: dict[int, bytes] = {}
        """By partition, a row that is to be kept (state.ORIGINS_KEY)."""

    def learn(self, number: int, stored: bytes | None) -> list[str]:
        """What a partition's row says; the problems, each with the next step."""
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
            position = Position(control=changes * 1000 + len(now))  # further along than any before
            self.unsaved[number] = rows.encode(Made(now), NEVER, position)
        return []

    def place(self, number: int, topic: str, offset: int) -> int:
        """A record's offset, beyond all of the topics before it."""
        return offset + self._before.get(number, {}).get(topic, 0) * BASE


def problem(topic: str, old: str, new: str, *, changelog: bool = False) -> str:
    what = f"{topic} is another topic (id {new}) than the one that the state was made from (id {old}): it was made anew, or this is another cluster"  # fmt: skip
    if changelog:
        return f"{what}. Is kafka.bootstrap_servers right? If it is, delete the folder in worker.state_dir, and run a full sweep"  # fmt: skip
    return (
        f"{what}, and its records would be taken for known ones. Is kafka.bootstrap_servers right? If it is, set"
        f" worker.accepted_topics: [{new}] and start again: what is known stays, all records of the topic are read"
        " (or begin with an empty state: another worker.app_id)"
    )
