"""Control records: time and people's decisions, as records to every partition they concern."""

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from driftline.pipeline.model.base import ProviderName, Record, Time
from driftline.pipeline.model.finding import NAMESPACE
from driftline.pipeline.model.resource import Scope


class Tick(Record):
    """The low watermark of one source: everything it captured before has been written."""

    source: str
    watermark: Time
    reader: str = ""
    """Which of the source's readers tells, where there may be several: the source has come as far as the last of them."""
    ended: bool = False
    """This reader has stopped: the others need not wait for it."""


class RiskException(Record):
    """A risk that is accepted for a while: failing findings in its scope are suppressed. A later statement of the same
    id replaces it, and is a new approval: of what is wrong by then."""

    id: str
    rule: str | None = None
    """Id of a rule. Either this or `control` says what may fail."""
    control: str | None = None
    """A framework's control, as `framework:control`: all rules that it names."""
    resource: str = "*"
    """The uid; a `*` in it stands for any text."""
    account: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    """Only resources that have all of them."""
    reason: str
    owner: str
    """Who bears the risk."""
    approver: str
    """Who accepted it: never whom the change itself is attributed to."""
    at: Time
    """When this was said."""
    until: Time
    """When it ends by itself."""
    ended: Time | None = None
    """When somebody ended it before."""
    recreated: bool = False
    """Also for a resource that is made anew under the same uid, where that is written out."""
    source: Literal["file", "command"] = "command"
    """Where it is kept: one from a file ends when it is in no file any more."""

    def in_force(self, now: datetime) -> bool:
        """Whether it has neither ended by itself nor been ended."""
        return self.ended is None and self.until > now

    @property
    def scope(self) -> tuple[str, ...]:
        """What it is about: the same scope is the same exception."""
        tags = (f"{key}={value}" for key, value in sorted(self.tags.items()))
        return (self.rule or "", self.control or "", self.resource, self.account or "", *tags)


class Baseline(Record):
    """What a resource ought to be by somebody's word. A later statement of the same kind replaces it."""

    uid: str
    type: str | None = None
    kind: Literal["approved", "declared", "recorded"]
    """`approved` by a person; `declared` by code (a plan); `recorded` in the state of code, which applying overwrites
    with reality."""
    expect: dict[str, Any] = Field(default_factory=dict)
    """JSON Pointers that begin with a part, and the value that stands there."""
    at: Time
    by: str
    """Who approved it, or which program declared it."""
    reason: str = ""
    source: str = ""
    """Where it is kept: a workspace, a file."""
    address: str = ""
    """Of `declared`: where in the code, as the tool names it (`module.web.aws_instance.this[0]`)."""
    repository: str = ""
    """Of `declared`: where the code is kept, where that was said."""
    path: str = ""
    """Of `declared`: the folder or file in that repository."""
    serial: int | None = None
    """Of a state: it only grows."""
    lineage: str | None = None
    revoked: Time | None = None
    recreated: bool = False
    """Also for a resource that is made anew under the same uid. (What is declared always is.)"""
    appliers: list[str] = Field(default_factory=list)
    """Of `declared`: the actors that apply the code (* for any text). Until half an hour after their last change of the
    resource a difference is not told: the apply may be under way, and the new plan not yet declared."""


def exception_id(scope: tuple[str, ...]) -> str:
    """The id of an exception that was given none."""
    return f"ex-{uuid.uuid5(NAMESPACE, chr(10).join(('exception', *scope))).hex[:12]}"


class Swept(Record):
    """A scope was read, and everything read is with the brokers: what a sweep whose list was whole (`complete`) and that
    began at `started_at` has not seen is there no more. A scope of the region `global` lists its type in every region."""

    scope: Scope
    started_at: Time
    complete: bool
    ended_at: Time | None = None
    """When the last of it was read."""
    types: list[str] = Field(default_factory=list)
    """Where several types of one region of an account were read: all of them, and `scope.type` is `*`."""


class Gone(Record):
    """An account, a region of it, or one resource is out of what is watched: its findings end."""

    provider: ProviderName
    account: str
    region: str | None = None
    """Only what is in this region of the account."""
    uid: str | None = None
    """Only this resource."""
    reason: Literal["account_gone", "region_disabled", "type_removed", "forgotten"]
    type: str | None = None
    """Only resources of this type."""
    at: Time
    """What is read later than this is there again."""


class Control(Record):
    """Exactly one of its fields; kinds that this version does not know are passed over unharmed."""

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
