"""Applies a record, or time, to a ticket group. Pure; times in microseconds.

The functions change a CaseState and its members' rows in place; the shard (driftline.pipeline.cases.shard) reads and writes
them. Time comes from the records."""

from collections.abc import Iterator
from typing import Any, Protocol

from driftline.pipeline.cases.codec import Incoming
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.cases.state import CaseComment, CaseState, Delta, MemberRow
from driftline.pipeline.model.finding import SEVERITIES, named_uuid
from driftline.pipeline.state.rows import NEVER

QUIET = ("passing", "gone", "suppressed")
NAMES = 3
"""Names in a comment."""
COMMENTS = 20
"""Number of comments kept: a sink that lags further behind misses older ones."""
SHARED = ("title", "why", "rule", "family", "frameworks", "references", "owner")


class Members(Protocol):
    """The rows of a group's members."""

    def get(self, id: str) -> MemberRow | None: ...
    def put(self, id: str, row: MemberRow) -> None: ...
    def list(self, number: int, id: str) -> None:
        """Adds the member that joins as `number` to its page."""

    def every(self, joined: int) -> Iterator[tuple[str, MemberRow]]:
        """Current members among the first `joined`, in order of joining."""

    def clear(self, joined: int) -> None:
        """Removes the rows of the first `joined` members, and their pages."""


def apply(case: CaseState, members: Members, record: Incoming, options: TicketOptions) -> bool:
    """Applies a record. False if it is older than what is known, or contains nothing new."""
    row = members.get(record.id)
    if row is not None and (record.revision < row.revision or _is_outdated(row, record)):
        return False
    if record.op == "left":
        return _leave(case, members, row, record)
    if row is None or not row.here:
        row = _join(case, members, record)
    _describe(case, record)
    generation = case.generation
    _move(case, row, record, options)
    members.put(record.id, row)
    if 1 < case.generation != generation:
        _drop_quiet(case, members)
    return True


def _is_outdated(row: MemberRow, record: Incoming) -> bool:
    """Whether it fails according to a reading older than the one that showed otherwise, which does not reopen anything."""
    return record.state == "failing" and row.state in QUIET and 0 < record.read_us < row.read_at


def _leave(case: CaseState, members: Members, row: MemberRow | None, record: Incoming) -> bool:
    if row is None or not row.here:
        return False
    _count(case, row, -1)
    case.delta.left += 1
    members.put(
        record.id, MemberRow(row.number, row.state, record.revision, record.at_us, here=False)
    )
    if record.id in case.shown:
        case.shown.remove(record.id)
    _changed(case, record.at_us)
    return True


def _join(case: CaseState, members: Members, record: Incoming) -> MemberRow:
    number = case.joined
    case.joined += 1
    case.by, case.values = record.by, record.values
    members.list(number, record.id)
    return MemberRow(number, "", 0, record.at_us)


def _drop_quiet(case: CaseState, members: Members) -> None:
    """A new ticket starts without the members closed with the previous one."""
    for id, row in list(members.every(case.joined)):
        if row.state in QUIET:
            _count(case, row, -1)
            members.put(id, MemberRow(row.number, row.state, row.revision, row.since, here=False))
    case.shown = [id for id in case.shown if (one := members.get(id)) is not None and one.here]


def _describe(case: CaseState, record: Incoming) -> None:
    """Updates the group's common fields from the newest record."""
    about = {name: record.document[name] for name in SHARED if name in record.document}
    if about and about != case.about:
        case.about = about
    failing = record.state == "failing"
    if failing and (not case.sample or case.sample == record.id):
        case.sample = record.id
        case.fix = {"for": record.document.get("resource", "")} | record.document.get("fix", {})
    elif not failing and case.sample == record.id:
        case.sample = ""  # keep the text until another member fails


def _move(case: CaseState, row: MemberRow, record: Incoming, options: TicketOptions) -> None:
    """The member's new state. `unknown` changes nothing: the last known state stands."""
    before = row.state
    row.revision = record.revision
    row.document = {k: v for k, v in record.document.items() if k not in SHARED and k != "fix"}
    row.unread_since = 0
    state: str = record.state
    if state == "unknown" and before:
        row.unread_since, state = record.at_us, before
    elif record.state != "unknown":
        row.read_at, row.reason = record.read_us, record.reason
    if before:
        _count(case, row, -1)
    row.severity, row.risk, row.state = record.severity, record.risk, state
    _count(case, row, 1)
    if state != before:
        row.since = record.at_us
        _tell(case, row, before)
    _show(case, record.id, row, options)
    _changed(case, record.at_us)
    if state == "failing":
        _open(case, row, record, options)


def _show(case: CaseState, id: str, row: MemberRow, options: TicketOptions) -> None:
    """Lists a failing member if there is room; otherwise notes if it is worse than the listed ones."""
    if row.state != "failing" or id in case.shown:
        return
    if len(case.shown) < options.shown:
        case.shown.append(id)
        case.floor = min(case.floor or _rank(row), _rank(row))
    elif _rank(row) > case.floor:
        case.outranked = True


def _rank(row: MemberRow) -> list[int]:
    severity = SEVERITIES.index(row.severity) if row.severity in SEVERITIES else 0
    return [severity, row.risk]


def _count(case: CaseState, row: MemberRow, by: int) -> None:
    case.counts = case.counts | {row.state: case.counts.get(row.state, 0) + by}
    if row.state == "failing":
        case.severities = case.severities | {
            row.severity: case.severities.get(row.severity, 0) + by
        }


def _tell(case: CaseState, row: MemberRow, before: str) -> None:
    """Collects changes for the next comment."""
    delta = case.delta
    if row.state == "failing":
        delta.failing += 1
        if len(delta.names) < NAMES:
            delta.names = [*delta.names, str(row.document.get("resource", ""))]
            delta.why = delta.why or str(row.document.get("sentence", ""))
    elif before == "failing":
        name = {"passing": "fixed", "gone": "gone", "suppressed": "accepted"}[row.state]
        setattr(delta, name, getattr(delta, name) + 1)


def _changed(case: CaseState, at: int) -> None:
    case.changed_at = case.changed_at or at
    quiet = not case.counts.get("failing") and not case.counts.get("unknown")
    if not quiet:
        case.quiet_since = 0
    elif not case.quiet_since:
        case.quiet_since = at


def _open(case: CaseState, row: MemberRow, record: Incoming, options: TicketOptions) -> None:
    """A failing member opens or reopens the ticket."""
    if case.phase == "open":
        case.worst = _worse(case.worst, row.severity)
        return
    if case.phase == "closed":
        late = record.at_us > case.closed_at + options.reopen_within
        case.generation += late
        case.reopened = 0 if late else case.reopened + 1
    else:
        case.generation += 1
        late = True
    if late:
        case.opened_at, case.comments, case.worst = record.at_us, [], ""
    case.phase, case.closed_at, case.reason, case.evidence = "open", 0, "", []
    case.worst = _worse(case.worst, row.severity)


def _worse(one: str, other: str) -> str:
    return max(one, other, key=lambda name: SEVERITIES.index(name) if name in SEVERITIES else -1)


def due(case: CaseState, options: TicketOptions) -> int:
    """When the group is due next."""
    times = []
    if case.changed_at and case.phase != "none":
        times.append(max(case.changed_at, case.rendered_at) + options.settle)
    if case.phase == "open" and case.quiet_since:
        times.append(case.quiet_since + options.close_after)
    if case.phase == "closed" and case.joined:
        times.append(case.closed_at + options.reopen_within)
    return min(times, default=NEVER)


def pass_time(case: CaseState, members: Members, now: int, options: TicketOptions) -> None:
    """Closes the ticket when due; later drops its members, but not the ticket."""
    if case.phase == "open" and case.quiet_since and case.quiet_since + options.close_after <= now:
        _close(case, now)
    elif case.phase == "closed" and case.joined and case.closed_at + options.reopen_within <= now:
        members.clear(case.joined)
        case.joined = case.changed_at = 0
        case.shown, case.counts, case.severities, case.sample, case.fix = [], {}, {}, "", {}
        case.delta = Delta()


def _close(case: CaseState, now: int) -> None:
    case.phase, case.closed_at = "closed", now
    case.changed_at = case.changed_at or now
    counts = case.counts
    case.reason = (
        "fixed" if counts.get("passing")
        else "accepted" if counts.get("suppressed")
        else "deleted" if counts.get("gone")
        else "moved"
    )  # fmt: skip


def comment(case: CaseState, group: str, now: int, *, first: bool) -> None:
    """Turns what has changed since the last rendering into a comment, where it is substantive. `first`: the ticket is
    rendered for the first time: what it says is all new."""
    delta, case.delta = case.delta, Delta()
    if first:
        return
    parts = []
    if case.phase == "closed":
        parts.append(_closing(case))
    elif delta.failing:
        names = ", ".join(name for name in delta.names if name)
        more = delta.failing - len(delta.names)
        more_text = f" and {more} more" if more > 0 else ""
        verb = "fails" if delta.failing == 1 else "fail"
        parts.append(f"{names}{more_text} now {verb}. {delta.why}".rstrip())
    if delta.accepted and case.phase != "closed":
        parts.append(f"{_resources(delta.accepted)} now covered by an accepted exception.")
    if not parts:
        return
    text = " ".join(parts)
    id = named_uuid(f"comment\n{group}\n{case.generation}\n{case.revision + 1}\n{text}")
    case.comments = [*case.comments, CaseComment(id, now, text)][-COMMENTS:]


def _resources(count: int) -> str:
    return "1 resource is" if count == 1 else f"{count} resources are"


def _closing(case: CaseState) -> str:
    words = {"passing": "fixed", "gone": "deleted", "suppressed": "accepted"}
    told = [
        f"{case.counts[state]} {word}" for state, word in words.items() if case.counts.get(state)
    ]
    return (
        f"Closed: {', '.join(told)}."
        if told
        else "Closed: its findings belong to other tickets now."
    )


def refill(
    case: CaseState, members: Members, options: TicketOptions
) -> list[tuple[str, MemberRow]]:
    """The members to list, failing ones first, worst first. Reads all members only if the listed
    ones are no longer the worst."""
    shown = [(id, row) for id in case.shown if (row := members.get(id)) is not None and row.here]
    failing = sum(row.state == "failing" for _, row in shown)
    complete = len(shown) == case.members or failing == min(
        options.shown, case.counts.get("failing", 0)
    )
    if case.outranked or not complete or len(shown) < min(options.shown, case.members):
        shown = list(members.every(case.joined))
    shown = sorted(shown, key=order)[: options.shown]
    case.shown, case.outranked = [id for id, _ in shown], False
    case.floor = min((_rank(row) for _, row in shown if row.state == "failing"), default=[])
    return shown


def order(pair: tuple[str, MemberRow]) -> tuple[Any, ...]:
    """Members in the format of tickets."""
    id, row = pair
    severity, risk = _rank(row)
    return row.state != "failing", row.state != "unknown", -severity, -risk, row.since, id
