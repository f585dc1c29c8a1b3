"""One simulated AWS for all tests of the collectors, empty at the start of each."""

import pytest

from tests.collectors.moto import Moto


@pytest.fixture
def moto(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """An empty simulated AWS that every client of this process talks to."""
    moto_server.begin_anew()
    for name, value in moto_server.env.items():
        monkeypatch.setenv(name, value)
    return moto_server
