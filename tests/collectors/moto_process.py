"""`moto_server`, without what it does again and again for tests that need it once.

Run as a script by tests.collectors.moto. What it answers is moto's own, but for the images: a few, written to MOTO_AMIS_PATH, not
1,300 a region; and for AWS's own policies: those that MOTO_TEST_MANAGED names, separated by commas."""

import json
import logging
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import botocore.loaders
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.utilities.utils import load_resource

IMAGES = 4


def few_images(path: Path) -> None:
    """Before moto.ec2 is imported, which makes an image and a snapshot of each, in each region and after each reset."""
    path.write_text(json.dumps(load_resource("ec2/resources/amis.json")[:IMAGES]))


def few_policies(names: set[str]) -> None:
    """Each account has them all, and has them anew after each reset: over a thousand otherwise."""
    models: Any = import_module("moto.iam.models")
    parsed = json.loads(models.aws_managed_policies_data)
    models.aws_managed_policies_data = json.dumps({name: parsed[name] for name in names})


def main() -> None:
    generate: Callable[..., Any] = rsa.generate_private_key
    rsa.generate_private_key = cache(generate)  # keys that nobody takes for secret
    loader = botocore.loaders.create_loader()
    botocore.loaders.create_loader = lambda *_: loader  # it knows what it has read
    if path := os.environ.get("MOTO_AMIS_PATH"):
        few_images(Path(path))
    if names := os.environ.get("MOTO_TEST_MANAGED"):
        few_policies(set(names.split(",")))
    from moto import backends, server

    modules = list(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules  # a listing of a folder, twice a request
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server.main()


if __name__ == "__main__":
    main()
