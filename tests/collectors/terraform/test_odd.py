"""A plan that somebody has cut or written by hand: it is read, or refused in words; never an error of ours."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.pipeline.common.errors import UserError
from tests.collectors.terraform.hand import told
from tests.collectors.terraform.test_plans import PLANS

ODD: tuple[Any, ...] = (None, [], {}, "", "x", 0, True, [None], {"a": None}, [[]], 1.5)
NAMES = sorted(PLANS.glob("*.json"))
LOADED: dict[Path, Any] = {path: json.loads(path.read_text()) for path in NAMES}


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    return [at, *(place for key, item in below for place in places(item, (*at, key)))]


PLACES = {path: places(data)[1:] for path, data in LOADED.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_an_odd_plan(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    plan = copy.deepcopy(LOADED[name])
    *steps, last = data.draw(st.sampled_from(PLACES[name]))
    inside = plan
    for step in steps:
        inside = inside[step]
    if data.draw(st.booleans()):
        del inside[last]
    else:
        inside[last] = data.draw(st.sampled_from(ODD))
    claims = data.draw(st.booleans())
    refused = ""
    try:
        records = told(tmp_path, plan, claims=claims).records
    except UserError as why:
        records, refused = [], str(why)
    assert not refused or str(tmp_path / "plan.json") in refused
    for record in records:
        assert record.uid
        assert type(record).model_validate_json(record.encode()) == record
