"""Which fields of events hold secrets: what the rows of kinds hide in a configuration, and places.yaml."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from driftline.collectors.aws.row import kinds
from driftline.collectors.redact import WRAPPERS, Places
from driftline.pipeline.common.files import load_shipped

VALUE = "value"


@cache
def places() -> Places:
    """All of them."""
    out: dict[str, frozenset[str] | None] = {}
    maps = set()
    for steps in _paths():
        *above, field = steps
        if field == "*":
            maps.update(above)
        elif above and out.get(field, frozenset()) is not None:
            out[field] = (out.get(field) or frozenset()) | {above[-1]}
        else:
            out[field] = None
    return Places(out, frozenset(maps))


def _paths() -> Iterator[list[str]]:
    own: list[str] = load_shipped(files("driftline.collectors.aws").joinpath("places.yaml"))
    for path in own:
        yield path.lower().split(".")
    for kind in kinds().values():
        for path in kind.redact:
            _, *steps = path.lower().split(".")  # a part's name stands in no event
            steps = [step for step in steps if step not in WRAPPERS]
            if steps != [VALUE]:  # every event has values of something: places.yaml says of what
                yield steps
