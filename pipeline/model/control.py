"""Control records: time and people's decisions, sent to every partition concerned."""

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from driftline.pipeline.model.base import ProviderName, Record, Time
from driftline.pipeline.model.finding import NAMESPACE
from driftline.pipeline.model.resource import Scope


class Tick(Record):
    """The low watermark of a source: everything it captured before that time has been written."""

    source: str
    watermark: Time
    reader: str = ""
    """The reader of the source that reports it. A source with several readers has advanced as far as the slowest."""
    ended: bool = False
    """This reader has stopped; the source does not wait for it."""


class RiskException(Record):
    """A risk accepted for a limited time: failing findings in its scope are suppressed. A later record with the same
    id replaces it and counts as a new approval of the state at that time."""

    id: str
    rule: str | None = None
    """Id of a rule. Exactly one of `rule` and `control` is set."""
    control: str | None = None
    """A framework control, as `framework:control`: covers all rules mapped to it."""
    resource: str = "*"
    """The uid; `*` matches any text."""
    account: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    """Only resources that have all of these tags."""
    reason: str
    owner: str
    """Who bears the risk."""
    approver: str
    """Who accepted the risk. Must not be the person to whom the change is attributed."""
    at: Time
    """When this was said."""
    until: Time
    """When it expires."""
    ended: Time | None = None
    """When it was ended before it expired."""
    recreated: bool = False
    """Also applies to a resource recreated under the same uid, if the uid is given without `*`."""
    source: Literal["file", "command"] = "command"
    """Where it is defined. An exception from a file ends when it is no longer in any file."""
    provider: ProviderName | None = None
    """Only resources of this provider: two providers may use the same account id."""

    def in_force(self, now: datetime) -> bool:
        """Whether it has neither expired nor been ended."""
        return self.ended is None and self.until > now

    @property
    def scope(self) -> tuple[str, ...]:
        """What it applies to. The same scope is the same exception."""
        tags = (f"{key}={value}" for key, value in sorted(self.tags.items()))
        provider = [f"provider:{self.provider}"] if self.provider else []  # never a tag: no `=`
        where = (self.resource, self.account or "", *provider)
        return (self.rule or "", self.control or "", *where, *tags)


class Baseline(Record):
    """What a resource is expected to be, as somebody stated it. A later record of the same kind replaces it."""

    uid: str
    type: str | None = None
    kind: Literal["approved", "declared", "recorded"]
    """`approved` by a person; `declared` by code (a plan); `recorded` in a Terraform state, which an apply overwrites
    with reality."""
    expect: dict[str, Any] = Field(default_factory=dict)
    """JSON Pointers that begin with a part, and the expected value."""
    at: Time
    by: str
    """Who approved it, or which program declared it."""
    reason: str = ""
    source: str = ""
    """Where it is defined: a workspace, a file."""
    address: str = ""
    """For `declared`: the address in the code, as the tool names it (`module.web.aws_instance.this[0]`)."""
    repository: str = ""
    """For `declared`: the repository of the code, if given."""
    path: str = ""
    """For `declared`: the folder or file in that repository."""
    serial: int | None = None
    """For a state: its serial, which only increases."""
    lineage: str | None = None
    revoked: Time | None = None
    recreated: bool = False
    """Also applies to a resource recreated under the same uid. (Always true for `declared`.)"""
    appliers: list[str] = Field(default_factory=list)
    """For `declared`: the actors that apply the code (`*` matches any text). Until half an hour after their last change of the
    resource, differences are not reported: an apply may be in progress, with its plan not yet declared."""


def exception_id(scope: tuple[str, ...]) -> str:
    """The id of an exception without an explicit one."""
    return f"ex-{uuid.uuid5(NAMESPACE, chr(10).join(('exception', *scope))).hex[:12]}"


class Swept(Record):
    """A scope was swept, and all its snapshots are acknowledged by the brokers. If the listing was complete (`complete`),
    resources not seen since `started_at` no longer exist. A scope with the region `global` lists its type in every region."""

    scope: Scope
    started_at: Time
    complete: bool
    ended_at: Time | None = None
    """When its last resource was read."""
    types: list[str] = Field(default_factory=list)
    """If several types of one region of an account were read: all of them, and `scope.type` is `*`."""


class Gone(Record):
    """An account, one of its regions, or a resource is no longer monitored: its findings end."""

    provider: ProviderName
    account: str
    region: str | None = None
    """Only resources in this region of the account."""
    uid: str | None = None
    """Only this resource."""
    reason: Literal["account_gone", "region_disabled", "type_removed", "forgotten"]
    type: str | None = None
    """Only resources of this type."""
    at: Time
    """Resources read later than this exist again."""


class Control(Record):
    """Exactly one field is set. Kinds unknown to this version are skipped."""

    tick: Tick | None = None
    exception: RiskException | None = None
    baseline: Baseline | None = None
    rulebook: dict[str, Any] | None = None
    swept: Swept | None = None
    gone: Gone | None = None

    @model_validator(mode="after")
    def one(self) -> "Control":
        kinds = [self.tick, self.exception, self.baseline, self.rulebook, self.swept, self.gone]
        if sum(kind is not None for kind in kinds) + len(self.model_extra or {}) != 1:
            raise ValueError(
                "a control record has exactly one of tick, exception, baseline, rulebook, swept, gone"
            )
        return self
