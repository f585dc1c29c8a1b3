"""What every test run has."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import parts

if TYPE_CHECKING:
    from tests.collectors.moto import Moto


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests are made, and none of them is garbage: the collector need not look at them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)  # models of services are large, and stay
        gc.enable()


SECONDS = {
    "tests/live/test_crash.py": 450, "tests/live/test_sink.py": 330, "tests/live/test_install.py": 270, "tests/live/test_demo.py": 230,
    "tests/live/test_worker.py": 220, "tests/live/test_doctor.py": 150, "tests/live/test_permissions.py": 125, "tests/live/test_security.py": 110,
    "tests/live/test_events.py": 110, "tests/live/test_deadletter.py": 100, "tests/live/test_upgrade.py": 90, "tests/live/test_equal.py": 88,
    "tests/live/test_correlate.py": 83, "tests/live/test_remade.py": 74, "tests/live/test_lookup.py": 71, "tests/live/test_sink_conformance.py": 60,
    "tests/live/test_append_sink.py": 60, "tests/live/test_collect.py": 51, "tests/live/test_elastic_security.py": 46,
    "tests/rules/test_oddities.py": 67, "tests/shells/test_contributing.py": 43, "tests/rules/test_identity_properties.py": 40, "tests/collectors/test_truth.py": 33,
    "tests/core/test_hostile.py": 19, "tests/collectors/test_permissions.py": 13, "tests/shells/test_scan.py": 10,
    "tests/correlate/test_blocks.py": 9, "tests/rules/test_sentences.py": 9, "tests/core/test_disorder.py": 9, "tests/correlate/test_one_fold.py": 8,
}  # fmt: skip
"""About how long the tests of a file take (`--durations=0`); the others take less."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: with several at a time, none is left alone at the end."""
    root = Path(__file__).parents[1]
    longest = {root / name: -seconds for name, seconds in SECONDS.items()}
    items.sort(key=lambda item: longest.get(item.path, 0))


def pytest_runtest_setup(item: pytest.Item) -> None:
    parts.require(item)


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Moto]":
    """The simulated AWS that all tests of a worker share: who takes it (`moto`) finds it empty."""
    from tests.collectors.moto import running

    with running(tmp_path_factory.mktemp("moto")) as moto:
        yield moto
