"""Renders an alert as a document: what happened in order, who did it, from where, on which resources, and what to do.
Pure."""

from collections.abc import Mapping
from typing import Any

from driftline.pipeline.correlate.alerts.names import FIELDS, AlertNames
from driftline.pipeline.correlate.alerts.sentence import sentence
from driftline.pipeline.correlate.alerts.span import Run
from driftline.pipeline.detections.correlations import Correlation, driftline_block
from driftline.pipeline.model import from_micros
from driftline.pipeline.model.finding import SEVERITIES


def document(one: Correlation, group: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the Alert. `said`: one update returned by `Group.evaluate`."""
    out: dict[str, Any] = {
        "id": said["id"], "rule": one.id, "title": one.title,
        "severity": one.level if one.level in SEVERITIES else "medium",
        "state": said["state"], "revision": said["revision"], "tags": list(one.tags),
        "group": dict(zip(one.group_by, group.split("\n"), strict=False)) if one.group_by else {},
        "next": driftline_block(one.about).get("next", ""),
        "description": str(one.about.get("description", "")),
        "false_positives": [str(text) for text in one.about.get("falsepositives") or ()],
    }  # fmt: skip
    run: Run | None = said.get("run")
    if said.get("held_back"):
        out["held_back"] = True
    if run is None:  # merged or withdrawn
        times = {"begins": said["begins"], "at": said["begins"], "last": said["last"]}
        out |= {name: from_micros(at) for name, at in times.items()}
        out |= {"count": 0, "story": [], "distinct": {}} | {kind: [] for kind in FIELDS.values()}
        if said.get("merged_into"):
            out["merged_into"] = said["merged_into"]
        return out | {"sentence": sentence(out)}
    names: AlertNames = said["names"]
    out |= {
        "begins": from_micros(run.begins), "at": from_micros(run.at), "last": from_micros(run.last), "count": run.count,
        "story": run.briefs, "capped": said["capped"], "distinct": names.counts(),
    }  # fmt: skip
    out |= {kind: names.listed(kind) for kind in FIELDS.values()}
    if owner := _owner(out):
        out["owner"] = owner
    if run.continues:
        out["continues"] = run.continues
    return out | {"sentence": sentence(out)}


def _owner(alert: Mapping[str, Any]) -> dict[str, str] | None:
    """Who owns what an alert is about: of one resource alone, as its last step says. None where it is not known."""
    if alert["distinct"].get("resources") != 1:
        return None
    (uid,) = alert["resources"]
    last: Mapping[str, Any] = next(
        (step for step in reversed(alert["story"]) if step.get("resource") == uid), {}
    )
    if not last.get("owner_found_by"):
        return None
    return {"id": str(last["owner"]), "found_by": str(last["owner_found_by"])}
