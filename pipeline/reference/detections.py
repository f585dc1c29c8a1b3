"""Generates docs/detections.md from the files of detections and correlations."""

from collections.abc import Iterator
from typing import Any

from driftline.pipeline.common.files import load_shipped
from driftline.pipeline.reference import code, page, table
from driftline.pipeline.rulebook import builtin_folder

SOURCES = {
    "management": "change events: calls that change something, and logins",
    "reads": "read-only events: not forwarded unless enabled (deploy/aws, `read_events`)",
    "data": "CloudTrail data events, such as reading an object: a trail must record them, which costs money",
    "findings": "findings that are open on the resource, or a finding's transition",
    "drifts": "drifts, with who caused them",
    "guardduty": "GuardDuty findings, through EventBridge (Sigma: `service: guardduty`)",
    "inspector": "Inspector findings (`service: inspector`)",
    "securityhub": "Security Hub findings (`service: securityhub`): forward `Security Hub Findings - Imported` too",
}
INTRO = """
Sigma rules and correlations that are built into Driftline (`detections.builtin`). Each has examples that fire and
near misses that stay silent. Those of level informational are only parts of correlations. Put your own into `detections.paths`, in the
same format. `driftline detections check DIR` reports whether they load, and tests them. It fails for an example with an unexpected result,
for a small mutation of the condition that no example detects, and for a source, call, field or resource type that no event has.
`driftline detections forms DIR` lists the equivalent forms in which CloudTrail may report a call (flat and nested parameters, single and batch
calls, clusters and instances, creation and deletion, versions), and which of them no example covers.

Driftline adds these fields under `driftline.`: `driftline.open`, `severities`, `worst`, `exposure` and `privilege` describe the open findings of
the event's resource. `driftline.network` is the source address's /24 (IPv6: /48). `driftline.foreign` says whether a policy that the request
sets grants access to a principal of another account, or to anyone; it is missing if that is not known. `driftline.kind` is what the call does (`create`, `update`,
`delete`, `read`, `other`), even if its resource is not known. `driftline.target` is the resource's uid or,
if the resource is not known (a user by its name that no sweep has seen), what the request says; use it for counting. `driftline.resources` are the uids of all
resources that the event names (an event about several is one hit of a group, and all of them count where `driftline.uid` is counted). `driftline.login` is the
login of a sign-in, in the same form whether it fails or succeeds: `<account> <user name>`, `<account> root user`, or the
[person](identity.md); for an IAM call, the user that it names. `driftline.subject` is the user that the event
is about, in the form of `driftline.actor.person.id`. `driftline.first_reading` says of an opening finding that it has
failed since its resource was first read, or since the part was first readable, and that it is not known when that began: it may have existed
for a long time, and the built-in rules do not alert. This also holds if the rule waits (`for`).

`driftline: {alerts: …}` of built-in rules says where a match alerts: `by itself`, `in correlations`, or both; a test enforces it.

Write examples below `driftline: {examples: …}`: `base` is an event, `fires` and `silent` are lists of `name` with `set` (paths to
values), `remove`, or `calls` (one example for each of these event names). Examples of a correlation have `steps`: `at` (`5m`, `3d`), `like` (a rule's
name), and `set`, `times`, `each`. List events that exist but that botocore does not know in `driftline: {undocumented: […]}`.

An event in which a group-by field is missing, null or empty belongs to no group and is not a hit of that correlation; each
element of a list is a group (at most 16). `value_count` and `first_seen` look at every element of a list. The condition of an alert with
1,000 hits is no longer evaluated: the alert continues as long as hits follow each other within the timespan. An alert is written again
immediately for a new resource or action, when its count has doubled, and when it ends.

As in Sigma, a rule or correlation that a correlation refers to does not alert by itself, unless a correlation
sets `generate: true` for it (and none sets `generate: false`). `value_count` with several fields counts combinations of their values; `aliases` may name the
counted field too.

Lists are compared element by element, never as text. `contains` and regular expressions search inside an object: its scalars, and its members
in JSON notation (`"fromPort":22`). A number equals the same number, or its JSON text. `cidr` treats IPv4 addresses in IPv6
notation (`::ffff:192.0.2.1`) as IPv4 addresses.

In addition to Sigma's correlations there is `first_seen`: a value of `condition: {field: …}` that the group has not had for the `timespan`
raises an alert, once the group has been observed for the time given by `learning`; a group that was silent for the `timespan` learns again.
Values learned from drifts and findings are not unlearned when a different cause is found later: group by fields that do not
name the actor.
In a `temporal` correlation, `standing: {rule: end}` makes a rule on findings hold for as long as the finding is open (findings are repeated
every 12 hours), not only within the timespan, because posture is a state. It never raises an alert by itself.
"""


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    rules, correlations = (_read(name) for name in ("detections", "correlations"))
    body = [
        f"## Sources\n\n{table(('source', 'content'), [(code(k), v) for k, v in SOURCES.items()])}",
        f"## Detections ({len(rules)})\n\n{table(('detection', 'level', 'sources', 'ATT&CK', 'what'), map(_rule, rules))}",
        f"## Correlations ({len(correlations)})\n\n{table(('correlation', 'level', 'of', 'within', 'same', 'what'), map(_correlation, correlations))}",
    ]  # fmt: skip
    yield (
        "docs/detections.md",
        page("Detections", "rules/detections, rules/correlations", INTRO, *body),
    )


def _read(name: str) -> list[dict[str, Any]]:
    folder = builtin_folder() / name
    return [load_shipped(path) for path in sorted(folder.rglob("*.yml"))]


def _rule(data: dict[str, Any]) -> tuple[str, ...]:
    own = data["driftline"]
    return (
        code(data["name"]),
        data["level"],
        ", ".join(own["sources"]),
        _techniques(data),
        _what(data),
    )


def _correlation(data: dict[str, Any]) -> tuple[str, ...]:
    own = data["correlation"]
    of = own["condition"] if isinstance(own.get("condition"), str) else ", ".join(own["rules"])
    return (code(data["name"]), data["level"], f"{own['type']}: {of}", own["timespan"], ", ".join(own["group-by"]), _what(data))  # fmt: skip


def _what(data: dict[str, Any]) -> str:
    return f"**{data['title']}.** {data['description']}"


def _techniques(data: dict[str, Any]) -> str:
    return ", ".join(tag.removeprefix("attack.").upper() for tag in data["tags"] if tag.startswith("attack.t1"))  # fmt: skip
