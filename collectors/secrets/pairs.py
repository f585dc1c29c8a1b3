"""The facts that a name states about its value, and pairs of a name and its value in a map, as tags and environments are listed."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from driftline.collectors.secrets.names import NameVerdict, counts, named
from driftline.collectors.secrets.texts import seen
from driftline.collectors.secrets.words import words

IDENTIFIERS = frozenset({"accesskeyid", "clienttoken", "clientrequesttoken"})
"""Fields of AWS responses (lower case) that look like a secret but contain a name."""
LABELS = (
    "key", "name", "tagkey", "parameterkey", "parametername", "optionname", "outputkey", "variablename", "headername",
    "header", "variable", "option", "attribute", "property", "field", "id", "path",
)  # fmt: skip
HOLDERS = words("holders")
"""Field names of name/value pairs, in lower case."""
MOST_PAIR = 8
STRUCTURE = words("structure")
"""Fields of a map under a secret's name that are not the secret."""


class NameFacts(NamedTuple):
    """What a name says."""

    said: NameVerdict
    label: int | None
    """Its index in LABELS."""
    holder: bool
    identifier: bool
    about: bool
    """Within a map under a secret's name: not the secret itself."""
    counts: bool
    formed: bool
    """The name itself has the format of a secret."""


@lru_cache(65_536)
def facts_of(name: str) -> NameFacts:
    low = name.lower()
    said = named(name)
    return NameFacts(
        said, LABELS.index(low) if low in LABELS else None, low in HOLDERS, low in IDENTIFIERS,
        low in STRUCTURE or said is NameVerdict.ABOUT, counts(name), seen(name) is not None,
    )  # fmt: skip


def pair_of(
    value: Mapping[str, Any], keys: Sequence[NameFacts]
) -> tuple[NameFacts | None, NameFacts | None]:
    """For a name/value pair, as in tags and environments: the value's field, and what the name indicates."""
    holder = next((key for key in keys if key.holder), None)
    if holder is None:
        return None, None
    labels = [
        (key.label, item)
        for key, item in zip(keys, value.values(), strict=True)
        if key.label is not None and isinstance(item, str)
    ]
    if not labels:
        return None, None
    rank, label = min(labels)
    if LABELS[rank] == "path":
        if not any(name.lower() == "op" for name in value):
            return None, None
        label = label.rpartition("/")[2]  # of a JSON patch
    return holder, facts_of(label)
