"""A simulated AWS, as the collectors' tests have it."""

from tests.collectors.conftest import moto

__all__ = ["moto"]
