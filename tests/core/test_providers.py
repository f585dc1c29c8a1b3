"""Providers: what is registered, what is refused, and one of another package."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from driftline.pipeline.assess.wording import consoles
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.compare.diff import Canonical, diff, hints_of
from driftline.pipeline.model import Read, Scope
from driftline.pipeline.model.base import PROVIDERS
from driftline.pipeline.providers import installed
from driftline.pipeline.providers.provider import AuditLog, Provider, ResourceNames, Settling
from driftline.pipeline.rulebook.wording.phrases import standard
from tests.core.installing import others as others

ROOT = Path(__file__).parent.parent.parent
CLOUD = Provider("cloud", "Cloud", AuditLog("cloud", "calls"))


def test_ours_are_those_that_are_registered() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    registered = tomllib.loads(text)["project"]["entry-points"][PROVIDERS]
    assert set(registered) <= set(installed.names())
    assert [one.name for one in installed.providers()] == installed.names()


def test_a_provider_of_another_package_is_found(others: dict[str, object]) -> None:
    others["cloud"] = CLOUD
    assert installed.provider("cloud") is CLOUD
    assert installed.of_product("cloud") is CLOUD
    assert "cloud" in installed.names()
    assert Scope(provider="cloud", account="a", region="r", type="t").key == "cloud/a/r/t"


def test_one_that_is_not_installed_has_the_defaults_and_no_records() -> None:
    assert installed.provider("cloud").settling == Settling()
    assert installed.of_product("cloud") is None
    with pytest.raises(ValidationError, match="no provider cloud is installed"):
        Scope(provider="cloud", account="a", region="r", type="t")


@pytest.mark.parametrize("name", ["", "A", "a/b", "a b", "a\n", "x" * 40])
def test_a_name_fits_keys_and_groups(name: str, others: dict[str, object]) -> None:
    others[name] = Provider(name, name, AuditLog(name, ""))
    with pytest.raises(ValidationError):
        Scope(provider=name, account="a", region="r", type="t")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (object(), "cloud is of the type object, not a Provider"),
        (Provider("sky", "Sky", AuditLog("sky", "")), "the entry point cloud names the provider sky"),
    ],
)  # fmt: skip
def test_what_is_no_provider_is_refused(found: object, why: str, others: dict[str, object]) -> None:
    others["cloud"] = found
    with pytest.raises(UserError, match=why):
        installed.provider("cloud")


def test_a_wish_of_before_there_were_others_is_of_aws() -> None:
    said = {
        "uid": "u", "type": "t", "account": "1", "region": "r", "reason": "change", "after": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert Read.model_validate(said).provider == "aws"


def test_each_provider_has_equivalent_spellings_of_its_own(others: dict[str, object]) -> None:
    def small(value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    others["cloud"] = replace(CLOUD, canonical=Canonical(policy=small))
    ours, theirs = (
        hints_of({"policies": ["access"]}, installed.provider(name).canonical)
        for name in ("aws", "cloud")
    )
    assert diff("access", "Roles/Owner", "roles/owner", theirs) == []
    assert len(diff("access", "Roles/Owner", "roles/owner", ours)) == 1
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.1/8"}]}
    same = rule | {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    assert diff("group", [rule], [same], installed.plain_hints("aws")) == []
    assert diff("group", [rule], [same], installed.plain_hints("cloud")) != []
    assert (
        diff("group", [rule], [same], installed.plain_hints("")) == []
    )  # whose it is is not known


def test_each_provider_has_consoles_of_its_own(others: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "consoles.yaml"
    path.write_text("everywhere: {}\nchoices: []\nwords: []\ntypes: {cloud.storage/Box: {console: 'boxes/{name}?in={2}', fill: {BOX: name}}}\n")  # fmt: skip
    names = ResourceNames(consoles=path, origin=lambda _: "https://console.cloud.example/")
    others["cloud"] = replace(CLOUD, names=names)
    consoles.rows.cache_clear()
    box = {"uid": "//cloud/rooms/boxes/b 1", "type": "cloud.storage/Box", "provider": "cloud", "account": "a",
           "region": "r", "name": "//cloud/rooms/boxes/b 1", "tags": {}}  # fmt: skip
    row = consoles.rows()["cloud.storage/Box"]
    assert consoles.console_url(row, box) == "https://console.cloud.example/boxes/b%201?in=rooms"
    assert consoles.console_url(row, box | {"provider": "aws"}) is None
    assert standard(box)["resource"] == '"b 1"'
    consoles.rows.cache_clear()
