"""A ticket system in memory whose search lags, which breaks as it is told, and in which people edit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from driftline.sinks.base import Busy, Limits
from driftline.sinks.tickets import text
from driftline.sinks.tickets.destination import Issue, Policy, Refused, Timing, Unclear
from driftline.sinks.tickets.link import TicketLink, decode, encode


@dataclass
class Stored:
    number: int
    at: float
    fields: dict[str, Any]
    labels: set[str]
    open: bool = True
    resolution: str = ""
    comments: dict[str, str] = field(default_factory=dict)
    related: set[tuple[str, str]] = field(default_factory=set)


class System:
    """`lag`: seconds after which a search finds a ticket. `trouble`: what the next calls do, the first first: "lost" (not
    done, unknown), "cut" (done, unknown), "busy", "refused", "" (done)."""

    body = "description"
    limits = Limits()
    timing = Timing()

    def __init__(
        self, now: Callable[[], float], lag: float = 0, policies: Mapping[str, Policy] | None = None
    ) -> None:
        self.now, self.lag = now, lag
        self.policies: Mapping[str, Policy] = policies or {"assignee": "initial"}
        self.issues: dict[str, Stored] = {}
        self.trouble: list[str] = []
        self.calls: list[str] = []
        self.closable = True

    def _happens(self, call: str, do: Callable[[], Any]) -> Any:
        self.calls.append(call)
        what = self.trouble.pop(0) if self.trouble else ""
        if what == "lost":
            raise Unclear(f"{call} timed out")
        if what == "busy":
            raise Busy("too many requests", 7)
        if what == "refused":
            raise Refused(f"{call}: field 'x' is required")
        done = do()
        if what == "cut":
            raise Unclear(f"{call} was cut")
        return done

    async def shut(self) -> None: ...

    def fields(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "title": ticket["title"],
            "description": ticket["summary"],
            "priority": ticket["severity"],
            "assignee": "team",
        }

    def merged(self, current: Any, ours: Any) -> Any:
        return text.merged(current or "", ours)

    def has_part(self, current: Any) -> bool:
        return text.part(current or "") is not None

    def issue(self, id: str) -> Issue:
        one = self.issues[id]
        return Issue(
            f"SEC-{one.number}", id, f"https://tickets.example/{id}", f"{one.number:06}", one.open, dict(one.fields),
            frozenset(one.labels), None,
        )  # fmt: skip

    async def find(self, label: str) -> Sequence[Issue]:
        def do() -> list[Issue]:
            return [
                self.issue(id)
                for id, one in self.issues.items()
                if label in one.labels and one.at + self.lag <= self.now()
            ]

        found: list[Issue] = self._happens("find", do)
        return found

    async def create(self, fields: Mapping[str, Any], labels: Sequence[str]) -> Issue:
        def do() -> Issue:
            number = len(self.issues) + 1
            id = f"id{number}"
            self.issues[id] = Stored(number, self.now(), dict(fields), set(labels))
            return self.issue(id)

        issue: Issue = self._happens("create", do)
        return issue

    async def read(self, id: str, reference: str = "") -> Issue | None:
        found: Issue | None = self._happens(
            "read", lambda: self.issue(id) if id in self.issues else None
        )
        return found

    async def update(
        self, issue: Issue, fields: Mapping[str, Any], add: Sequence[str], remove: Sequence[str]
    ) -> None:
        def do() -> None:
            one = self.issues[issue.id]
            one.fields.update(fields)
            one.labels = (one.labels | set(add)) - set(remove)

        self._happens("update", do)

    async def comment(self, issue: Issue, comment: str, text: str) -> None:
        self._happens("comment", lambda: self.issues[issue.id].comments.setdefault(comment, text))

    async def close(self, issue: Issue, reason: str) -> bool:
        def do() -> bool:
            if self.closable:
                self.issues[issue.id].open, self.issues[issue.id].resolution = False, reason
            return self.closable

        return bool(self._happens("close", do))

    async def reopen(self, issue: Issue) -> bool:
        def do() -> bool:
            self.issues[issue.id].open = True
            return True

        return bool(self._happens("reopen", do))

    async def relate(
        self, issue: Issue, other: Issue, kind: Literal["duplicates", "follows"]
    ) -> None:
        self._happens("relate", lambda: self.issues[issue.id].related.add((kind, other.id)))


class Durable:
    """Links that outlive a process."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def get(self, ticket: str) -> TicketLink | None:
        return decode(self.rows[ticket]) if ticket in self.rows else None

    async def put(self, link: TicketLink) -> None:
        self.rows[link.ticket] = encode(link)
