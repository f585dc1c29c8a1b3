"""The rows of ways.yaml: from some rights to more. Which of them policies open."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from driftline.pipeline.common.yaml_source import Source
from driftline.pipeline.rulebook.aws.identity.allowed import Allowed
from driftline.pipeline.rulebook.aws.identity.grant import PolicyGrant

EVERY_ROLE = "iam::{account}:role/*"
PASS = "iam:passrole"  # noqa: S105 - an action
Severity = Literal["high", "medium"]


class EscalationPath(BaseModel):
    """A row; the file says what its fields mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    title: str
    """Follows "who holds the policy can"."""
    severity: Severity
    code: bool = False
    needs: dict[str, str] = Field(min_length=1)
    own: Literal["", "user", "role", "group", "policy"] = ""
    passes: list[str] = Field(default_factory=list)
    exists: str = ""
    sources: list[str] = Field(min_length=1)
    example: dict[str, Any]


ITSELF = {"user": "itself", "role": "itself", "group": "its own group", "policy": "its own policy"}


class OpenPath(NamedTuple):
    """A way that policies open, by which statements."""

    way: EscalationPath
    by: tuple[PolicyGrant, ...]
    own: bool = False
    """On the identity itself only."""

    @property
    def what(self) -> str:
        """Follows "who holds the policy can"."""
        before, _, after = self.way.title.rpartition(f"any {self.way.own}")
        return f"{before}{ITSELF[self.way.own]}{after}" if self.own else self.way.title

    @property
    def actions(self) -> tuple[str, ...]:
        return (*self.way.needs, *(["iam:PassRole"] if self.way.passes else []))


@cache
def ways() -> tuple[EscalationPath, ...]:
    """All rows. Raises ValueError with the place of a mistake."""
    source = Source(Path(str(files(__package__))) / "ways.yaml")
    if source.problems:
        raise ValueError("; ".join(source.problems))
    return tuple(EscalationPath.model_validate(row) for row in source.data)


def first(layers: Sequence[Allowed], severity: Severity) -> OpenPath | None:
    """The first way of a severity that is open in every layer: an identity's policies, and what bounds them."""
    return next((found for found in _opened(layers) if found.way.severity == severity), None)


def opened(layers: Sequence[Allowed]) -> list[OpenPath]:
    """All ways that are open."""
    return list(_opened(layers))


def _opened(layers: Sequence[Allowed]) -> Iterator[OpenPath]:
    for way in ways():
        every = {action.lower(): target for action, target in way.needs.items()}
        itself = [dict.fromkeys(every, arn) for arn in layers[0].own(way.own)] if way.own else []
        for own, needs in [(False, every), *((True, needs) for needs in itself)]:
            if by := _by(way, needs, layers):
                yield OpenPath(way, by, own)
                break


def _by(
    way: EscalationPath, needs: Mapping[str, str], layers: Sequence[Allowed]
) -> tuple[PolicyGrant, ...]:
    """The statements of the first layer that allow what a way needs, if all layers leave it open."""
    for service in way.passes or [""]:
        asked = {PASS: EVERY_ROLE, **needs} if service else needs
        by = [[layer.on(*one, service) for one in asked.items()] for layer in layers]
        if all(all(found) for found in by):
            return tuple(one for one in by[0] if one is not None)
    return ()
