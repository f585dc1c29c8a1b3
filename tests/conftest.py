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
    "tests/live/test_crash.py": 340, "tests/live/test_sink.py": 330, "tests/live/test_install.py": 300, "tests/live/test_demo.py": 250,
    "tests/live/test_worker.py": 220, "tests/shells/test_scan.py": 130, "tests/live/test_permissions.py": 120, "tests/live/test_security.py": 110,
    "tests/shells/test_contributing.py": 90, "tests/live/test_upgrade.py": 90, "tests/live/test_events.py": 80, "tests/live/test_correlate.py": 70, "tests/live/test_deadletter.py": 60,
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
