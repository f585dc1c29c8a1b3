"""Generates the files of deploy/ that are no collector's: the pinned packages of the container image."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from driftline.pipeline.reference import HEADER

ROOT = Path(__file__).resolve().parent.parent.parent
PLATFORM = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "implementation_name": "cpython",
            "platform_python_implementation": "CPython", "platform_machine": "x86_64"}  # fmt: skip
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def files() -> Iterator[tuple[str, str]]:
    """Every file, as path and text."""
    lock = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    yield "deploy/docker/requirements.txt", pinned(project["project"]["dependencies"], lock)
    yield "deploy/docker/build-requirements.txt", pinned(project["build-system"]["requires"], lock)


def pinned(wanted: list[str], lock: str) -> str:
    """The lock file's entries of these requirements and all their dependencies on Linux, with hashes.

    The lock file also has the packages of tests and demo: an image needs a third of them."""
    entries = {_plain(re.split(r"[=\s]", entry, maxsplit=1)[0]): entry for entry in re.split(r"\n(?=\S)", lock.rstrip("\n"))}  # fmt: skip
    found = _closure(wanted)
    header = HEADER.format(source="pyproject.toml and requirements.lock")
    return header + "".join(f"{text}\n" for name, text in entries.items() if name in found)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(wanted: list[str]) -> set[str]:
    """The names of all packages to install, from the metadata of the installed packages."""
    from packaging.requirements import Requirement

    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({**PLATFORM, "python_version": v, "python_full_version": f"{v}.0", "extra": extra}) for v in PYTHONS):  # fmt: skip
            continue
        for more in ("", *requirement.extras):
            name = _plain(requirement.name)
            if (name, more) not in seen:
                seen.add((name, more))
                waiting += [(Requirement(text), more) for text in _needs(name)]
    return {name for name, _ in seen}


def _needs(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # for another Python version: it has no further dependencies
        return []
