"""What of a plan's values is code's word, and so is compared; of all else, why it is not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from driftline.collectors.aws.terraform.code import ResourceBlock, ValueSource, alike
from driftline.collectors.aws.terraform.document import Document, Resource
from driftline.collectors.aws.terraform.marks import ABSENT, Path, at, key_of, marked, path_of
from driftline.collectors.aws.terraform.owners import ResourceOwners
from driftline.collectors.redact import hides
from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.compare.equivalence import is_empty

UNSET = "not set by code"
UNSHOWN = "not set by code, or by a dynamic block, which a plan does not show (--sets ADDRESS.ATTRIBUTE says that it is)"
WHY = {
    ValueSource.UNSURE: "an expression of which a plan does not show whether it gives the planned value or comes to null (--sets ADDRESS.ATTRIBUTE: it gives it)",
    ValueSource.KEPT: "the plan keeps another value than code says (ignore_changes?)",
}
DRIFTED = "changed past Terraform, and the plan does not change it back (ignore_changes?)"


@dataclass(frozen=True)
class CompareOptions:
    """What the caller says beside the file. Patterns of ADDRESS.ATTRIBUTE, * for any text."""

    ignored: Sequence[str] = ()
    sets: Sequence[str] = ()
    """Set by code, though the plan does not show it."""
    claims: bool = False
    partition: str = "aws"


@dataclass
class ExpectedConfig:
    """What is expected of one resource, by the Terraform resources that say something of it."""

    type: str
    expect: dict[str, Any] = field(default_factory=dict)
    by: dict[str, str] = field(default_factory=dict)
    """Pointer to the address that says it."""
    addresses: list[str] = field(default_factory=list)


class TerraformReader:
    """Gathers what is expected of each uid, and what is not compared."""

    def __init__(self, document: Document, choices: CompareOptions) -> None:
        self.document, self.choices = document, choices
        self.owners = ResourceOwners(document.resources, document.code, choices.partition)
        self.wanted: dict[str, ExpectedConfig] = {}
        self.not_compared: dict[str, dict[str, list[str]]] = {}

    def status(self, one: Resource, text: str, *, computed: bool = False) -> str | None:  # fmt: skip
        """ "" where the value at a path is code's word; else why it is not compared. None: nothing is said of it."""
        path = path_of(text)
        top = str(path[0])
        if why := self.barred(one, path):
            return why
        planned = at(one.values, path)
        block = self.block(one)
        if block is None:  # all that there is: a state, or a plan without its configuration
            return None if planned in (ABSENT, None) else ""
        if self._named(self.choices.sets, one, top):
            return "" if planned is not ABSENT else None
        said = block.code.said(block, path, planned, computed=computed, key=key_of(one.address))
        if said is ValueSource.UNSET:
            return _unset(planned, len(path) > 1 and path[0] not in block.expressions)
        if said is not ValueSource.SET:
            return WHY[said]
        if planned is ABSENT:
            return "the plan has no value of it"
        return DRIFTED if self._drifted(one, path) else ""

    def barred(self, one: Resource, path: Path) -> str:
        """Why a value must not be compared whoever says it, if so."""
        if self._named(self.choices.ignored, one, str(path[0])):
            return "ignored (--ignore)"
        if marked(one.sensitive, path):
            return "sensitive"
        if marked(one.unknown, path):
            return "known only after apply"
        return ""

    def block(self, one: Resource) -> ResourceBlock | None:
        return self.document.code.block(one.address) if self.document.code else None

    def _named(self, patterns: Iterable[str], one: Resource, attribute: str) -> bool:
        return any(matches(pattern, f"{one.address}.{attribute}") for pattern in patterns)

    def _drifted(self, one: Resource, path: Path) -> bool:
        """Whether it was changed past Terraform, and stays so."""
        if one.drift is None or one.changes:
            return False
        was, is_ = (at(side, path) for side in one.drift)
        return not alike(None if was is ABSENT else was, None if is_ is ABSENT else is_)

    def of(self, uid: str, type_: str, one: Resource) -> ExpectedConfig:
        wanted = self.wanted.setdefault(uid, ExpectedConfig(type_))
        if one.address not in wanted.addresses:
            wanted.addresses.append(one.address)
        return wanted

    def expect(self, uid: str, type_: str, one: Resource, pointer: str, value: Any) -> None:
        """Keeps what is expected at a place. Two who say different things of one place: neither is believed. A value that
        collectors redact cannot be compared."""
        if hides(pointer.rpartition("/")[2], value):
            self.skip(one, "looks like a secret", pointer)
            return
        wanted = self.of(uid, type_, one)
        if other := wanted.by.get(pointer):
            if pointer in wanted.expect and alike(wanted.expect[pointer], value):
                return
            wanted.expect.pop(pointer, None)
            self.skip(one, f"{other} says another thing of the same place", pointer)
            self.skip_address(other, f"{one.address} says another thing of the same place", pointer)
            return
        wanted.by[pointer] = one.address
        wanted.expect[pointer] = value

    def skip(self, one: Resource, why: str, *what: str) -> None:
        """Tells that a resource, or some of its attributes, are not compared."""
        self.skip_address(one.address, why, *what)

    def skip_address(self, address: str, why: str, *what: str) -> None:
        names = self.not_compared.setdefault(address, {}).setdefault(why, [])
        names += [name for name in what if name not in names]

    def told(self) -> dict[str, str]:
        """By address: why, and which attributes."""
        return {
            address: "; ".join(f"{why}: {', '.join(sorted(what))}" if what else why for why, what in sorted(reasons.items()))
            for address, reasons in sorted(self.not_compared.items())
        }  # fmt: skip


def _unset(planned: Any, dynamic: bool) -> str | None:
    """What is told of a value that code does not set; None where there is none. `dynamic`: it is in a block that the code
    does not show."""
    if planned is ABSENT or is_empty(planned) or planned is False:
        return None
    blocks = isinstance(planned, list) and any(isinstance(one, dict) for one in planned)
    return UNSHOWN if blocks or dynamic else UNSET
