"""A topic that is made anew under kept state is refused, not passed over as known; accepted, all of it counts. And clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from driftline.pipeline.common.exit_codes import EXIT_OTHER_TOPIC
from driftline.pipeline.kafka.client import admin
from driftline.pipeline.kafka.topics_admin import ids
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.model import Control, Tick
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS, partition
from tests.core.world import UID, key, value
from tests.live.programs import Site

pytestmark = pytest.mark.live
PATIENCE = 90


@pytest.fixture
def site(own: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap}) as mine:
        yield mine


def status(site: Site) -> str:
    found = [f["status"] for f in site.findings().values() if f["rule"]["id"] == "t-rotation" and f["resource"]["uid"] == UID]  # fmt: skip
    return found[0] if found else ""


def test_a_topic_made_anew_is_refused_until_it_is_accepted(site: Site) -> None:
    home = partition(UID)
    for at in (1, 2, 3):  # the offsets of the new topic's records are known
        site.say(SNAPSHOTS.name, value(key(at, True)), partition=home)
    worker = site.worker("--supervise", state="state")
    wait_until(lambda: status(site) == "clear", PATIENCE, worker.child, "the first finding")
    worker.child.stop()
    client = admin(site.kafka)
    client.delete_topics([SNAPSHOTS.name])[SNAPSHOTS.name].result(30)
    gone = lambda: SNAPSHOTS.name not in client.list_topics(timeout=10).topics  # noqa: E731
    wait_until(gone, PATIENCE, None, "the topic's end")
    assert site.cli("topics", "create").code == 0
    folder = str(site.folder / "state")
    told = site.cli("topics", "check", DRIFTLINE_WORKER__STATE_DIR=folder)
    assert told.code == 2
    assert "snapshots: recreated since the state" in told.out
    site.say(SNAPSHOTS.name, value(key(4, False)), partition=home)

    refused = site.worker("--supervise", state="state")
    wait_until(lambda: not refused.child.running, PATIENCE, None, "its end")
    assert refused.child.code == EXIT_OTHER_TOPIC
    id = ids(site.kafka, [SNAPSHOTS])["snapshots"]
    assert f"worker.accepted_topics: [{id}]" in refused.child.log.read_text()
    assert status(site) == "clear"

    accepted = f'["{id}"]'
    again = site.worker("--supervise", state="state", DRIFTLINE_WORKER__ACCEPTED_TOPICS=accepted)
    wait_until(lambda: status(site) == "open", PATIENCE, again.child, "the new topic's reading")
    again.child.stop()
    assert site.cli("topics", "check", DRIFTLINE_WORKER__STATE_DIR=folder).code == 0
    site.say(SNAPSHOTS.name, value(key(5, True)), partition=home)
    last = site.worker("--supervise", state="elsewhere")  # out of the changelog: it knows it too
    wait_until(lambda: status(site) == "resolved", PATIENCE, last.child, "the next reading")


def test_a_tick_a_year_ahead_is_a_dead_letter_and_the_clock_goes_on(site: Site) -> None:
    ahead = datetime.now(UTC) + timedelta(days=365)
    site.say(
        CONTROL.name, Control(tick=Tick(source="sweep", watermark=ahead)).encode(), partition=0
    )
    worker = site.worker("--supervise")

    def buried() -> bool:
        return worker.metrics().get('driftline_dead_letters_total{stage="assess"}', 0) == 1

    wait_until(buried, PATIENCE, worker.child, "a letter")
    assert "ahead of the broker's clock" in worker.child.log.read_text()
    assert site.run("clock", "--once").code == 0
    now = datetime.now(UTC).timestamp()

    def on_time() -> bool:
        return now - 60 < worker.metrics().get("driftline_worker_watermark_seconds", 0) < now + 60

    wait_until(on_time, PATIENCE, worker.child, "time")
