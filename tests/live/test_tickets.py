"""From readings to issues: worker, cases and a Jira sink as processes on a real broker, a Jira Data Center that is not ours
(jira820) at the end, and any of them killed in between. One issue for each ticket, open or closed as it should be."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.kafka.client import read_all
from driftline.pipeline.kafka.topics_admin import create
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import Child, free_port, wait_until
from driftline.pipeline.records.codec import encode_batch, encode_snapshot
from driftline.pipeline.records.topics import DEADLETTER, SNAPSHOTS, TOPICS
from tests.core.world import START, UID, key
from tests.live.conftest import without_topics
from tests.live.programs import Site
from tests.sinks.jira.data_center import PROJECT, DataCenter, data_center

pytestmark = pytest.mark.live
PATIENCE = 150
KEYS = 12
TEAMS = 4


class Deployment:
    """All of it. Readings are dated now: the clock's ticks are."""

    def __init__(self, site: Site, jira: DataCenter) -> None:
        self.site, self.jira = site, jira
        self.programs: dict[str, Child] = {}

    def run(self, name: str) -> None:
        state = {"DRIFTLINE_WORKER__STATE_DIR": str(self.site.folder / f"state-{name}")}
        ports = {
            "DRIFTLINE_WORKER__PORT": str(free_port()),
            "DRIFTLINE_TICKETS__PORT": str(free_port()),
        }
        self.programs[name] = self.site.launch(*name.split(), **state, **ports)

    def kill(self, name: str) -> None:
        self.programs[name].kill()
        self.run(name)

    def read(self, count: int, *, rotated: bool) -> None:
        """So many keys are read: those that are rotated pass."""
        for number in range(count):
            owner = {"owner": f"team-{number % TEAMS}"}
            one = key(minute_of_now(), rotation=rotated, uid=f"{UID}-{number}", tags=owner)
            self.site.say(
                SNAPSHOTS.name, encode_batch([encode_snapshot(one)]), key=one.uid.encode()
            )

    def issues(self) -> list[dict[str, Any]]:
        return self.jira.labelled("driftline")

    def states(self) -> list[str]:
        return sorted(one["fields"]["status"]["statusCategory"]["key"] for one in self.issues())


@pytest.fixture
def deployment(broker: KafkaServer, tmp_path: Path) -> Iterator[Deployment]:
    with data_center(tmp_path) as jira:
        entry = {
            "name": "sec", "kind": "jira", "url": jira.url, "deployment": "data_center", "project": PROJECT,
            "token": "not-a-secret", "lookup_for": "30s",
        }  # fmt: skip
        tickets = {"enabled": True, "settle": "1s", "close_after": "0s"}
        with Site(
            tmp_path, {"bootstrap_servers": broker.bootstrap}, sinks=[entry], tickets=tickets,
            clock={"interval": "500ms", "lateness": "0s"}, sink={"session_timeout": "6s"},
        ) as site:  # fmt: skip
            without_topics(site.kafka, TOPICS)
            create(site.kafka)
            mine = Deployment(site, jira)
            for name in ("worker", "cases", "sink sec", "clock"):
                mine.run(name)
            yield mine


def minute_of_now() -> float:
    """As the helpers of readings count."""
    return (datetime.now(UTC) - START).total_seconds() / 60


def test_one_issue_for_each_ticket_whoever_is_killed(deployment: Deployment) -> None:
    deployment.read(1, rotated=False)
    wait_until(
        lambda: len(deployment.issues()) > 0,
        PATIENCE,
        deployment.programs["sink sec"],
        "the first issue",
    )
    for number, name in enumerate(("sink sec", "cases", "worker", "sink sec")):
        deployment.read((number + 1) * KEYS // 4, rotated=False)
        deployment.kill(name)
    wait_until(
        lambda: deployment.states() == ["new"] * TEAMS, PATIENCE, None, f"{TEAMS} open issues"
    )
    deployment.jira.gate.faults = ["cut", "", "error"]
    deployment.read(KEYS, rotated=True)
    deployment.kill("sink sec")
    wait_until(lambda: deployment.states() == ["done"] * TEAMS, PATIENCE, None, "closed issues")
    assert list(read_all(deployment.site.kafka, DEADLETTER.name)) == []
