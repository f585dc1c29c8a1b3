"""The demo's steps: each changes something, and is seen in Elasticsearch or is not."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.demo.estate import BLOCKED, REGIONS, WORLD_SSH
from pipeline.demo.stage import ALIAS, HISTORY, Stage
from pipeline.model import finding_id

SSH = "aws-ec2-security-group-no-ssh-from-internet"
BLOCK = "aws-s3-bucket-public-access-blocked"
VERSIONS = "aws-s3-bucket-versioning-enabled"


@dataclass
class Step:
    name: str
    seen: bool = False
    seconds: float = 0.0
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"seconds": round(self.seconds, 3)}


class Play:
    """The steps in their order. `watch` is called while we wait; it raises when time is up."""

    def __init__(self, stage: Stage, watch: Callable[[str], None]) -> None:
        self.stage, self.watch = stage, watch
        estate = stage.estate
        self.account = estate.accounts[1]
        group = estate.group(self.account, REGIONS[0], "group-5")
        uid = f"arn:aws:ec2:{REGIONS[0]}:{self.account}:security-group/{group}"
        self.group, self.ssh = group, finding_id(SSH, uid)
        self.ec2 = estate.client("ec2", self.account, REGIONS[0])

    def steps(self) -> Iterator[Step]:
        for action in (
            self.first_sweep, self.opened, self.fixed, self.reopened, self.deleted, self.denied, self.killed, self.offline,
        ):  # fmt: skip
            step = Step(action.__doc__ or "")
            began = time.monotonic()
            try:
                step.detail, step.seen = action(), True
            except TimeoutError as why:
                step.detail = str(why)
            step.seconds = time.monotonic() - began
            yield step
            if not step.seen:
                return

    def until(self, seen: Callable[[], bool], what: str) -> float:
        """Waits until something is seen; how long it took."""
        began = time.monotonic()
        while not seen():
            self.watch(what)
            time.sleep(0.02)
        return time.monotonic() - began

    def stands(self, id: str, status: str, evaluation: str) -> bool:
        document = self.stage.finding(id)
        return bool(
            document
            and document["driftline"]["status"] == status
            and document["result"]["evaluation"] == evaluation
        )

    def bucket(self, number: int, rule: str = BLOCK) -> str:
        name = self.stage.estate.bucket(self.account, number)
        return finding_id(rule, f"arn:aws:s3:::{name}")

    def first_sweep(self) -> str:
        """the first sweep: every known fault is found, nothing else"""
        self.stage.collect()
        estate = self.stage.estate
        bad = [
            finding_id(BLOCK, f"arn:aws:s3:::{estate.bucket(a, n)}")
            for a in estate.accounts
            for n in (0, 3, 6, 9)
        ]
        good = [
            finding_id(BLOCK, f"arn:aws:s3:::{estate.bucket(a, n)}")
            for a in estate.accounts
            for n in (1, 2, 4)
        ]
        self.until(lambda: all(self.stands(id, "open", "failed") for id in bad), "known faults")
        self.until(
            lambda: all(self.stands(id, "clear", "passed") for id in good), "known good ones"
        )
        self.until(lambda: self.stands(self.ssh, "clear", "passed"), "the security group")
        return f"{len(bad)} known faults open, {len(good)} good ones clear"

    def opened(self) -> str:
        """a security group is opened to the world → open"""
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=WORLD_SSH)
        took = self.until(lambda: self.stands(self.ssh, "open", "failed"), "open")
        return f"{took:.2f} s after the change, sweep included"

    def fixed(self) -> str:
        """it is closed again → resolved"""
        self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=WORLD_SSH)
        took = self.until(lambda: self.stands(self.ssh, "resolved", "passed"), "resolved")
        return f"{took:.2f} s"

    def reopened(self) -> str:
        """it is opened once more → the same finding, reopened"""
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=WORLD_SSH)
        took = self.until(lambda: self.stands(self.ssh, "open", "failed"), "reopened")
        document = self.stage.finding(self.ssh) or {}
        if document["driftline"]["reopened"] != 1:
            raise TimeoutError(f"reopened is {document['driftline']['reopened']}, not 1")
        return f"{took:.2f} s; reopened 1, one document"

    def deleted(self) -> str:
        """a bucket is deleted → gone from the latest view, kept in the history"""
        s3 = self.stage.estate.client("s3", self.account)
        s3.delete_bucket(Bucket=self.stage.estate.bucket(self.account, 3))
        id = self.bucket(3)
        self.until(lambda: self.stage.gone(id), "gone")
        query = {
            "query": {
                "bool": {
                    "filter": [
                        {"term": {"event.id": id}},
                        {"term": {"driftline.reason": "resource_deleted"}},
                    ]
                }
            }
        }
        self.until(
            lambda: self.stage.get(f"{HISTORY}/_count", query).get("count", 0) == 1,
            "in the history",
        )
        return "resource_deleted, once"

    def denied(self) -> str:
        """the collector loses a permission → unknown, nothing closed; given back → known"""
        ids = {n: self.bucket(n) for n in (0, 1, 6)}
        before = {n: (self.stage.finding(id) or {})["driftline"]["status"] for n, id in ids.items()}
        self.stage.estate.permit(self.account, buckets=False)
        self.until(
            lambda: all(self.stands(id, before[n], "unknown") for n, id in ids.items()), "unknown"
        )
        self.stage.estate.permit(self.account, buckets=True)
        self.until(
            lambda: (
                self.stands(ids[0], "open", "failed") and self.stands(ids[1], "clear", "passed")
            ),
            "known again",
        )
        return "statuses kept: " + ", ".join(sorted(set(before.values())))

    def killed(self) -> str:
        """a worker is killed in mid-sweep → nothing lost, nothing twice"""
        estate = self.stage.estate
        changed = [(a, n) for a in estate.accounts for n in (0, 6, 9)]
        for number, (account, bucket) in enumerate(changed):
            s3 = estate.client("s3", account)
            s3.put_public_access_block(
                Bucket=estate.bucket(account, bucket), PublicAccessBlockConfiguration=BLOCKED
            )
            if number == len(changed) // 2:
                self.stage.children["worker-1"].kill()
        ids = [finding_id(BLOCK, f"arn:aws:s3:::{estate.bucket(a, n)}") for a, n in changed]
        self.until(lambda: all(self.stands(id, "resolved", "passed") for id in ids), "all resolved")
        self.stage.get(f"{ALIAS},{HISTORY}/_refresh", {})
        twice = [id for id in ids if self._times(id, "fixed") != 1]
        self.until(
            lambda: not [id for id in twice if self._times(id, "fixed") != 1],
            "each transition once",
        )
        return f"{len(ids)} changes, each resolved once"

    def _times(self, id: str, reason: str) -> int:
        query = {"query": {"bool": {"filter": [
            {"term": {"event.id": id}}, {"term": {"driftline.reason": reason}}, {"term": {"driftline.reopened": 0}}]}},
            "aggs": {"n": {"cardinality": {"field": "driftline.resolved_at"}}}, "size": 0}  # fmt: skip
        answer = self.stage.get(f"{HISTORY}/_search", query)
        return int(answer.get("aggregations", {}).get("n", {}).get("value", 0))

    def offline(self) -> str:
        """Elasticsearch is stopped for a while → everything arrives later"""
        self.stage.elastic.stop()
        s3 = self.stage.estate.client("s3", self.account)
        name = self.stage.estate.bucket(self.account, 0)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        until = time.monotonic() + 5
        while time.monotonic() < until:
            self.watch("Elasticsearch is down")
            time.sleep(0.1)
        self.stage.elastic.start()
        id = self.bucket(0, VERSIONS)
        took = self.until(lambda: self.stands(id, "resolved", "passed"), "arrived")
        return f"{took:.2f} s after it was back"
