"""The command line, as the shells' tests have it."""

from tests.shells.conftest import driftline

__all__ = ["driftline"]
