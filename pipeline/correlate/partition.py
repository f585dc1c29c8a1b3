"""One partition's fold of signals: signals and time in; alerts, signals of alerts, and state rows out. Every shell
drives this; it knows no Kafka."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
import orjson
from pydantic import ValidationError

from pipeline import arrival, wire
from pipeline import state as rows
from pipeline.correlate import alert
from pipeline.correlate import group as groups
from pipeline.correlate.budget import Budget
from pipeline.correlate.group import Group
from pipeline.correlate.windows import Hit
from pipeline.detections.watch import Watch
from pipeline.errors import Malformed
from pipeline.model import Mark, Signal, micros
from pipeline.output import Dead, Output, Work, marks
from pipeline.state import NEVER, NewerState, Position
from pipeline.topics import ALERTS, PARTITIONS, SIGNALS
from pipeline.watermarks import Watermarks

_group = msgspec.msgpack.Decoder(Group)


class Correlating:
    """The fold of one partition. `get` reads a row that was taken (and made durable) before; `lateness`: how much later
    than the watermark a signal may come (microseconds); `sources`: partitions of the worker, all of which must have
    told how far they are; `budget`: alerts of a rule within an hour that are not held back, 0: all."""

    def __init__(
        self,
        number: int,
        get: Callable[[bytes], bytes | None],
        content: Watch,
        lateness: int,
        sources: int = PARTITIONS,
        budget: int = 0,
    ) -> None:
        self.number = number
        self.counts: Counter[str] = Counter()
        self._get = get
        self._by_id = {
            id: groups.Correlation(id, one.spec(), lateness)
            for id, one in content.correlations.items()
        }
        self._watch = content
        self._levels = levels(content)
        self._top = max(self._levels.values(), default=1)
        self._due: dict[int, list[tuple[int, str]]] = {n: [] for n in range(1, self._top + 1)}
        self._marks: dict[int, int] = {}
        self._outputs: list[Output] = []
        self._rows: dict[bytes, bytes | None] = {}
        self._dead: list[Dead] = []
        self._marked, self._sources = 0, sources
        self._latest = NEVER
        self._time = Watermarks(self._get)
        self._budget = Budget(self._row, self._rows_put, budget)

    @property
    def watermark(self) -> int:
        """Until when every signal of the worker has come, microseconds."""
        return self._known(1)

    def _known(self, level: int) -> int:
        """Until when every signal for correlations of a level has come: those of the levels below included."""
        return min(self._time.least(f"{below}.", self._sources) for below in range(level))

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Rebuilds the list of due groups from the rows of the store. Raises NewerState."""
        for key, row in stored:
            if (due := rows.prefix(row)[0]) != NEVER:
                self._wait(due, key[1:].decode())

    def _wait(self, due: int, name: str) -> None:
        level = self._levels.get(name.partition("\n")[0], 1)
        heapq.heappush(self._due[level], (due, name))

    def dated(self, topic: str) -> int:  # noqa: ARG002 - there is one
        """Nothing waits for these: time comes by the same topic."""
        return 0

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:  # noqa: ARG002 - there is one
        """One record of `signals`. What is malformed goes to the dead; raises only NewerState. `broker_time`: when the
        broker took it, microseconds; None: not known."""
        self._latest = arrival.latest(broker_time)
        try:
            document = wire.decode(value)
            if isinstance(document, dict) and "mark" in document:
                self._mark(document, offset + 1)
            else:
                self._signal(document, offset + 1)
        except Malformed as why:
            self._bury(str(why), value)
        except (NewerState, MemoryError):
            raise
        except Exception as why:  # one group's trouble must not stop the others
            self._bury(f"{type(why).__name__}: {why}", value)

    def _mark(self, document: dict[str, Any], offset: int) -> None:
        record = _read(Mark, document)
        if micros(record.until) > self._latest:
            raise Malformed(f"a mark of {record.until}: ahead of the broker's clock")
        self._marked = offset
        self.counts["marks"] += 1
        self._time.tick(f"{record.level}.{record.mark}", micros(record.until), self._latest)
        self._rows[rows.SOURCES_KEY] = self._time.row(offset)

    def _signal(self, document: Any, offset: int) -> None:
        record = _read(Signal, document)
        name = f"{record.correlation}\n{record.group}"
        one = self._by_id.get(record.correlation)
        if one is None:
            self.counts["unknown"] += 1  # its rule is gone from the content
            return
        group, position = self._load(name)
        if position.offset >= offset:
            self.counts["duplicates"] += 1
            return
        new = Hit(
            micros(record.at),
            record.event,
            record.detection,
            record.value,
            record.fields,
            record.state,
        )
        late = group.late
        take = groups.gone if record.gone else groups.hit
        step = take(one, record.group, group, new, self._known(self._levels[one.id]))
        self.counts["late" if step.group.late > late else "signals"] += 1
        self._emit(name, group, step, Position(offset, 0, self._marked))

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        """Lets time pass in up to `most` groups that are due at their watermark (or `limit`, if that is lower), the
        lower levels first; then tells the correlations above how far they are.

        Says whether more are left."""
        done = 0
        for level, due in self._due.items():
            known = self._known(level)
            until = known if limit is None else min(known, limit)
            while due and due[0][0] <= until:
                if done == most:
                    return True
                done += self._pass(*heapq.heappop(due), until)
            if level < self._top and until > self._marks.get(level, 0):
                self._marks[level] = until
                self.counts["mark"] += 1
                self._outputs += marks(self.number, level, until)
        return False

    def _pass(self, due: int, name: str, until: int) -> bool:
        """Lets time pass in a group, unless it has moved on since."""
        row = self._row(rows.head_key(name))
        if row is None or rows.prefix(row)[0] != due:
            return False
        group, position = self._load(name)
        correlation, _, own = name.partition("\n")
        if correlation not in self._by_id:
            self._rows[rows.head_key(name)] = None
            return False
        step = groups.pass_time(self._by_id[correlation], own, group, until)
        marked = max(self._marked, position.control)
        self._emit(name, group, step, Position(position.offset, 0, marked))
        return True

    def take_dead(self) -> list[Dead]:
        """What was bad since the last take."""
        dead, self._dead = self._dead, []
        return dead

    def take(self) -> Work:
        """What has gathered since the last take, now the caller's to make durable."""
        work = Work(self._outputs, self._rows, self._dead)
        self._outputs, self._rows, self._dead = [], {}, []
        return work

    def _row(self, key: bytes) -> bytes | None:
        return self._rows[key] if key in self._rows else self._get(key)

    def _load(self, name: str) -> tuple[Group, Position]:
        row = self._row(rows.head_key(name))
        if row is None:
            return Group(), Position()
        return _group.decode(rows.content(row)), rows.prefix(row)[1]

    def _rows_put(self, key: bytes, row: bytes) -> None:
        self._rows[key] = row

    def _hold_back(self, rule: str, before: Group, step: groups.Step, position: Position) -> None:
        """Marks alerts that are beyond their rule's budget, for as long as they are told."""
        for saying in step.alerts:
            known, now = before.told.get(saying["id"]), step.group.told.get(saying["id"])
            if known is not None:
                saying["held_back"] = known.held
            elif run := saying.get("run"):
                saying["held_back"] = not self._budget.spend(rule, run.at, position)
                self.counts["held"] += saying["held_back"]
                if now is not None:
                    now.held = saying["held_back"]

    def _emit(self, name: str, before: Group, step: groups.Step, position: Position) -> None:
        correlation, _, own = name.partition("\n")
        one = self._watch.correlations[correlation]
        self._hold_back(correlation, before, step, position)
        said = [alert.document(one, own, saying) for saying in step.alerts]
        row = None if step.due == NEVER else rows.encode(step.group, step.due, position)
        self._rows[rows.head_key(name)] = row
        if step.due != NEVER:
            self._wait(step.due, name)
        for document in said:
            self.counts[f"alert {document['state']} {document['severity']}"] += 1
            self._outputs.append(Output(ALERTS.name, document["id"].encode(), orjson.dumps(document)))  # fmt: skip
            for key, signal in self._watch.above(document):
                self._outputs.append(Output(SIGNALS.name, key, orjson.dumps(signal)))

    def _bury(self, reason: str, value: bytes) -> None:
        self.counts["bad"] += 1
        self._dead.append(Dead(-1, reason[:500], value))


def levels(content: Watch) -> dict[str, int]:
    """How high each correlation stands: 1 over rules, 2 over one of those, and so on."""
    out: dict[str, int] = {}

    def level(id: str) -> int:
        if id not in out:
            below = [rule for rule in content.correlations[id].rules if rule != id and rule in content.found.correlations]  # fmt: skip
            out[id] = 1 + max(map(level, below), default=0)
        return out[id]

    for id in content.correlations:
        level(id)
    return out


R = TypeVar("R", Signal, Mark)


def _read(kind: type[R], document: Any) -> R:
    """Raises Malformed."""
    try:
        return kind.model_validate(document)
    except ValidationError as why:
        raise Malformed(f"no signal: {wire.problems(why, 1)}") from None
