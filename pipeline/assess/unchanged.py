"""The short cut: of a reading that says what the last one said only the head is written, and its body is not parsed. Pure."""

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.merge import newer
from driftline.pipeline.model import to_micros
from driftline.pipeline.records import codec
from driftline.pipeline.state.resource import Head


def read_again(head: Head, peek: codec.Peek, rules: bytes, due: int, latest: int) -> Head | None:
    """The head after a reading that differs in nothing; None where that is not sure. `rules`: hash of the type's; `due`:
    when time next matters; `latest`: up to when a reading may be dated. Microseconds."""
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
    """Puts the times of a reading's parts into the head; False where one of them is older than what is known, or later
    than it may be."""
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
    """Has the next reading compared with this one, if that left nothing open: not if it was late, nor while a part is
    hidden that it did not itself call unread, nor while a change is still to be shown, nor if a part of it was left out."""
    head, body, snapshot = work.head, work.body, work.snapshot
    unread = {item.part for item in snapshot.unread} if snapshot else set[str]()
    shown = body.hidden.keys() <= unread
    settled = shown and not body.changed_at and not work.merged.stale
    head.digest = digest if head.seen_at == work.at and settled else b""
