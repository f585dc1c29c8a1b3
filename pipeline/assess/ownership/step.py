"""The step that finds the owner of a resource, and its effect on findings. Pure."""

from typing import Any

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.decisions.baselines import declared
from driftline.pipeline.assess.merge import EVERYTHING, TAGS
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.ownership.sources import NOBODY, UNDECIDED, Facts
from driftline.pipeline.rulebook.wording.phrases import LONGEST, fill, quote
from driftline.pipeline.state.resource import Body, KnownOwner, State

CHANGED = "owner_changed"
"""The reason of a finding whose owner has changed."""
_SAID = {
    "tag": "its tag", "workspace": "the workspace that declares it", "group": "its resource group's tag",
    "account": "its account's tag", "folder": "the folder that its account is in", "map": "the map of owners",
    "fallback": "the fallback",
}  # fmt: skip
"""Names of the sources in causes."""


def assign_owner(work: Assessment) -> None:
    """Determines the owner again if anything relevant may have changed. A resource that has ended keeps its owner."""
    body, before, owners = work.body, work.before, work.options.owners
    if body.unseen or body.deleted_at is not None:
        return
    known = body.owner
    if (
        known is not None
        and before is not None
        and known.settings == owners.hash
        and before.body.resource == body.resource
        and before.body.baselines is body.baselines
        and before.body.containers == body.containers
        and before.body.hidden.keys() == body.hidden.keys()
    ):
        return
    read = _tags_read(body)
    code = declared(body)
    workspace = code["workspace"] if code else ""
    found = owners.of(Facts(body.resource, read, workspace, body.containers))
    body.owner = KnownOwner(found.id, found.found_by, owners.hash, read)


def needs_owner(state: State, options: AssessOptions) -> bool:
    """Whether the owner was determined with different settings."""
    body = state.body
    if body.unseen or body.deleted_at is not None:
        return False
    return body.owner is None or body.owner.settings != options.owners.hash


def _tags_read(body: Body) -> bool:
    """Whether the tags are known, from this or an earlier reading."""
    if TAGS not in body.hidden and EVERYTHING not in body.hidden:
        return True
    return body.owner.tags_read if body.owner is not None else bool(body.resource["tags"])


def owner_of(body: Body) -> dict[str, str] | None:
    """The owner in documents (model.Owner); None if there is none, or not yet determined."""
    one = body.owner
    if one is None or one.found_by == NOBODY:
        return None
    return {"id": one.id, "found_by": one.found_by}


def handed_over(before: Body | None, body: Body) -> bool:
    """Whether the owner has changed. If it was never determined, there was none."""
    old, new = before.owner if before else None, body.owner
    if old is None or new is None:
        return False
    return old.id != new.id


def owned_otherwise(before: Body, body: Body) -> bool:
    """Whether documents say another thing of the owner than before, if only how it was found. Where it was never looked for
    (by earlier versions), that nobody is known waits for the next statement."""
    if before.owner is None and body.owner is not None and not body.owner.id:
        return False
    return owner_of(before) != owner_of(body)


def hand_over(finding: dict[str, Any], before: Body, body: Body) -> dict[str, Any]:
    """The statement that its owner has changed: the reason, who it was and is by what, and that in its sentence."""
    old, new = _said(before.owner), _said(body.owner)
    names = {"old": _called(before.owner), "new": _called(body.owner)}
    more = fill("; its owner is now {new}, before it was {old}", names) or ""
    told, room = str(finding["sentence"]), LONGEST - len(more)
    told = told if len(told) <= room else told[: room - 1] + "…"
    return finding | {
        "reason": CHANGED, "cause": f"owner: {old} before, now {new}", "sentence": told + more,
    }  # fmt: skip


def _called(owner: KnownOwner | None) -> str:
    if owner is not None and owner.id:
        return quote(owner.id)
    return "not known" if owner is not None and owner.found_by in UNDECIDED else "nobody"


def _said(owner: KnownOwner | None) -> str:
    if owner is None or owner.found_by == NOBODY:
        return "nobody"
    if owner.found_by in UNDECIDED:
        return (
            "not known (tags unread)"
            if owner.found_by == "unread"
            else "not known (tags contradict each other)"
        )
    return f"{owner.id} ({_SAID.get(owner.found_by, owner.found_by)})"
