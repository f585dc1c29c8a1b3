"""The rows of ways.yaml: from some rights to more. Which of them policies open."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipeline.rulebook.identity.allowed import Allowed, Grant
from pipeline.rulebook.source import Source

EVERY_ROLE = "iam::{account}:role/*"
PASS = "iam:passrole"  # noqa: S105 - an action
Severity = Literal["high", "medium"]


class Way(BaseModel):
    """A row; the file says what its fields mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    title: str
    """Follows "who has it"."""
    severity: Severity
    code: bool = False
    needs: dict[str, str] = Field(min_length=1)
    own: Literal["", "user", "role", "group", "policy"] = ""
    passes: list[str] = Field(default_factory=list)
    exists: str = ""
    sources: list[str] = Field(min_length=1)
    example: dict[str, Any]


class Open(NamedTuple):
    """A way that policies open, by which statements."""

    way: Way
    by: tuple[Grant, ...]

    @property
    def text(self) -> str:
        """As part of a sentence: it `replaces the code of any function (lambda:UpdateFunctionCode by statement 1 of …)`."""
        actions = [*self.way.needs, *(["iam:PassRole"] if self.way.passes else [])]
        places = dict.fromkeys(one.place for one in self.by)
        return f"{self.way.title} ({', '.join(actions)} by {', '.join(places)})"


@cache
def ways() -> tuple[Way, ...]:
    """All rows. Raises ValueError with the place of a mistake."""
    source = Source(Path(str(files(__package__))) / "ways.yaml")
    if source.problems:
        raise ValueError("; ".join(source.problems))
    return tuple(Way.model_validate(row) for row in source.data)


def first(layers: Sequence[Allowed], severity: Severity) -> Open | None:
    """The first way of a severity that is open in every layer: an identity's policies, and what bounds them."""
    for way in ways():
        if way.severity == severity and (by := _open(way, layers)):
            return Open(way, by)
    return None


def opened(layers: Sequence[Allowed]) -> list[Open]:
    """All ways that are open."""
    return [Open(way, by) for way in ways() if (by := _open(way, layers))]


def _open(way: Way, layers: Sequence[Allowed]) -> tuple[Grant, ...]:
    """The statements of the first layer that open a way, if all layers leave it open."""
    kinds = [{action.lower(): target for action, target in way.needs.items()}]
    if way.own:
        own = layers[0].own(way.own)
        kinds += [dict.fromkeys(kinds[0], target) for target in own]
    services = way.passes or [""]
    for needs in kinds:
        for service in services:
            if service:
                needs = {PASS: EVERY_ROLE} | needs
            by = [[layer.on(action, target, service) for action, target in needs.items()] for layer in layers]  # fmt: skip
            if all(all(found) for found in by):
                return tuple(one for one in by[0] if one is not None)
    return ()
