"""The sentence of a finding: why it fails, in the words of its rule; what is unread and why; or that it passed. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from driftline.pipeline.assess.decisions.baselines import APPLYING
from driftline.pipeline.assess.merge import unread
from driftline.pipeline.assess.wording import consoles
from driftline.pipeline.assess.wording.consoles import Row
from driftline.pipeline.rulebook import BoundRule
from driftline.pipeline.rulebook.baseline_rules import StandingRule
from driftline.pipeline.rulebook.cel.expression import TAGS
from driftline.pipeline.rulebook.ruleset import EVERYTHING
from driftline.pipeline.rulebook.wording.phrases import clean, fill, format_list, standard
from driftline.pipeline.rulebook.wording.sentence import Situation
from driftline.pipeline.state.resource import State

Grants = Mapping[str, Sequence[str]]
"""Maps the parts of a type to the actions required to read them."""
NO_GRANTS: Grants = {}
WHY = {
    "denied": "access was denied",
    "throttled": "the call was throttled",
    "failed": "the call failed",
    "unsupported": "the call is not supported there",
    "oversize": "the answer is too large",
    "stale": "the last reading is more than 24 hours old",
}
"""Why a part is unread (model.Unread.reason)."""
ENDED = {
    "resource_deleted": "the resource was deleted",
    "rule_removed": "the rule was removed",
    "baseline_removed": "nobody says any more how it ought to be",
    "not_applicable": "the rule does not apply any more",
}
"""Why a finding has ended (model.Finding.reason); other reasons are used as they are."""
TOLD = {
    "passed": "passed for {resource}",
    "failed": "failed for {resource}",
    "not_applicable": "does not apply to {resource}",
}
_CAUSE = re.compile(r"([^\s:]+): ([a-z]+)(?: (\S+))?$")
"""part: reason code"""


class Teller:
    """Creates the sentences of one resource's findings."""

    def __init__(self, state: State, at: int, grants: Grants, row: Row) -> None:
        self._state, self._at, self._grants, self._row = state, at, grants, row
        resource = state.body.resource
        self._names = standard(resource)
        page = consoles.console_url(row, resource)
        self._links = [page] if page else []
        self._known: dict[str, Any] | None = None
        self._tagless = False

    def whole(self, finding: dict[str, Any], bound: BoundRule | None) -> dict[str, Any]:
        """The finding with its sentence (at most 300 characters on one line), a link to
        its resource's page, and, if it fails, remediation with the resource's own names."""
        own = None
        if finding["evaluation"] == "failed" and not finding["retired"] and bound is not None:
            if isinstance(bound, StandingRule):
                own = _differs(bound.kind, finding, self._names)
            else:
                own = self._own(finding, bound)
        told = own or self._generated(finding)
        # uses only the finding itself: other knowledge about its resource does not cause it to be written again
        links = [] if finding["retired"] else self._links
        return {"id": finding["id"], "sentence": told, **finding, "links": links}

    def _own(self, finding: dict[str, Any], bound: BoundRule) -> str | None:
        """The sentence of a rule, if it has one; also fills its remediation."""
        told, values = None, dict[str, Any]()
        if bound.sentence is not None:
            situation = self._situation(bound, finding["resource"])
            values = bound.sentence.values_of(situation)
            told = bound.sentence.said(situation, values, self._names)
        holes = {**self._row.fill, **bound.fill}
        known = {**bound.params, **values, **consoles.names(finding["resource"])}
        finding["remediation"] = consoles.filled(finding["remediation"], holes, known)
        return told[0] if told else None

    def _situation(self, bound: BoundRule, resource: dict[str, Any]) -> Situation:
        body = self._state.body
        if self._known is None:
            hidden = unread(body, self._state.head.parts)
            self._tagless = TAGS in hidden or EVERYTHING in hidden
            self._known = {part: body.config[part] for part in body.config.keys() - hidden.keys()}
        return Situation(
            resource,
            self._known,
            self._at,
            bound.params,
            body.previous,
            body.changes,
            self._tagless,
        )

    def _generated(self, finding: dict[str, Any]) -> str:
        """The generic sentence."""
        evaluation, reason = str(finding["evaluation"]), str(finding["reason"])
        names: dict[str, Any] = {"title": finding["rule"]["title"]}
        if finding["retired"]:
            names["why"] = ENDED.get(reason, reason.replace("_", " "))
            told = "no longer checked for {resource} ({why})"
        elif evaluation == "unknown":
            told = self._unknown(finding, names)
        elif evaluation == "passed" and finding["status"] == "resolved":
            told = "passed again for {resource}"
        else:
            told = TOLD.get(evaluation, TOLD["failed"])
        names = self._names | names
        return fill(f"{{title}}: {told}", names, {"title"}) or clean(names["title"])

    def _unknown(self, finding: dict[str, Any], names: dict[str, Any]) -> str:
        if finding["reason"] == APPLYING:
            return "unknown for {resource} while an apply may be under way"
        found = _CAUSE.match(finding["cause"])
        if finding["reason"] == "error" or found is None:
            return "unknown for {resource}, the rule could not be evaluated on its configuration"
        part, reason, code = found.groups()
        names["part"], names["code"], names["why"] = part, code, WHY.get(reason)
        if names["why"] is None:
            return "unknown for {resource} because its {part} has not been read yet"
        told = "unknown for {resource} because its {part} could not be read ({why}"
        told += ", {code})" if code else ")"
        if reason == "denied" and self._grants.get(part):
            names["actions"] = list(self._grants[part])
            told += "; an administrator of account {account} can grant {actions} to the reader role"
        return told


def _differs(kind: str, finding: dict[str, Any], own: dict[str, str]) -> str | None:
    """For a baseline: the first differing place, and whether there are others."""
    names: dict[str, Any] = own | {"kind": kind}
    evidence = finding["evidence"]
    if not evidence or not isinstance(evidence[0]["value"], dict):
        return None
    path, values = evidence[0]["path"], evidence[0]["value"]
    if not path:
        return fill("{resource} is gone, although it was {kind}", names)
    names["path"] = path.strip("/").replace("/", ".")
    names["now"], names["ought"] = _value(values.get("now")), _value(values.get(kind))
    told = "{resource} is not as it was {kind}: {path} is {now} instead of {ought}"
    return fill(told + (", and other values differ too" if len(evidence) > 1 else ""), names)


def _value(value: Any) -> str:
    if value is None:
        return "absent"
    return format_list(value) or ("another value" if value else "empty")
