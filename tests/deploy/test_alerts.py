"""The alert rules: of metrics and labels that are told, each with a next step that can be typed."""

import re
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from driftline.pipeline.reference.stream import collectors
from tests.deploy.words import DEPLOY, parse
from tests.parts import needs

FOLDER = DEPLOY / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
JOBS = {one["job_name"] for one in yaml.safe_load((FOLDER / "scrape.yaml").read_text())["scrape_configs"]}  # fmt: skip
PROMETHEUS = {"up": {"job", "instance"}}
"""What Prometheus itself tells of each target."""
PROCESS = "process_start_time_seconds"
"""What prometheus_client tells on Linux."""
FUNCTIONS = {
    "absent", "and", "by", "changes", "count", "increase", "max", "offset", "or", "sum", "time", "unless", "Inf", "h", "m",
}  # fmt: skip

every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])


def labels() -> dict[str, set[str]]:
    """Every name on our pages, with its labels."""
    out = dict(PROMETHEUS)
    for metric in collectors():
        family = next(iter(metric.describe()))
        own = {"job", "instance", *metric._labelnames}
        for name in {"counter": [f"{family.name}_total"]}.get(family.type, [family.name]):
            out[name] = own
    pages = {family.name for family in text_string_to_metric_families(generate_latest().decode())}
    assert PROCESS in pages
    out[PROCESS] = {"job", "instance"}
    return out


KNOWN = labels()


@every_rule
def test_asks_only_for_what_is_told(rule: dict[str, Any]) -> None:
    text = re.sub(r'"[^"]*"', "", rule["expr"])  # without the labels' values
    selectors = re.findall(r"([a-z_]+)(?:\{([^}]*)\})?", re.sub(r"\bby \([^)]*\)", "", text))
    names = {name for name, _ in selectors if name in KNOWN}
    assert names, "no metric at all"
    words = set(re.findall(r"[A-Za-z_]+", re.sub(r"\{[^}]*\}|by \([^)]*\)", "", text)))
    assert words <= names | FUNCTIONS, "a name that nobody tells"
    for name, inside in selectors:
        if name in KNOWN:
            assert set(re.findall(r"(\w+)\s*[=!]", inside)) <= KNOWN[name], name
    told = set.union(*(KNOWN[name] for name in names))
    for grouping in re.findall(r"by \(([^)]*)\)", text):
        assert set(re.findall(r"\w+", grouping)) <= told
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= told


@every_rule
def test_speaks_of_jobs_that_are_scraped(rule: dict[str, Any]) -> None:
    for match, job in re.findall(r'job(=~?)"([^"]+)"', rule["expr"]):
        assert any(re.fullmatch(job, one) if match == "=~" else job == one for one in JOBS), job


@every_rule
def test_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    commands = re.findall(r"driftline ([a-z][^.,]*)", rule["annotations"]["next"])
    assert commands
    for command in commands:
        parse(command.split())


def test_every_trouble_has_its_alert() -> None:
    asked = {name for rule in RULES for name in re.findall(r"\w+", rule["expr"])}
    for name in ("driftline_worker_ready", "driftline_worker_watermark_seconds", "driftline_sweep_age_seconds", "driftline_sweep_unread",
                 "driftline_dead_letters_total", "driftline_events_total", "driftline_sink_behind_seconds", "driftline_sink_retried_total", PROCESS, "up"):  # fmt: skip
        assert name in asked


def test_each_alert_is_tried() -> None:
    tried = (FOLDER / "alerts_test.yaml").read_text()
    assert {rule["alert"] for rule in RULES} <= set(re.findall(r"Driftline\w+", tried))


@needs("promtool")
def test_prometheus_fires_them() -> None:
    done = subprocess.run(["promtool", "test", "rules", "alerts_test.yaml"], cwd=FOLDER, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
