"""What a report shows: hostile names stay text in a terminal, a CSV cell and JSON."""

import csv
import io
from typing import Any

import orjson
import pytest
from rich.cells import cell_len
from rich.console import Console

from driftline.pipeline.model import CloudAccount, Sweep, Unread
from driftline.pipeline.report import totals
from driftline.pipeline.report.alerts import print_alerts
from driftline.pipeline.report.findings import print_report
from tests.core.world import World, key

NASTY = [
    "a\nb", "a\r\nlevel: error", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "a\tb", "a\x00b", "\x7f", "\u202egnp.exe", "\u2028", "\ufeff",
    '=cmd|"/C calc"!A0', "@SUM(A1)", "+1+1", "-2+3", "  =1+1", "\uff1d1+1", "\t=1+1", '"quoted",comma', "[bold]markup[/]", "[/nothing]", ":smile:",
    '{"match_all":{}}', "name:* OR 1=1", "' OR ''='", "{{7*7}}", "%s%n", "../../etc/passwd", "é漢字😀", "x" * 300,
]  # fmt: skip
"""Names that somebody may give a resource or a tag."""


@pytest.mark.parametrize("text", NASTY)
def test_a_hostile_name_stays_text_where_it_is_shown(text: str) -> None:
    world = World()
    world.snapshot(
        key(0, rotation=False, tags={text: text}).model_copy(
            update={"name": text, "region": text, "uid": f"u/{text}"}
        )
    )
    assert not world.dead
    findings = list(world.documents())
    out = io.StringIO()
    print_report(Console(file=out, width=300, force_terminal=True), findings, [])
    shown = out.getvalue()
    for part in shown.replace("\x1b[", "").split("\n"):  # rich's own colours
        assert part.isprintable(), part
    assert "[bold]markup" not in text or "[bold]markup" in shown
    table = totals.as_csv(findings)
    lines = list(csv.reader(io.StringIO(table)))
    assert len(lines) == len(table.splitlines()) == 4
    for cell in (cell for line in lines[1:] for cell in line):
        assert cell.isprintable()
        assert cell.lstrip()[:1] not in (*"=+-@\uff1d\uff0b\uff0d\uff20",)
    assert orjson.loads(totals.as_json(findings, []))["findings"][0]["resource"]["name"] == text


def test_an_accounts_name_stands_beside_its_id_where_it_is_known() -> None:
    world = World()
    owner = CloudAccount(kind="account", id="111111111111", name="shop")
    world.snapshot(key(0, rotation=False).model_copy(update={"cloud_account": owner, "class_": "security"}))  # fmt: skip
    findings = list(world.documents())
    assert findings[0]["resource"]["cloud_account"]["name"] == "shop"
    assert findings[0]["resource"]["class"] == "security"
    out = io.StringIO()
    print_report(Console(file=out, width=300), findings, [])
    assert "shop (111111111111)" in out.getvalue()
    line = next(csv.DictReader(io.StringIO(totals.as_csv(findings))))
    assert (line["account"], line["account_name"]) == ("111111111111", "shop")


SEVERAL = [*NASTY, "a-resource-with-a-very-long-name-" * 4, "短い" * 60]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_report_stays_within_the_width_of_its_console(width: int) -> None:
    world = World()
    for number, text in enumerate(SEVERAL):
        owner = CloudAccount(kind="account", id=f"{number:012}", name=text)
        reading = key(number, rotation=False)
        unread = [Unread(part="rotation", reason="denied", code=text)] if number % 2 else []
        world.snapshot(
            reading.model_copy(
                update={"name": text, "region": text, "uid": f"u/{number}/{text}", "cloud_account": owner, "unread": unread}
            )
        )  # fmt: skip
    sweeps = [
        Sweep.model_validate(
            {
                "scope": {"provider": "aws", "account": str(number), "region": "r", "type": text},
                "id": "i", "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01Z", "status": "denied", "reason": f"Call{number}: {text}",
            }
        )
        for number, text in enumerate(SEVERAL)
    ]  # fmt: skip
    out = io.StringIO()
    print_report(Console(file=out, width=width), list(world.documents()), sweeps)
    shown = out.getvalue()
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    assert all(line.isprintable() for line in shown.splitlines())
    assert f"Not read completely: {len(SEVERAL)} scopes" in shown


def test_a_table_of_alerts_says_who_from_where_and_on_what() -> None:
    step = {"what": "ConsoleLogin"}
    alert: dict[str, Any] = {
        "id": "a" * 36, "title": "Logins fail", "sentence": "Logins fail, by bob, from 192.0.2.7, in account 111111111111, 3 events", "state": "ended",
        "severity": "low", "begins": "2026-11-20T12:00:00Z", "last": "2026-11-20T12:07:00Z", "count": 3, "story": [step, step, step, {"rule": "Other"}],
        "group": {"sourceIPAddress": "192.0.2.7"},
    }  # fmt: skip
    out = io.StringIO()
    print_alerts(Console(file=out, width=200), [alert], [alert["id"]])
    assert f"{alert['sentence']} (going on)" in out.getvalue()
    assert "ConsoleLogin (3 times), Other" in out.getvalue()
    assert "1 alert (1 was ongoing at the end of the records)" in out.getvalue()
