"""The core step for resources that are no longer read: not listed by a complete sweep, or no longer
monitored. Pure."""

from typing import Any

from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.assessment import Step
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.retirement.backlog import Told, last_word
from driftline.pipeline.model import Snapshot, from_micros
from driftline.pipeline.providers.installed import provider
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state.resource import State


def ended(
    state: State,
    words: list[Told],
    rulebook: Rulebook,
    options: AssessOptions,
    events: int | None = None,
) -> Step | None:
    """The state after the report; None if nothing changes."""
    body, known_at = state.body, last_word(state)
    if body.deleted_at is not None:
        return None
    about = [told for told in words if told.at > known_at and told.about(body.resource)]
    if not about:
        return None
    told = max(about, key=lambda one: (bool(one.reason), one.at))
    if told.reason:
        return assess.on_gone(state, told.reason, told.at, rulebook, options)
    if body.unseen:
        return None
    if (
        known_at + provider(told.provider).settling.list_lag > told.at
    ):  # the listing may have been made before it was visible
        return Step(state, [], True, [], [_read(body.resource, told.at)])
    return assess.apply(state, _unlisted(body.resource, told.at), b"", rulebook, options, events)


def _unlisted(resource: dict[str, Any], at: int) -> Snapshot:
    names = ("uid", "type", "provider", "organization", "account", "region", "name", "tags")
    about = {name: resource[name] for name in names if name in resource}
    return Snapshot.model_validate(
        about | {"captured_at": from_micros(at), "deleted": True, "deleted_reason": "not_in_sweep"}
    )


def _read(resource: dict[str, Any], at: int) -> dict[str, Any]:
    """A re-read request: a direct read may know what the listing did not."""
    names = ("provider", "uid", "type", "account", "region")
    return {name: resource[name] for name in names} | {"reason": "unlisted", "after": from_micros(at), "scope": False}  # fmt: skip
