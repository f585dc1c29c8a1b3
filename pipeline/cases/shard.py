"""The fold of ticket groups of one partition: member changes and time in; desired tickets and state rows out. Independent
of Kafka."""

from collections.abc import Callable, Iterable, Iterator

import orjson

from driftline.pipeline.cases import render, step
from driftline.pipeline.cases.codec import read
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.cases.state import (
    PAGE,
    CaseState,
    MemberPage,
    MemberRow,
    decode_case,
    decode_member,
    decode_page,
    member_name,
    page_name,
)
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Counts, Outcome, TicketCount
from driftline.pipeline.records.outputs import Dead, Output, Work
from driftline.pipeline.records.topics import CONTROL, TICKETS
from driftline.pipeline.records.truncate import truncate
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position
from driftline.pipeline.state.shard import LOOKS, EarliestDueTimes, Shard


class GroupMembers:
    """The rows of one group's members, read and written through the shard."""

    def __init__(self, shard: Shard, group: str, position: Position) -> None:
        self._shard, self._group, self._position = shard, group, position

    def get(self, id: str) -> MemberRow | None:
        row = self._shard.row(self._member(id))
        return decode_member(rows.content(row)) if row else None

    def put(self, id: str, row: MemberRow) -> None:
        self._shard.put(self._member(id), rows.encode(row, NEVER, self._position))

    def list(self, number: int, id: str) -> None:
        page = self._page(number // PAGE)
        page.ids.append(id)
        key = rows.body_key(page_name(self._group, number // PAGE))
        self._shard.put(key, rows.encode(page, NEVER, self._position))

    def every(self, joined: int) -> Iterator[tuple[str, MemberRow]]:
        seen = set()
        for number in range(-(-joined // PAGE)):
            for id in self._page(number).ids:
                if id not in seen and (row := self.get(id)) is not None and row.here:
                    seen.add(id)
                    yield id, row

    def clear(self, joined: int) -> None:
        for number in range(-(-joined // PAGE)):
            for id in self._page(number).ids:
                self._shard.put(self._member(id), None)
            self._shard.put(rows.body_key(page_name(self._group, number)), None)

    def _member(self, id: str) -> bytes:
        return rows.body_key(member_name(self._group, id))

    def _page(self, number: int) -> MemberPage:
        row = self._shard.row(rows.body_key(page_name(self._group, number)))
        return decode_page(rows.content(row)) if row else MemberPage([])


class Cases:
    """The fold of one partition. `get` reads a row that was taken, and made durable, before."""

    def __init__(
        self, number: int, get: Callable[[bytes], bytes | None], options: TicketOptions
    ) -> None:
        self.shard = Shard(number, get)
        self.shard.due = EarliestDueTimes()
        self._options = options
        self._control = 0

    @property
    def counts(self) -> Counts:
        """What has happened since the counts were last exported."""
        return self.shard.counts

    @property
    def watermark(self) -> int:
        """The current time, microseconds."""
        return self.shard.time.swept

    @property
    def pending(self) -> bool:
        """Whether there is any output."""
        return self.shard.pending

    def dated(self, topic: str) -> int:  # noqa: ARG002 - as every fold
        """Time does not wait for members: a late one only renders the ticket again."""
        return 0

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Rebuilds the list of due groups from the rows of the store. Raises NewerState."""
        self.shard.restore(stored)

    def take(self) -> Work:
        """The output since the last take, which the caller must make durable."""
        return self.shard.take()

    def take_dead(self) -> list[Dead]:
        """Dead letters since the last take."""
        return self.shard.take_dead()

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:
        """Processes one record of `members` or `control`. Malformed records are dead-lettered; raises only NewerState and
        MemoryError. `broker_time`: when the broker received it, microseconds; None: not known."""
        self.shard.begin(broker_time)
        try:
            if topic == CONTROL.name:
                self._time(value, offset + 1)
            else:
                self._member(value, offset + 1)
        except Exception as why:
            self.shard.failed(-1, why, value)

    def _time(self, value: bytes, offset: int) -> None:
        if (found := codec.control(value).tick) is not None:
            self._control = offset
            self.shard.time.hear(found, self.shard.latest)
            self.shard.put_watermarks(offset)

    def _member(self, value: bytes, offset: int) -> None:
        record = read(value)
        if record.at_us > self.shard.latest:
            raise Malformed(f"a member change of {record.at}: ahead of the broker's clock")
        group = record.group
        row = self.shard.row(rows.head_key(group))
        known = rows.prefix(row)[1] if row else Position()
        if known.offset >= offset:
            self.shard.counts[Outcome.DUPLICATES] += 1
            return
        case = decode_case(rows.content(row)) if row else CaseState()
        position = Position(offset, 0, max(known.control, self._control))
        members = GroupMembers(self.shard, group, position)
        applied = step.apply(case, members, record, self._options)
        self.shard.counts[Outcome.CHANGES if applied else Outcome.OLDER] += 1
        if applied or row is not None:
            self._keep(group, case, position)

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        """Advances up to `most` due groups. Returns whether more are left."""
        if self.shard.restore_some(most * LOOKS):
            return True
        until = self.watermark if limit is None else min(limit, self.watermark)
        return self.shard.due.run(until, most, lambda _, group: self._pass(group, until))[1]

    def _pass(self, group: str, until: int) -> bool:
        row = self.shard.row(rows.head_key(group))
        if row is None:
            return False
        due, known = rows.prefix(row)
        if due > until:
            self.shard.due.add(due, group)  # its due time has changed
            return False
        try:
            self._look(group, decode_case(rows.content(row)), known, until)
        except Exception as why:
            self.shard.failed(-1, why, group.encode())
        return True

    def _look(self, group: str, case: CaseState, known: Position, until: int) -> None:
        options = self._options
        position = Position(known.offset, known.place, max(known.control, self._control))
        members = GroupMembers(self.shard, group, position)
        step.pass_time(case, members, until, options)
        closing = case.phase == "closed" and case.closed_at == until
        settled = (
            case.changed_at and max(case.changed_at, case.rendered_at) + options.settle <= until
        )
        if case.phase != "none" and (closing or settled):
            self._render(group, case, members, until)
        self._keep(group, case, position)

    def _render(self, group: str, case: CaseState, members: GroupMembers, now: int) -> None:
        shown = step.refill(case, members, self._options)
        first = case.told != case.generation
        step.comment(case, group, now, first=first)
        document = render.ticket(group, case, shown)
        case.changed_at, case.rendered_at = 0, now
        digest = render.digest(document)
        if digest == case.digest:
            return
        case.digest, case.told = digest, case.generation
        case.revision += 1
        document["revision"] = case.revision
        self.shard.outputs.append(
            Output(TICKETS.name, document["key"].encode(), truncate(document))
        )
        self.shard.counts[TicketCount(document["state"], document["severity"])] += 1

    def _keep(self, group: str, case: CaseState, position: Position) -> None:
        due = step.due(case, self._options)
        self.shard.put(rows.head_key(group), rows.encode(case, due, position), due, group)


def told(work: Work) -> Iterator[dict[str, object]]:
    """The tickets among outputs, for use without a stream."""
    for output in work.outputs:
        if output.topic == TICKETS.name:
            yield orjson.loads(output.value)
