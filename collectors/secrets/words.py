"""Word lists: words.yaml."""

from functools import cache
from importlib.resources import files

from driftline.pipeline.common.files import load_shipped


def words(name: str) -> frozenset[str]:
    """Returns one of the lists."""
    return frozenset(_lists()[name])


@cache
def _lists() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = load_shipped(
        files("driftline.collectors.secrets").joinpath("words.yaml")
    )
    return lists
