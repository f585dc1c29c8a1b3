"""A destination is its own folder's affair: no other file names Elasticsearch, or imports a sink's module, but for those argued here."""

import re
from pathlib import Path

import pytest

from driftline.sinks import installed

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"elasticsearch|elastic_transport", re.IGNORECASE)
ARGUED = {
    "pipeline/settings/blocks.py": "the block `elasticsearch`, which meant a sink before there was a list of them",
    "pipeline/cli/permissions.py": "the default of --sink, which scripts may rely on",
    "pipeline/cli/demo.py": "the demo starts one",
    "pipeline/local/": "starts servers for demo and tests",
    "pipeline/demo/": "starts one, and asks it as its audience would",
}  # fmt: skip


def sources(*folders: str) -> dict[str, str]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in found}


def argued(path: str) -> str | None:
    return next((one for one in ARGUED if path.startswith(one)), None)


def test_nothing_else_names_elasticsearch() -> None:
    naming = {
        path for path, text in sources("pipeline", "collectors", "sinks").items()
        if NAMED.search(text) and not path.startswith(("sinks/elasticsearch/", "collectors/aws/"))
    }  # fmt: skip
    assert {path for path in naming if argued(path) is None} == set()
    assert {argued(path) for path in naming} == set(ARGUED), "what is argued is still so"


@pytest.mark.parametrize("kind", installed.kinds())
def test_nobody_else_imports_a_sink_s_module(kind: str) -> None:
    by_name = re.compile(rf"sinks(\.| import ){kind}\b")
    importing = {path for path, text in sources("pipeline", "collectors", "sinks").items() if by_name.search(text)}  # fmt: skip
    others = {path for path in importing if not path.startswith(f"sinks/{kind}/")}
    assert {path for path in others if argued(path) is None} == set()
