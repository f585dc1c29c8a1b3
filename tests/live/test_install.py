"""A changed mapping is filled and swapped while a sink writes: in whatever order, the new view tells what the topic tells."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.local.process import wait_until
from driftline.sinks.elasticsearch import templates
from driftline.sinks.elasticsearch.render import ALIAS
from tests.live.stage import PATIENCE, Stage

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),  # a bulk is one
]


class Changed:
    """Mappings that differ from one another: each call another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self._mapping, self._number = monkeypatch, templates.mapping, 0

    def __call__(self, **more: Any) -> None:
        self._number += 1
        own = {f"test_{self._number}": {"type": "keyword"}} | more

        def mapping() -> dict[str, Any]:
            made = self._mapping()
            return made | {"properties": made["properties"] | own}

        self._patch.setattr(templates, "mapping", mapping)


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Changed:
    return Changed(monkeypatch)


def _ended(value: bytes) -> bytes:
    """The statement that its resource is gone."""
    finding = orjson.loads(value)
    return orjson.dumps(finding | {"revision": finding["revision"] + 1, "retired": True, "restated": False,
                                   "reason": "resource_deleted"})  # fmt: skip


def _standing(on: Stage) -> list[bytes]:
    """The last statements of findings that are in the view."""
    last = {orjson.loads(value)["id"]: value for value in on.said}
    return [value for value in last.values() if not orjson.loads(value)["retired"]]


def test_while_a_sink_writes(on: Stage, said: list[bytes], changed: Changed) -> None:
    half = len(said) // 2
    on.sink()
    on.say(said[:half])
    on.arrived()
    assert asyncio.run(on.configured.check()) is None
    changed()
    assert "different mapping" in str(asyncio.run(on.configured.check()))
    on.say(said[half:])
    told: list[str] = []
    on.install(told.append)
    assert any(f"{ALIAS}-v2: behind the alias, in place of {ALIAS}-v1" in line for line in told), (
        told
    )
    on.arrived()
    assert on.indices() == ["v2*"]
    assert asyncio.run(on.configured.check()) is None
    told.clear()
    on.install(told.append)
    assert any("as it should be" in line for line in told)


def test_what_is_said_and_what_ends_between_the_steps(
    on: Stage, said: list[bytes], changed: Changed
) -> None:
    on.sink()
    on.say(said)
    on.arrived()
    changed()
    ending = _standing(on)
    kept = len(on.wanted()[0])
    steps = 0

    def between(line: str) -> None:
        """After the first filling, after the swap: some findings end, and the sink has carried that out."""
        nonlocal steps
        if "findings," in line or "behind the alias" in line:
            on.say([_ended(value) for value in ending[steps : steps + 5]])
            steps += 5
            on.kept()  # into whatever index is behind the alias now

    on.install(between)
    assert steps == 15
    assert len(on.wanted()[0]) == kept - 15
    on.arrived()
    assert on.indices() == ["v2*"]


class Cut(Exception):
    pass


@pytest.mark.parametrize(
    ("where", "left", "after"),
    [("findings,", ["v1*", "v2"], ["v2*"]), ("behind the alias", ["v1", "v2*"], ["v2*"])],
)  # fmt: skip
def test_an_installation_that_was_cut_off_is_finished_by_the_next(
    on: Stage, said: list[bytes], changed: Changed, where: str, left: Any, after: Any
) -> None:
    on.sink()
    on.say(said)
    on.arrived()
    changed()

    def cut(line: str) -> None:
        if where in line:
            raise Cut

    with pytest.raises(Cut):
        on.install(cut)
    assert on.indices() == left
    assert asyncio.run(on.configured.check()) is not None
    on.say([_ended(value) for value in _standing(on)[:20]])
    on.install()
    on.arrived()
    assert on.indices() == after
    assert asyncio.run(on.configured.check()) is None


def test_two_installations_at_once(on: Stage, said: list[bytes], changed: Changed) -> None:
    on.sink()
    on.say(said)
    on.arrived()
    changed()

    async def both() -> list[Any]:
        two = (on.configured.install(lambda _: None) for _ in range(2))
        return await asyncio.gather(*two, return_exceptions=True)

    ended = asyncio.run(both())
    assert [e for e in ended if e is not None and not isinstance(e, UserError)] == []
    assert None in ended
    on.arrived()
    assert [name for name in on.indices() if name.endswith("*")] == [on.indices()[-1]]
    assert asyncio.run(on.configured.check()) is None


def test_a_mapping_that_refuses_the_findings_is_not_swapped_in(
    on: Stage, said: list[bytes], changed: Changed
) -> None:
    on.sink()
    on.say(said)
    on.arrived()
    changed(result={"properties": {"evaluation": {"type": "date"}}})
    with pytest.raises(UserError, match=r"refuses .* findings, the first: 400"):
        on.install()
    assert on.indices() == ["v1*", "v2"]
    on.arrived()
    changed()
    on.install()
    on.arrived()
    assert on.indices() == ["v3*"]


def test_a_view_that_was_deleted_is_filled_again(on: Stage, said: list[bytes]) -> None:
    on.say(said)
    on.sink()
    on.arrived()
    on.sinks[0].stop()
    on.direct.indices.delete(index=f"{ALIAS}-v1")
    told: list[str] = []
    on.install(told.append)
    assert on.shown()[0] == on.wanted()[0], told


def test_templates_of_another_version_are_told(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Callable[[], dict[str, Any]] = templates._history
    monkeypatch.setattr(templates, "_history", lambda: made() | {"priority": 301})
    assert "driftline-history differs" in str(asyncio.run(on.configured.check()))
    on.install()
    assert asyncio.run(on.configured.check()) is None
    on.direct.indices.delete_index_template(name="driftline-latest")  # the other is in use
    assert "driftline-latest is missing" in str(asyncio.run(on.configured.check()))


def test_a_sink_waits_for_a_view_that_is_not_filled(on: Stage) -> None:
    on.direct.indices.put_mapping(
        index=f"{ALIAS}-v1", meta={"driftline": templates.fingerprint(), "filling": True}
    )
    sink = on.sink()
    wait_until(lambda: not sink.running, PATIENCE, None, "its end")
    assert sink.code == 2
    assert "not yet filled" in sink.tail()


def test_a_new_view_is_as_fresh_as_the_old_one(
    on: Stage, said: list[bytes], again: tuple[list[bytes], dict[str, str]], changed: Changed
) -> None:
    """Statements may be a week old; when they were seen last stands in the restatements."""
    told, wanted = again
    on.say(said)
    on.restate(told)
    changed(more={"type": "keyword"})
    on.install()
    assert on.indices() == ["v2*"]
    assert on.seen() == wanted
