"""Jira as a destination of tickets: Cloud (REST v3, documents in ADF) and Data Center (REST v2, wiki markup)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from driftline.sinks.base import Busy, Limits
from driftline.sinks.jira import workflow
from driftline.sinks.jira.client import JiraClient, NotFound
from driftline.sinks.jira.settings import JiraSettings
from driftline.sinks.tickets import adf, content, text, wiki
from driftline.sinks.tickets.destination import Forbidden, Issue, Policy, Refused, Timing
from driftline.sinks.tickets.templates import filled

TITLE = 255
BODY = 32_767
"""Characters of a description."""
MOST = 50
MARK = "driftline:"
"""Before the id of a comment of ours, in its last line."""


class Jira:
    """One project of one site."""

    body = "description"
    limits = Limits(concurrency=6, rate=8.0)  # Cloud documents 10 requests a second, sustained

    def __init__(self, settings: JiraSettings, client: JiraClient) -> None:
        self._settings, self._client = settings, client
        self._cloud = settings.deployment == "cloud"
        self.timing = Timing(lookup_for=settings.lookup_for)
        self.policies: Mapping[str, Policy] = settings.policies
        self._written: list[int] = []
        """Ids of what was just written: searches on Cloud lag, but for those that they are told of."""

    async def shut(self) -> None:
        await self._client.close()

    # what it looks like

    def fields(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        own, severity = self._settings, ticket["severity"]
        title = " ".join(text.harmless(ticket["title"]).split())
        fields: dict[str, Any] = {
            "summary": title if len(title) <= TITLE else f"{title[: TITLE - 1]}…"
        }
        fields["description"] = self._description(ticket)
        if severity in own.priorities:
            fields["priority"] = own.priorities[severity]
        owner = (ticket.get("owner") or {}).get("id") or ""
        if assignee := own.assignees.get(owner) or own.assignees.get("*"):
            fields["assignee"] = assignee
        if due := ticket.get("due_at"):
            fields["duedate"] = due[:10]
        return fields | filled(own.fields, ticket)

    def _description(self, ticket: Mapping[str, Any]) -> Any:
        blocks = content.blocks(ticket)
        while len(content.plain(blocks)) > BODY * 2 // 3 and len(blocks) > 2:
            blocks = _shorter(blocks)
        return adf.nodes(blocks) if self._cloud else wiki.markup(blocks)

    def merged(self, current: Any, ours: Any) -> Any:
        return adf.merged(current, ours) if self._cloud else text.merged(current or "", ours)

    def has_part(self, current: Any) -> bool:
        return adf.has_part(current) if self._cloud else text.part(current or "") is not None

    # calls

    async def find(self, label: str) -> Sequence[Issue]:
        jql = f'project = "{self._settings.project}" AND labels = "{label}" ORDER BY created ASC'
        if self._cloud:
            body: dict[str, Any] = {"jql": jql, "fields": self._asked(), "maxResults": MOST}
            if self._written:
                body["reconcileIssues"] = self._written[-MOST:]
            answer = await self._client.call("POST", "/search/jql", body)
        else:
            query = {"jql": jql, "fields": ",".join(self._asked()), "maxResults": str(MOST)}
            answer = await self._client.call("GET", "/search", query=query)
        return [self._issue(one) for one in answer.get("issues", ())]

    async def create(self, fields: Mapping[str, Any], labels: Sequence[str]) -> Issue:
        own = self._settings
        body = {
            "project": {"key": own.project},
            "issuetype": {"name": own.issue_type},
            "labels": [*labels, *own.labels],
        }
        try:
            made = await self._client.call("POST", "/issue", {"fields": body | self._said(fields)})
        except (NotFound, Forbidden) as why:
            raise Refused(
                f"{why} (check project and issue_type, and that we may create issues)"
            ) from None
        self._written = [*self._written, int(made["id"])][-MOST:]
        try:
            found = await self.read(made["id"], made["key"])
        except Exception:  # it is created: whatever the reading says, that is known
            found = None
        return found or Issue(
            made["key"], made["id"], self._page(made["key"]), made["id"].zfill(20), True
        )

    async def read(self, id: str, reference: str = "") -> Issue | None:
        query = {"fields": ",".join(self._asked())}
        for name in filter(None, (id, reference)):
            try:
                return self._issue(await self._client.call("GET", f"/issue/{name}", query=query))
            except NotFound:
                continue
        await self._seen()
        return None

    async def _seen(self) -> None:
        """Jira says of what we may not see, too, that it is not there. Raises Forbidden where we do not see the project."""
        try:
            await self._client.call("GET", f"/project/{self._settings.project}")
        except NotFound as why:
            raise Forbidden(f"project {self._settings.project}: {why}") from None

    async def update(
        self, issue: Issue, fields: Mapping[str, Any], add: Sequence[str], remove: Sequence[str]
    ) -> None:
        labels = [{"add": one} for one in add] + [{"remove": one} for one in remove]
        body: dict[str, Any] = {"fields": self._said(fields)} if fields else {}
        if labels:
            body["update"] = {"labels": labels}
        await self._on(issue, "PUT", "", body)
        self._written = [*self._written, int(issue.id)][-MOST:]

    async def comment(self, issue: Issue, comment: str, said: str) -> None:
        mark = f"{MARK}{comment}"
        query = {"orderBy": "-created", "maxResults": str(MOST)}
        known = await self._on(issue, "GET", "/comment", None, query)
        if any(_comment_id(one.get("body")) == comment for one in known.get("comments", ())):
            return
        plain = f"{wiki.escaped(said)}\n\n{mark}"
        document = adf.document([adf.paragraph(said), adf.paragraph(mark)])
        await self._on(issue, "POST", "/comment", {"body": document if self._cloud else plain})

    async def close(self, issue: Issue, reason: str) -> bool:
        own = self._settings
        extra = own.transition_fields | {
            "resolution": {"name": own.resolutions.get(reason, "Done")}
        }
        return await self._move(issue, extra, done=True, names=own.done)

    async def reopen(self, issue: Issue) -> bool:
        own = self._settings
        return await self._move(issue, own.transition_fields, done=False, names=own.reopened)

    async def _move(
        self, issue: Issue, extra: Mapping[str, Any], *, done: bool, names: Sequence[str]
    ) -> bool:
        async def transitions() -> Sequence[Mapping[str, Any]]:
            query = {"expand": "transitions.fields"}
            answer = await self._on(issue, "GET", "/transitions", None, query)
            found: Sequence[Mapping[str, Any]] = answer["transitions"]
            return found

        async def do(transition: Mapping[str, Any]) -> None:
            body: dict[str, Any] = {"transition": {"id": transition["id"]}}
            if fields := workflow.screen(transition, extra):
                body["fields"] = fields
            await self._on(issue, "POST", "/transitions", body)

        return await workflow.move(transitions, do, done=done, names=names)

    async def relate(
        self, issue: Issue, other: Issue, kind: Literal["duplicates", "follows"]
    ) -> None:
        type = {"name": "Duplicate" if kind == "duplicates" else "Relates"}
        inward, outward = {"key": other.reference}, {"key": issue.reference}
        try:
            body = {"type": type, "inwardIssue": inward, "outwardIssue": outward}
            await self._client.call("POST", "/issueLink", body)
        except (NotFound, Refused, Forbidden):  # links are switched off, or have other names
            await self.comment(issue, f"{kind}.{other.id}", f"This ticket {kind} {other.reference}.")  # fmt: skip

    async def _on(
        self,
        issue: Issue,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """A call on a ticket that was there a moment ago."""
        try:
            return await self._client.call(method, f"/issue/{issue.reference}{path}", body, query)
        except NotFound as why:
            raise Busy(f"{issue.reference} went away meanwhile: {why}", 5) from None

    # how Jira says it

    def _asked(self) -> list[str]:
        return [
            "summary",
            "description",
            "priority",
            "assignee",
            "duedate",
            "labels",
            "status",
            "created",
            "resolutiondate",
            *self._settings.fields,
        ]

    def _said(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        said = dict(fields)
        if "priority" in said:
            said["priority"] = {"name": said["priority"]}
        if "assignee" in said:
            said["assignee"] = {"accountId" if self._cloud else "name": said["assignee"]}
        return said

    def _issue(self, raw: Mapping[str, Any]) -> Issue:
        fields = dict(raw["fields"])
        status = ((fields.get("status") or {}).get("statusCategory") or {}).get("key")
        read = {
            name: fields.get(name)
            for name in ("summary", "description", "duedate", *self._settings.fields)
        }
        read["priority"] = (fields.get("priority") or {}).get("name")
        assignee = fields.get("assignee") or {}
        read["assignee"] = assignee.get("accountId" if self._cloud else "name")
        return Issue(
            raw["key"], str(raw["id"]), self._page(raw["key"]), str(fields.get("created") or raw["id"]), status != "done", read,
            frozenset(fields.get("labels") or ()), fields.get("resolutiondate"),
        )  # fmt: skip

    def _page(self, key: str) -> str:
        return f"{self._settings.url.rstrip('/')}/browse/{key}"


def _comment_id(body: Any) -> str:
    """The id of a comment of ours."""
    said = adf.text_of(body) if isinstance(body, dict) else str(body or "")
    return said.rpartition(MARK)[2].strip() if MARK in said else ""


def _shorter(blocks: list[content.Block]) -> list[content.Block]:
    """With half of the rows of its longest table; without it, without its last block."""
    tables = [
        (len(one.rows), number)
        for number, one in enumerate(blocks)
        if isinstance(one, content.TextTable)
    ]
    longest, number = max(tables, default=(0, 0))
    if longest < 2:
        return blocks[:-1]
    table = blocks[number]
    rows = table.rows[: longest // 2] if isinstance(table, content.TextTable) else []
    cut = content.TextTable(["Resource", "Where", "State", "Why"], rows)
    left = content.Paragraph([content.TextRun(f"{longest - len(rows)} more are left out here.")])
    return [*blocks[:number], cut, left, *blocks[number + 1 :]]
