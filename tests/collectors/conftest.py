"""One simulated AWS for all live tests of the collectors, empty at the start of each."""

from collections.abc import Iterator

import pytest

from tests.collectors.moto import Moto, running


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running(tmp_path_factory.mktemp("moto")) as moto:
        yield moto


@pytest.fixture
def moto(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """An empty simulated AWS that every client of this process talks to."""
    moto_server.post("reset-auth", b"100000000")
    moto_server.post("reset")
    for name, value in moto_server.env.items():
        monkeypatch.setenv(name, value)
    return moto_server
