"""Lists of words: words.yaml."""

from functools import cache
from importlib.resources import files

import yaml


def words(name: str) -> frozenset[str]:
    """One of the lists."""
    return frozenset(_lists()[name])


@cache
def _lists() -> dict[str, list[str]]:
    text = files("collectors.secrets").joinpath("words.yaml").read_text()
    lists: dict[str, list[str]] = yaml.safe_load(text)
    return lists
