"""The step that assigns findings to tickets. Pure."""

from typing import Any

import msgspec

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.findings import teller_of
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.cases.route import route
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.state.resource import State

RULES = ("rule_added", "rule_changed")


def needs_routing(state: State, options: AssessOptions) -> bool:
    """Whether failing findings were routed with different settings."""
    tickets, body = options.tickets, state.body
    if tickets is None or body.unseen or body.routed == tickets.hash:
        return False
    return any(life.status == "open" or life.ticket for life in body.lives.values())


def plan_routing(work: Assessment) -> None:
    """Processes unchanged findings too, if the settings have changed."""
    if needs_routing(work.state, work.options):
        work.restate = True


def route_findings(work: Assessment) -> None:
    """Tells the tickets of each written finding that it joins, changes or leaves."""
    options = work.options.tickets
    if options is None:
        return
    anew = work.restate and work.body.routed != options.hash
    routed: dict[str, str] = {}
    for finding in (*work.findings, *(work.restatements if anew else ())):
        rule = finding["rule"]["id"]
        life = work.body.lives.get(rule)
        if life is None:
            continue
        as_found = life.as_found or life.because in RULES
        told = finding if "sentence" in finding else _told(work, finding)
        group, records = route(FINDINGS.own, told, life.ticket, options, as_found=as_found)
        if group != life.ticket or not finding["restated"]:
            work.members += records
        if group != life.ticket:
            routed[rule] = group
    if routed or anew:
        body = work.state.body = msgspec.structs.replace(work.body, lives=dict(work.body.lives), routed=options.hash)  # fmt: skip
        for rule, group in routed.items():
            body.lives[rule] = msgspec.structs.replace(body.lives[rule], ticket=group)


def _told(work: Assessment, finding: dict[str, Any]) -> dict[str, Any]:
    """The complete document of a finding of which only a restatement is sent."""
    bounds = {bound.id: bound for bound in work.rules.every}
    return teller_of(work).whole(finding, bounds.get(finding["rule"]["id"]))
