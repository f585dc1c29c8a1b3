"""A fold of tickets with its store, started anew at will, and findings to feed it."""

from typing import Any

import orjson

from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.cases.shard import Cases
from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.model import from_micros
from driftline.pipeline.records.outputs import Dead
from driftline.pipeline.records.topics import CONTROL, MEMBERS
from tests.core.world import START, tick

BEGIN = int(START.timestamp()) * 1_000_000
GROUP = "11111111-1111-5111-8111-111111111111"


def change(
    id: str, state: str, minute: float, *, op: str = "changed", group: str = GROUP, revision: int | None = None,
    severity: str = "high", **more: Any,
) -> dict[str, Any]:  # fmt: skip
    at = BEGIN + int(minute * MINUTE)
    document = {
        "resource": id, "uid": f"arn:{id}", "type": "aws.s3.bucket", "region": "eu-west-1", "provider": "aws",
        "account": "111111111111", "account_name": "prod", "sentence": f"{id} is public.", "rule": "r", "title": "Buckets are private",
        "family": "storage-public", "fix": {"cli": f"close {id}"}, "command": f"close {id}",
    }  # fmt: skip
    document |= more.pop("document", {})
    return {
        "group": group, "by": "rule,owner", "values": ["r", "team-a"], "id": f"finding:{id}", "op": op,
        "revision": revision if revision is not None else at // 1000, "at": from_micros(at), "state": state,
        "reason": {"failing": "opened", "passing": "fixed", "gone": "resource_deleted"}.get(state, state),
        "read_at": from_micros(at), "severity": severity, "risk": 50, "document": document,
    } | more  # fmt: skip


class World:
    """One partition."""

    def __init__(self, options: TicketOptions | None = None, *, restart: bool = False) -> None:
        self.options, self.restart = options or TicketOptions(), restart
        self.stored: dict[bytes, bytes] = {}
        self.dead: list[Dead] = []
        self.tickets: dict[str, dict[str, Any]] = {}
        """The last rendering of each."""
        self.said: list[dict[str, Any]] = []
        self.offset = 0
        self.start()

    def start(self) -> None:
        self.fold = Cases(0, self.stored.get, self.options)
        self.fold.restore(list(self.stored.items()))

    def feed(self, *changes: dict[str, Any] | bytes) -> None:
        for one in changes:
            self.offset += 1
            value = one if isinstance(one, bytes) else orjson.dumps(one)
            self.fold.apply(MEMBERS.name, value, self.offset)
            self.keep()

    def tick(self, minute: float) -> list[dict[str, Any]]:
        """Time comes to a minute. Gives what was rendered."""
        self.offset += 1
        before = len(self.said)
        self.fold.apply(CONTROL.name, tick(minute), self.offset)
        while self.fold.advance():
            pass
        self.keep()
        return self.said[before:]

    def keep(self) -> None:
        self.dead += self.fold.take_dead()
        work = self.fold.take()
        for key, row in work.rows.items():
            if row is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = row
        for output in work.outputs:
            document = orjson.loads(output.value)
            self.tickets[document["key"]] = document
            self.said.append(document)
        if self.restart:
            self.start()

    @property
    def open(self) -> list[str]:
        return sorted(key for key, one in self.tickets.items() if one["state"] == "open")


def members(ticket: dict[str, Any]) -> dict[str, str]:
    """Member to state, as a ticket lists them."""
    return {
        one["resource"]: one["state"]
        for section in ticket["sections"]
        for one in section["members"]
    }


def texts(ticket: dict[str, Any]) -> list[str]:
    return [one["text"] for one in ticket.get("comments", [])]
