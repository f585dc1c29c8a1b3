"""A simulated AWS, as the collectors' tests have it."""

from tests.collectors.conftest import moto, moto_server

__all__ = ["moto", "moto_server"]
