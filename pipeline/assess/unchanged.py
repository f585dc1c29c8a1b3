"""The fast path: for a reading equal to the previous one, only the head is written, and the body is not parsed. Pure."""

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.merge import newer
from driftline.pipeline.model import to_micros
from driftline.pipeline.records import codec
from driftline.pipeline.state.resource import Head


def read_again(head: Head, peek: codec.Peek, rules: bytes, due: int, latest: int) -> Head | None:
    """The head after an unchanged reading; None if that is not certain. `rules`: hash of the type's rules; `due`:
    the next due time; `latest`: the latest time that a reading may carry. Microseconds."""
    if peek.digest(rules) != head.digest:
        return None
    at = to_micros(peek.captured_at)
    if at is None or at < head.seen_at or at >= due or max(at, head.said_at) > latest:
        return None
    if not _times(head, peek, at, latest):
        return None
    head.seen_at = at
    return head


def _times(head: Head, peek: codec.Peek, at: int, latest: int) -> bool:
    """Stores the times of a reading's parts in the head; False if one of them is older than the known one, or too
    late."""
    times, provided = head.parts, head.provided
    for part in peek.parts:
        read_at = at if part.captured_at == peek.captured_at else to_micros(part.captured_at)
        if read_at is None or read_at > latest:
            return False
        known_at = times.get(part.name, 0)
        if part.provided_at or provided:
            said = to_micros(part.provided_at) if part.provided_at else None
            if part.provided_at and (said is None or said > latest):
                return False
            if not newer(read_at, said, known_at - 1, provided.get(part.name)):
                return False
            if said is not None:
                provided[part.name] = said
            else:
                provided.pop(part.name, None)
        elif read_at < known_at:
            return False
        times[part.name] = read_at if read_at > known_at else known_at
    return True


def remember_digest(work: Assessment, digest: bytes) -> None:
    """Allows the next reading to be compared with this one, unless it was late, a part is
    hidden that it did not report as unread, a change is not shown yet, or a part of it was ignored."""
    head, body, snapshot = work.head, work.body, work.snapshot
    unread = {item.part for item in snapshot.unread} if snapshot else set[str]()
    shown = body.hidden.keys() <= unread
    settled = shown and not body.changed_at and not work.merged.stale
    head.digest = digest if head.seen_at == work.at and settled else b""
