"""docs/detections.md: what is looked for, out of the rules' and correlations' own files."""

from collections.abc import Iterator
from typing import Any

from driftline.pipeline.common.files import load_shipped
from driftline.pipeline.reference import code, page, table
from driftline.pipeline.rulebook import builtin_folder

SOURCES = {
    "management": "change events: calls that change something, and logins",
    "reads": "change events that only read: forwarding rules leave them out unless told (deploy/aws, `read_events`)",
    "data": "data events of CloudTrail, such as reading an object: a trail must record them, which costs",
    "findings": "what is open on the resource, or a finding's transition",
    "drifts": "drifts, with who made them",
    "guardduty": "findings of GuardDuty, by EventBridge (Sigma: `service: guardduty`)",
    "inspector": "findings of Inspector (`service: inspector`)",
    "securityhub": "findings of Security Hub (`service: securityhub`): forward `Security Hub Findings - Imported` too",
}
INTRO = """
Sigma rules and correlations that come with Driftline (`detections.builtin`). Each proves itself by examples that fire and
near-misses that stay silent. Those of level informational are only parts of correlations. Yours lie in `detections.paths`, in the
same form. `driftline detections check DIR` says whether they load, and proves them: an example that does not come out as it says
fails, and so does a small change of the condition that no example notices, and a source, call, field or resource type that no event has.
`driftline detections forms DIR` lists the forms in which CloudTrail may say the same (flat and nested parameters, one and many, clusters
and instances, making and deletion, versions), and which of them are in no example.

Of our own fields a rule may ask under `driftline.`: `driftline.open`, `severities`, `worst`, `exposure` and `privilege` are what the event's
resource had open. `driftline.network` is the source address's /24 (IPv6: /48). `driftline.foreign` says whether a policy that the request
sets lets a principal of another account in, or anybody; it is missing where that is not known. `driftline.target` is the resource's uid, or for a
call about no resource of a known type what its request says, for counting. `driftline.resources` are the uids of all
resources that the event names (an event about several is one hit of a group, and counts them all where `driftline.uid` is counted). `driftline.login` says whose
login a sign-in is about, in one form whether it fails or succeeds: `<account> <user name>`, `<account> root user`, or the
[person](identity.md); of a call of IAM, the user that it names. `driftline.subject` is the user that the event
is about, as `driftline.actor.person.id` would name it. `driftline.first_reading` says of a finding that opens that it has
failed since its resource was first read, or since the part was first readable, and that nothing says when that began: it may have been so
for long, and the built-in rules do not alert. That also holds where the rule waits (`for`).

`driftline: {alerts: …}` of our own rules says where a match alerts: `by itself`, `in correlations`, or both; a test holds it.

Examples are written below `driftline: {examples: …}`: `base` is an event, `fires` and `silent` are lists of `name` with `set` (paths to
values), `remove`, or `calls` (one example of each of these event names). A correlation's have `steps`: `at` (`5m`, `3d`), `like` (a rule's
name), and `set`, `times`, `each`. Events that you have seen and botocore does not know are listed in `driftline: {undocumented: […]}`.

An event in which a group-by field is missing, null or empty belongs to no group and is not a hit of that correlation; each
element of a list is a group (at most 16). `value_count` and `first_seen` look at every element of a list. The condition of an alert with
1,000 hits is no longer evaluated: the alert continues as long as hits follow each other within the timespan. An alert is written again
at once for a new resource or action, when its count has doubled, and at its end.

As Sigma has it, a rule or correlation that a correlation refers to is only its part and does not alert by itself, unless a correlation
says `generate: true` of it (and none says `generate: false`). `value_count` with several fields counts their values together; `aliases` may name the
counted field too.

A list is compared by its elements, never as text. `contains` and regular expressions look into an object: its scalars, and its members
as JSON writes them (`"fromPort":22`). A number equals the same number, or a text that JSON would write for it. IPv4 addresses in IPv6
notation (`::ffff:192.0.2.1`) are IPv4 addresses to `cidr`.

Beyond Sigma's correlations there is `first_seen`: a value of `condition: {field: …}` that the group has not had for the `timespan`
is an alert, once the group was watched for as long as `learning` says; one that was silent for the `timespan` learns again.
What it has learnt of drifts and findings it does not forget when their cause turns out to be another: group it by what does not
name the actor.
In a `temporal` correlation `standing: {rule: end}` makes a rule of findings hold for as long as the finding is open (it is said again
every 12 hours), and not only within the timespan: posture is a state. By itself it never makes an alert.
"""


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    rules, correlations = (_read(name) for name in ("detections", "correlations"))
    body = [
        f"## Sources\n\n{table(('source', 'what it is'), [(code(k), v) for k, v in SOURCES.items()])}",
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
        data["description"],
    )


def _correlation(data: dict[str, Any]) -> tuple[str, ...]:
    own = data["correlation"]
    of = own["condition"] if isinstance(own.get("condition"), str) else ", ".join(own["rules"])
    return (code(data["name"]), data["level"], f"{own['type']}: {of}", own["timespan"], ", ".join(own["group-by"]), _what(data))  # fmt: skip


def _what(data: dict[str, Any]) -> str:
    return f"**{data['title']}.** {data['description']}"


def _techniques(data: dict[str, Any]) -> str:
    return ", ".join(tag.removeprefix("attack.").upper() for tag in data["tags"] if tag.startswith("attack.t1"))  # fmt: skip
